#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef square_def;
GRADLOOM_API extern const OpDef sqrt_def;
GRADLOOM_API extern const OpDef rsqrt_def;
GRADLOOM_API extern const OpDef reciprocal_def;
GRADLOOM_API extern const OpDef pow_def;

// Elementwise. All but square are on floats: integer and boolean Tensors become f32 first.

/// x * x on numbers; integers wrap around.
[[nodiscard]] GRADLOOM_API Tensor square(const Operand& x);
/// The square root, correctly rounded; nan below 0. The derivative at 0 is inf.
[[nodiscard]] GRADLOOM_API Tensor sqrt(const Operand& x);
/// 1 / sqrt(x), within 1.5 ULP: inf at 0, nan below.
[[nodiscard]] GRADLOOM_API Tensor rsqrt(const Operand& x);
/// 1 / x, correctly rounded.
[[nodiscard]] GRADLOOM_API Tensor reciprocal(const Operand& x);
/// x^y with broadcasting, within 2 ULP; the special cases are those of C (IEEE 754): x^0 and 1^y are 1 for nan too, a
/// negative x gives nan unless y is an integer. The gradient is finite at x = 0 wherever the limit is: pow(x, 2) has
/// the derivative 0 there, and the derivative by y is 0 for y >= 0.
[[nodiscard]] GRADLOOM_API Tensor pow(const Operand& x, const Operand& y);

}  // namespace gradloom::inline v0
