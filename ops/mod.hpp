#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef mod_def;

/// The remainder a - b floor(a / b) elementwise on numbers, with broadcasting and promotion: its sign is b's, as in
/// Python. Floats by an exact remainder, correctly rounded, and nan for b = 0; integers give 0 for b = 0.
[[nodiscard]] GRADLOOM_API Tensor mod(const Operand& a, const Operand& b);

}  // namespace gradloom::inline v0
