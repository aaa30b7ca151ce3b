#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef stop_gradient_def;

/// x, of any shape and dtype, as a constant to every gradient: no path leads through it. Costs nothing when run.
[[nodiscard]] GRADLOOM_API Tensor stop_gradient(const Operand& x);

}  // namespace gradloom::inline v0
