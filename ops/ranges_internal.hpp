// What slice and pad share. Both carry starts (Shape), steps and shape, the result's: slice reads element
// start + i * step of its input into i of the result, pad writes i of its input to element start + i * step of the
// result. So each is the gradient of the other.
#pragma once

#include <gradloom/graph/op_def.hpp>
#include <gradloom/graph/tensor.hpp>

#include <cstdint>
#include <vector>

namespace gradloom::inline v0 {

using Steps = std::vector<int64_t>;

/// Checks that elements start + i * step, i < count, exist in `of`, axis by axis, as far as the sizes are known:
/// symbols are checked when the Program is specialised, which runs the shape rule again.
void check_ranges(const ShapeContext& context, const Shape& counts, const Shape& of);

/// a + b for tensors that are padded with zeros around ranges that follow each other on one axis, as a concat; else an
/// empty Tensor. The gradients of what one tensor was split into add up so.
[[nodiscard]] Tensor sum_of_ranges(const Tensor& a, const Tensor& b);

}  // namespace gradloom::inline v0
