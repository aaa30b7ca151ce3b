#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

/// Attribute "derivative_at_zero": 0 or 1.
GRADLOOM_API extern const OpDef relu_def;

struct ReluOptions {
  int derivative_at_zero = 1;  ///< the slope that gradients take at the kink: 1, or 0 as in PyTorch
};

/// max(0, x) elementwise on numbers, exact; nan stays nan. Throws Error if the derivative at 0 is neither 0 nor 1.
[[nodiscard]] GRADLOOM_API Tensor relu(const Operand& x, ReluOptions options = {});

}  // namespace gradloom::inline v0
