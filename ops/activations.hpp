#pragma once

#include <gradloom/graph/tensor.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

// Activations composed of other ops: elementwise on floats (integer and boolean Tensors become f32 first), with finite
// values and gradients at least for |x| <= 1e4, and much further where no other bound is stated.

/// x for x >= 0, else slope * x; the derivative at 0 is 1. Maas, Hannun & Ng 2013, Rectifier nonlinearities improve
/// neural network acoustic models.
[[nodiscard]] GRADLOOM_API Tensor leaky_relu(const Operand& x, double slope = 0.01);

/// x for x > 0, else alpha * (e^x - 1); the derivative at 0 is alpha. Clevert, Unterthiner & Hochreiter 2015, Fast and
/// accurate deep network learning by exponential linear units.
[[nodiscard]] GRADLOOM_API Tensor elu(const Operand& x, double alpha = 1);

/// 1.0507... * elu(x, 1.6732...), which drives activations to mean 0 and variance 1. Klambauer et al. 2017,
/// Self-normalizing neural networks.
[[nodiscard]] GRADLOOM_API Tensor selu(const Operand& x);

enum class GeluForm : uint8_t {
  erf,   ///< x * (1 + erf(x / sqrt(2))) / 2, the definition
  tanh,  ///< x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2, its approximation; in f32 for |x| < 1e18
};
/// x times the probability that a normal variable is below x. Hendrycks & Gimpel 2016, Gaussian error linear units.
[[nodiscard]] GRADLOOM_API Tensor gelu(const Operand& x, GeluForm form = GeluForm::erf);

/// x * sigmoid(x). Elfwing, Uchibe & Doya 2017, Sigmoid-weighted linear units; also called swish.
[[nodiscard]] GRADLOOM_API Tensor silu(const Operand& x);

/// x * tanh(softplus(x)). Misra 2019, Mish: a self regularized non-monotonic activation function.
[[nodiscard]] GRADLOOM_API Tensor mish(const Operand& x);

/// x / 6 + 1 / 2 held within [0, 1]; the derivative at both kinks is 1 / 6. Howard et al. 2019, Searching for
/// MobileNetV3, 5.2.
[[nodiscard]] GRADLOOM_API Tensor hardsigmoid(const Operand& x);

/// x * hardsigmoid(x). Howard et al. 2019, 5.2.
[[nodiscard]] GRADLOOM_API Tensor hardswish(const Operand& x);

/// x / (1 + |x|). Bergstra et al. 2009, Quadratic polynomials learn better image features.
[[nodiscard]] GRADLOOM_API Tensor softsign(const Operand& x);

}  // namespace gradloom::inline v0
