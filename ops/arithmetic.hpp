#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef add_def;
GRADLOOM_API extern const OpDef sub_def;
GRADLOOM_API extern const OpDef mul_def;
GRADLOOM_API extern const OpDef div_def;
GRADLOOM_API extern const OpDef neg_def;

/// a + b, a - b, a * b elementwise, with broadcasting and promotion (see docs/semantics.md); integers wrap around.
/// An optimised Program takes x + 0 and x - 0 as x, and 0 - x as -x: the sign of a zero may differ from IEEE 754's.
[[nodiscard]] GRADLOOM_API Tensor operator+(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor operator-(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor operator*(const Operand& a, const Operand& b);
/// a / b elementwise. Floats by IEEE 754; integers towards zero, and x / 0 is 0.
[[nodiscard]] GRADLOOM_API Tensor operator/(const Operand& a, const Operand& b);
/// -a elementwise.
[[nodiscard]] GRADLOOM_API Tensor operator-(const Operand& a);

}  // namespace gradloom::inline v0
