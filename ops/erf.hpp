#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef erf_def;

/// The error function 2/sqrt(pi) int_0^x e^-t^2 dt (DLMF 7.2) elementwise, within 3.5 ULP. Integer and boolean Tensors
/// become f32 first.
[[nodiscard]] GRADLOOM_API Tensor erf(const Operand& x);

}  // namespace gradloom::inline v0
