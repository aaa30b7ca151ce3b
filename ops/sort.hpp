#pragma once

#include <gradloom/graph/dim.hpp>
#include <gradloom/graph/tensor.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

struct OpDef;

/// Attributes axis (non-negative), count (how many of the first ones are wanted) and descending.
GRADLOOM_API extern const OpDef argsort_def;

struct SortOptions {
  int axis = -1;
  bool descending = false;
};

// All of any dtype. Equal elements keep their order, also when descending; 0 equals -0; nan counts as larger than any
// number. Each throws Error for a scalar and for an axis that x does not have.

/// Where along the axis the smallest element is, the next one, and so on, as i64: [..., n, ...] -> [..., n, ...]. No
/// gradient passes.
[[nodiscard]] GRADLOOM_API Tensor argsort(const Operand& x, const SortOptions& options = {});

/// x in rising order along the axis: take_along_axis(x, argsort(x)), and its gradient goes where the elements were.
[[nodiscard]] GRADLOOM_API Tensor sort(const Operand& x, const SortOptions& options = {});

struct TopK {
  Tensor values;
  Tensor indices;  ///< i64, along the axis
};

struct TopKOptions {
  int axis = -1;
  bool largest = true;  ///< false: the smallest ones, from the smallest
};

/// The k largest elements along the axis, from the largest: [..., n, ...] -> [..., k, ...]. The gradient of the values
/// goes where they were. Throws Error unless 0 <= k <= n; for a symbolic n, specialising the Program checks it.
[[nodiscard]] GRADLOOM_API TopK top_k(const Operand& x, int64_t k, const TopKOptions& options = {});

}  // namespace gradloom::inline v0
