#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef where_def;

/// a where the condition is true, b elsewhere, elementwise with broadcasting. `a` and `b` are promoted to one dtype
/// (two numbers to f32); a condition that is not boolean is true where it is not 0. What is not chosen does not reach
/// the result, nan and inf included; its gradient is 0.
[[nodiscard]] GRADLOOM_API Tensor where(const Operand& condition, const Operand& a, const Operand& b);

}  // namespace gradloom::inline v0
