#pragma once

#include <gradloom/graph/tensor.hpp>
#include <gradloom/graph/op_def.hpp>

namespace gradloom::inline v0 {

GRADLOOM_API extern const OpDef add_def;
GRADLOOM_API extern const OpDef sub_def;
GRADLOOM_API extern const OpDef mul_def;
GRADLOOM_API extern const OpDef div_def;
GRADLOOM_API extern const OpDef neg_def;

/// a + b, a - b, a * b elementwise, with broadcasting and promotion (see docs/semantics.md); integers wrap around.
[[nodiscard]] GRADLOOM_API Tensor operator+(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor operator-(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor operator*(const Operand& a, const Operand& b);
/// a / b elementwise. Floats by IEEE 754; integers towards zero, and x / 0 is 0.
[[nodiscard]] GRADLOOM_API Tensor operator/(const Operand& a, const Operand& b);
/// -a elementwise.
[[nodiscard]] GRADLOOM_API Tensor operator-(const Operand& a);

}  // namespace gradloom::inline v0
