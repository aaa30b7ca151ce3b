#pragma once

#include <gradloom/io/data_set.hpp>

namespace gradloom::inline v0::io {

/// Sets `order` to shuffled_order(order.size(), seed, epoch).
void shuffle_into(std::span<int64_t> order, uint64_t seed, int64_t epoch);

/// Copies rows of `from` to the rows of `to`, which has as many as there are indices. Both are contiguous, of one
/// dtype, and every index is in range.
void copy_rows(const Array& from, std::span<const int64_t> indices, const Array& to);

/// Throws Error for the first index that is not one of `count` samples. `whose` begins the message: "the order of epoch
/// 3".
void check_indices(std::span<const int64_t> indices, int64_t count, std::string_view whose);

/// An Array of the dtype and sizes of `like`, but with this many rows.
[[nodiscard]] Array rows_like(const Array& like, int64_t rows, DType dtype);

}  // namespace gradloom::inline v0::io
