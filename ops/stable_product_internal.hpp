// Products that overflow or become 0 * inf although their value is tame. They are what gradients of naive formulas look
// like: the gradient of log(1 + exp(x)) is (g / (1 + exp(x))) * exp(x), inf / inf for a large x.
#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

/// a * b in a form in which the factors that would overflow have met and cancelled, or an empty Tensor if there are
/// none:
///   (g / exp(z)) * exp(z)        -> g               (also for sigmoid(z), 1 - sigmoid(z), exp(z) / s)
///   (g * sigmoid(-z)) * exp(z)   -> g * sigmoid(z)
///   (g / sum(exp(z))) * exp(z)   -> g * softmax(z)
///   (g * (1 - tanh(softplus(z))^2)) * sigmoid(z)  -> g * its derivative, from one exponential
/// where g / ... may stand deep inside products, quotients, negations and sums.
[[nodiscard]] Tensor stable_product(const Tensor& a, const Tensor& b);

/// exp(z) / d as a softmax, if d is the sum of exp(z) over some axes (broadcast to z's shape) and z is not shifted by
/// its maximum already; else an empty Tensor.
[[nodiscard]] Tensor stable_softmax(const Tensor& z, const Tensor& d);

/// Is z = x - max(x), of which exp cannot overflow?
[[nodiscard]] bool is_shifted_by_maximum(const Tensor& z);

}  // namespace gradloom::inline v0
