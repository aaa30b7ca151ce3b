#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef sigmoid_def;
GRADLOOM_API extern const OpDef softplus_def;

// Elementwise on floats; integer and boolean Tensors become f32 first.

/// 1 / (1 + e^-x), within 2 ULP; neither end overflows.
[[nodiscard]] GRADLOOM_API Tensor sigmoid(const Operand& x);
/// log(1 + e^x), within 2.5 ULP; neither end overflows: x for large x, e^x for small.
[[nodiscard]] GRADLOOM_API Tensor softplus(const Operand& x);

}  // namespace gradloom::inline v0
