// A data set is a Batch of all samples: Arrays whose first axis has one entry a sample.
#pragma once

#include <gradloom/graph/export.hpp>
#include <gradloom/runtime/batch.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace gradloom::inline v0::io {

/// The number of samples. Throws Error if there is no Array, one is a scalar, or their first axes differ.
[[nodiscard]] GRADLOOM_API int64_t sample_count(const Batch& samples);

/// Samples [begin, end), sharing their storage. Throws Error if they are out of range.
[[nodiscard]] GRADLOOM_API Batch take(const Batch& samples, int64_t begin, int64_t end);

/// Copies of the samples at these indices, in this order. Throws Error if one is out of range.
[[nodiscard]] GRADLOOM_API Batch take(const Batch& samples, std::span<const int64_t> indices);

/// A permutation of 0 to count - 1 that depends on the arguments only, on every machine; each epoch has its own.
[[nodiscard]] GRADLOOM_API std::vector<int64_t> shuffled_order(int64_t count, uint64_t seed, int64_t epoch = 0);

}  // namespace gradloom::inline v0::io
