#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

/// Every derivative of y by x: [y's shape..., x's shape...], in x's dtype. One reverse sweep for each element of y, so
/// the graph grows with their number: for small y, whose shape must be known. Throws Error if it is not, and as
/// gradients().
[[nodiscard]] GRADLOOM_API Tensor jacobian(const Operand& y, const Tensor& x);

/// Every second derivative of a scalar y by x: [x's shape..., x's shape...]. One sweep for each element of x, whose
/// shape must be known; hvp() needs none of that. Throws Error if y is not a scalar, and as jacobian().
[[nodiscard]] GRADLOOM_API Tensor hessian(const Operand& y, const Tensor& x);

}  // namespace gradloom::inline v0
