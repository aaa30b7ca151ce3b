// relu(x) = max(0, x): exact. The derivative at 0 is an attribute.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct Relu {
  static constexpr bool cheap = true;

  template <class V>
  V operator()(V x) const {
    if constexpr (std::is_integral_v<V>) {
      return x > 0 ? x : V{0};
    } else {
      // In this order: the instruction returns its second operand if either is nan, and for equal zeros.
      return xsimd::max(V(0), x);
    }
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(relu, Relu, numbers)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  const int64_t at_zero = context.attributes().get<int64_t>("derivative_at_zero");
  if (at_zero != 0 && at_zero != 1) context.fail(fmt::format("the derivative at 0 cannot be {}", at_zero));
  return pointwise_shape(context);
}

Gradients vjp(const Vjp& v) {
  // Without 0 the output tells as well as the input, which then need not be kept for the way back.
  const bool passes_zero = v.attributes().get<int64_t>("derivative_at_zero") == 1;
  return {where(passes_zero ? v.input(0) >= 0 : v.output() > 0, v.cotangent(), 0)};
}

Tensor simplify(Graph&, const Node&, std::span<const Tensor> inputs) {
  return made_by(inputs[0], relu_def) ? inputs[0] : Tensor();
}

std::vector<Sample> samples() {
  std::vector<Sample> samples = pointwise_samples(1, {{0.1, 3}, {-3, -0.1}, {-3, 3, false}});
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i].attributes.set("derivative_at_zero", static_cast<int64_t>(i % 2));
  }
  return samples;
}

}  // namespace

const OpDef relu_def{.name = "relu",
                     .inputs = {"x"},
                     .rule = "relu needs a tensor of numbers, and 0 or 1 as its derivative at 0",
                     .shape = shape,
                     .vjp = vjp,
                     .pointwise = &relu_table,
                     .reference = [](const double* x) { return x[0] < 0 ? 0 : x[0]; },
                     .simplify = simplify,
                     .samples = samples};

Tensor relu(const Operand& x, ReluOptions options) {
  return pointwise(relu_def, {x}, {{"derivative_at_zero", static_cast<int64_t>(options.derivative_at_zero)}});
}

}  // namespace gradloom::inline v0

#endif
