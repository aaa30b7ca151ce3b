#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef asinh_def;
GRADLOOM_API extern const OpDef acosh_def;
GRADLOOM_API extern const OpDef atanh_def;

// Elementwise on floats; integer and boolean Tensors become f32 first.

/// The number whose hyperbolic sine is x, within 3 ULP.
[[nodiscard]] GRADLOOM_API Tensor asinh(const Operand& x);
/// The number in [0, inf] whose hyperbolic cosine is x, within 3 ULP; nan below 1. The derivative at 1 is inf.
[[nodiscard]] GRADLOOM_API Tensor acosh(const Operand& x);
/// The number whose hyperbolic tangent is x, within 3 ULP: -inf at -1, inf at 1, nan beyond.
[[nodiscard]] GRADLOOM_API Tensor atanh(const Operand& x);

}  // namespace gradloom::inline v0
