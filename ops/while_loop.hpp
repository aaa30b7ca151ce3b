#pragma once

#include <gradloom/graph/function_ref.hpp>
#include <gradloom/graph/tensor.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace gradloom::inline v0 {

struct OpDef;

/// Operands: the carried values' first ones, whether there is a first step, the constants. Attributes body (from the
/// carried values to the next ones and whether there is a further step) and carried. Outputs: the last carried values.
GRADLOOM_API extern const OpDef while_loop_def;

struct WhileOptions {
  /// No more than so many steps; with it the loop has gradients (and memory for that many steps). 0: as many as it
  /// takes.
  int64_t bound = 0;
};

using LoopCondition = FunctionRef<Tensor(std::span<const Tensor> carried)>;
using LoopBody = FunctionRef<std::vector<Tensor>(std::span<const Tensor> carried)>;

/// carried = body(carried) while condition(carried), a boolean scalar, is true; returns the last ones. The body returns
/// them in their shapes and dtypes. Without a bound there is no gradient, since how much to store is known only in the
/// run; with one it is a scan whose steps after the last do nothing, and has gradients of every order. Throws Error if
/// nothing is carried, if the condition is no boolean scalar, or if the body's results do not fit.
///   // Newton's method: the square root of a
///   Tensor x = while_loop([&](auto x) { return abs(x[0] * x[0] - a) > 1e-5; },
///                         [&](auto x) { return std::vector{(x[0] + a / x[0]) / 2}; }, {a}, {.bound = 50})[0];
[[nodiscard]] GRADLOOM_API std::vector<Tensor> while_loop(LoopCondition condition, LoopBody body,
                                                          const std::vector<Tensor>& initial,
                                                          const WhileOptions& options = {},
                                                          SourceLocation location = SourceLocation::current());

}  // namespace gradloom::inline v0
