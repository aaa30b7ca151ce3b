#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef tanh_log1p_def;
GRADLOOM_API extern const OpDef tanh_log1p_slope_def;

// What tanh(softplus(x)) and its derivative become in a Program, with v = e^x: both are quotients of polynomials in v,
// so that mish (x tanh(softplus(x))) and its gradient together need one exponential. Elementwise on floats; integer and
// boolean Tensors become f32 first. nan below 0, where no e^x is.

/// tanh(log(1 + v)) = (v^2 + 2 v) / (v^2 + 2 v + 2), within 3.5 ULP: 0 at 0, 1 at inf.
[[nodiscard]] GRADLOOM_API Tensor tanh_log1p(const Operand& v);

/// v times the derivative of tanh(log(1 + v)), within 2.5 ULP, 4.1 without fused multiply-adds: 0 at 0 and inf. For
/// v = e^x it is the derivative of tanh(softplus(x)) with respect to x.
[[nodiscard]] GRADLOOM_API Tensor tanh_log1p_slope(const Operand& v);

}  // namespace gradloom::inline v0
