#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct CumulativeOptions {
  int axis = -1;
  bool exclusive =
      false;             ///< each result leaves its own element out: 0 (or 1) comes first, the last one counts nowhere
  bool reverse = false;  ///< from the last element to the first
};

/// The sum of the elements up to each one along an axis, in the shape of x. Terms are added one after another, so the
/// rounding error grows with n (that of sum() with log n). Integers and booleans are summed in i64, which wraps around.
/// Throws Error for an axis that x does not have.
///   cumsum(x)                       // [1, 2, 3] -> [1, 3, 6]
///   cumsum(x, {.exclusive = true})  // [1, 2, 3] -> [0, 1, 3]
[[nodiscard]] GRADLOOM_API Tensor cumsum(const Operand& x, const CumulativeOptions& options = {});

/// The product of the elements up to each one, as cumsum. Its gradient has no division: it is right where elements are
/// 0.
[[nodiscard]] GRADLOOM_API Tensor cumprod(const Operand& x, const CumulativeOptions& options = {});

}  // namespace gradloom::inline v0
