#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/activations.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/erf.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/ops/where.hpp>

#include <numbers>

namespace gradloom::inline v0 {

Tensor leaky_relu(const Operand& x, double slope) {
  const SourceScope scope(x, "leaky_relu");
  const Tensor v = as_float(x);
  return where(v >= 0, v, slope * v);
}

// The exponential sees no positive x: where it overflowed, its gradient, 0 * inf, would be nan.
Tensor elu(const Operand& x, double alpha) {
  const SourceScope scope(x, "elu");
  const Tensor v = as_float(x);
  const Tensor positive = v > 0;
  return where(positive, v, alpha * expm1(where(positive, 0, v)));
}

Tensor selu(const Operand& x) {
  const SourceScope scope(x, "selu");
  return 1.0507009873554804934193349852946 * elu(as_float(x), 1.6732632423543772848170429916717);
}

Tensor gelu(const Operand& x, GeluForm form) {
  const SourceScope scope(x, "gelu");
  const Tensor v = as_float(x);
  if (form == GeluForm::erf) return 0.5 * v * (1 + erf(v * (std::numbers::sqrt2 / 2)));
  const double sqrt_2_by_pi = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  return 0.5 * v * (1 + tanh(sqrt_2_by_pi * v * (1 + 0.044715 * v * v)));
}

Tensor silu(const Operand& x) {
  const SourceScope scope(x, "silu");
  const Tensor v = as_float(x);
  return v * sigmoid(v);
}

Tensor mish(const Operand& x) {
  const SourceScope scope(x, "mish");
  const Tensor v = as_float(x);
  return v * tanh(softplus(v));
}

Tensor hardsigmoid(const Operand& x) {
  const SourceScope scope(x, "hardsigmoid");
  return clamp((as_float(x) + 3) / 6, 0, 1);
}

Tensor hardswish(const Operand& x) {
  const SourceScope scope(x, "hardswish");
  const Tensor v = as_float(x);
  return v * hardsigmoid(v);
}

Tensor softsign(const Operand& x) {
  const SourceScope scope(x, "softsign");
  const Tensor v = as_float(x);
  return v / (1 + abs(v));
}

}  // namespace gradloom::inline v0
