#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef exp_def;
GRADLOOM_API extern const OpDef expm1_def;
GRADLOOM_API extern const OpDef log_def;
GRADLOOM_API extern const OpDef log1p_def;

// Elementwise on floats; integer and boolean Tensors become f32 first.

/// e^x, within 2 ULP.
[[nodiscard]] GRADLOOM_API Tensor exp(const Operand& x);
/// e^x - 1, within 2.5 ULP near 0 too, where exp(x) - 1 cancels.
[[nodiscard]] GRADLOOM_API Tensor expm1(const Operand& x);
/// The natural logarithm, within 2 ULP: -inf at 0, nan below.
[[nodiscard]] GRADLOOM_API Tensor log(const Operand& x);
/// log(1 + x), within 2 ULP near 0 too: -inf at -1, nan below.
[[nodiscard]] GRADLOOM_API Tensor log1p(const Operand& x);

}  // namespace gradloom::inline v0
