// abs, sign: exact.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

// The lowest integer has no positive twin and stays.
struct Abs {
  static constexpr bool cheap = true;

  template <class V>
  V operator()(V x) const {
    if constexpr (std::is_signed_v<V> && std::is_integral_v<V>) {
      return x < 0 ? wrapping(V{0}, x, [](auto a, auto b) { return a - b; }) : x;
    } else if constexpr (std::is_integral_v<V>) {
      return x;
    } else {
      return math::abs(x);
    }
  }
};
struct Sign {
  static constexpr bool cheap = true;

  template <class V>
  V operator()(V x) const {
    if constexpr (std::is_integral_v<V>) {
      return static_cast<V>((x > 0) - (x < 0));
    } else {
      return math::sign(x);
    }
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(abs, Abs, numbers)
GRADLOOM_POINTWISE(sign, Sign, numbers)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/sign.hpp>

#include <cmath>

namespace gradloom::inline v0 {

namespace {

Tensor simplify_abs(Graph&, const Node&, std::span<const Tensor> inputs) {
  const Tensor& x = inputs[0];
  if (made_by(x, abs_def)) return x;
  return made_by(x, neg_def) ? abs(input_of(x)) : Tensor();
}

}  // namespace

const OpDef abs_def{.name = "abs",
                    .inputs = {"x"},
                    .rule = "abs needs a tensor of numbers",
                    .shape = pointwise_shape,
                    .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() * sign(v.input(0))}; },
                    .pointwise = &abs_table,
                    .reference = [](const double* x) { return std::fabs(x[0]); },
                    .simplify = simplify_abs,
                    .samples =
                        [] {
                          return pointwise_samples(1, {{0.1, 3}, {-3, -0.1}, {-2, 2, false}});
                        }};

// A step: the derivative is 0 wherever there is one.
const OpDef sign_def{.name = "sign",
                     .inputs = {"x"},
                     .rule = "sign needs a tensor of numbers",
                     .shape = pointwise_shape,
                     .vjp = [](const Vjp&) -> Gradients { return {Gradient::none()}; },
                     .pointwise = &sign_table,
                     .reference = [](const double* x) { return x[0] > 0   ? 1
                                                               : x[0] < 0 ? -1
                                                                          : x[0]; },
                     .samples =
                         [] {
                           return pointwise_samples(1, {{-3, 3, false}});
                         }};

Tensor abs(const Operand& x) { return pointwise(abs_def, {x}); }
Tensor sign(const Operand& x) { return pointwise(sign_def, {x}); }

}  // namespace gradloom::inline v0

#endif
