// The kernel behind broadcast, transpose, slice and their kin: a dense output read from a strided input.
#pragma once

#include <gradloom/ops/kernel.hpp>

#include <cstdint>
#include <vector>

namespace gradloom::inline v0 {

/// Strides, in elements, of a dense row-major tensor.
[[nodiscard]] GRADLOOM_API std::vector<int64_t> row_major_strides(const std::vector<int64_t>& sizes);

/// A plan that sets output[i, j, ...] = input[offset + i * strides[0] + j * strides[1] + ...] (in elements of
/// `element_size` bytes) for all indices below `sizes`. Strides may be 0 or negative.
[[nodiscard]] GRADLOOM_API KernelPlan plan_strided_copy(const std::vector<int64_t>& sizes,
                                                        const std::vector<int64_t>& strides, int64_t offset,
                                                        size_t element_size);

}  // namespace gradloom::inline v0
