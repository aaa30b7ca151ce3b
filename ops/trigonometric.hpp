#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef sin_def;
GRADLOOM_API extern const OpDef cos_def;
GRADLOOM_API extern const OpDef tan_def;
GRADLOOM_API extern const OpDef asin_def;
GRADLOOM_API extern const OpDef acos_def;
GRADLOOM_API extern const OpDef atan_def;

// Elementwise on floats; integer and boolean Tensors become f32 first.

/// The sine, within 2.5 ULP for arguments of any size; nan for inf.
[[nodiscard]] GRADLOOM_API Tensor sin(const Operand& x);
/// The cosine, within 2.5 ULP for arguments of any size; nan for inf.
[[nodiscard]] GRADLOOM_API Tensor cos(const Operand& x);
/// The tangent, within 4 ULP for arguments of any size; nan for inf.
[[nodiscard]] GRADLOOM_API Tensor tan(const Operand& x);
/// The angle in [-pi/2, pi/2], within 2 ULP; nan outside [-1, 1]. The derivative at 1 and -1 is inf.
[[nodiscard]] GRADLOOM_API Tensor asin(const Operand& x);
/// The angle in [0, pi], within 2 ULP; nan outside [-1, 1]. The derivative at 1 and -1 is -inf.
[[nodiscard]] GRADLOOM_API Tensor acos(const Operand& x);
/// The angle in [-pi/2, pi/2], within 2 ULP.
[[nodiscard]] GRADLOOM_API Tensor atan(const Operand& x);

}  // namespace gradloom::inline v0
