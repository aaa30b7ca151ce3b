#pragma once

#include <gradloom/graph/tensor.hpp>

#include <cstdint>
#include <vector>

namespace gradloom::inline v0 {

struct OpDef;

/// Attributes axes (sorted, non-negative), reverse and start.
GRADLOOM_API extern const OpDef exclusive_recurrence_def;

struct RecurrenceOptions {
  std::vector<int64_t> axes{};  ///< negative ones count from the end; none given means all
  bool reverse = false;         ///< from the last position to the first
  double start = 0;             ///< the first value
};

/// y[0] = start, y[i + 1] = a[i] * y[i] + b[i], with i running over the positions of the axes in row-major order, for
/// every position of the other axes; a, b and y are of one shape and of one dtype: f32, f64, or i64, which wraps
/// around. The last a and b have no effect: y[i] excludes its own. With b = 0 and start = 1 it is the product of all
/// elements before i, with a = 1 and start = 0 the sum. Throws Error if the shapes or dtypes of a and b differ, or for
/// axes that are not there.
[[nodiscard]] GRADLOOM_API Tensor exclusive_recurrence(const Operand& a, const Operand& b,
                                                       const RecurrenceOptions& options = {});

}  // namespace gradloom::inline v0
