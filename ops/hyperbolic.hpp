#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef sinh_def;
GRADLOOM_API extern const OpDef cosh_def;
GRADLOOM_API extern const OpDef tanh_def;

// Elementwise on floats; integer and boolean Tensors become f32 first.

/// (e^x - e^-x) / 2, within 2.5 ULP near 0 too.
[[nodiscard]] GRADLOOM_API Tensor sinh(const Operand& x);
/// (e^x + e^-x) / 2, within 2 ULP.
[[nodiscard]] GRADLOOM_API Tensor cosh(const Operand& x);
/// sinh(x) / cosh(x), within 2 ULP.
[[nodiscard]] GRADLOOM_API Tensor tanh(const Operand& x);

}  // namespace gradloom::inline v0
