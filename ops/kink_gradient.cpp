// Choices between a gradient and 0. Exact.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct IfGreater {
  static constexpr bool cheap = true;

  template <class B>
  B operator()(B g, B a, B b) const {
    return xsimd::select(a > b, g, B(0));
  }
};
struct IfGreaterEqual {
  static constexpr bool cheap = true;

  template <class B>
  B operator()(B g, B a, B b) const {
    return xsimd::select(a >= b, g, B(0));
  }
};
struct IfLarger {
  static constexpr bool cheap = true;

  template <class B>
  B operator()(B g, B a, B b) const {
    using T = typename B::value_type;
    return xsimd::select(a > b, g, xsimd::select(a == b, B(T(0.5)) * g, B(0)));
  }
};
struct WithSign {
  static constexpr bool cheap = true;

  template <class B>
  B operator()(B g, B x) const {
    return g * math::sign(x);
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(if_greater, IfGreater, floats)
GRADLOOM_POINTWISE(if_greater_equal, IfGreaterEqual, floats)
GRADLOOM_POINTWISE(if_larger, IfLarger, floats)
GRADLOOM_POINTWISE(with_sign, WithSign, floats)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/kink_gradient_internal.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/where.hpp>

namespace gradloom::inline v0 {

namespace {

// They are steps in a and b.
Gradients same_choice(const OpDef& op, const Vjp& v) {
  return {pointwise(op, {v.cotangent(), v.input(1), v.input(2)}), Gradient::none(), Gradient::none()};
}

/// Is x = where(a == b, 0.5 g, 0)?
bool is_half_where_equal(const Tensor& x, const Tensor& g, const Tensor& a, const Tensor& b) {
  if (!made_by(x, where_def) || !is_uniform(input_of(x, 2), 0)) return false;
  const Tensor ties = input_of(x), half = input_of(x, 1);
  const auto are = [](const Tensor& made, const auto& first, const auto& second) {
    return (first(input_of(made)) && second(input_of(made, 1))) || (first(input_of(made, 1)) && second(input_of(made)));
  };
  const auto is = [](const Tensor& y) { return [&y](const Tensor& z) { return equal_values(y, z); }; };
  return made_by(ties, equal_def) && are(ties, is(a), is(b)) && made_by(half, mul_def) &&
         are(half, is(g), [](const Tensor& z) { return is_uniform(z, 0.5); });
}

std::vector<Sample> choice_samples() { return pointwise_samples(3, {{-3, 3, false}}); }

}  // namespace

const OpDef if_greater_def{.name = "if_greater",
                           .inputs = {"g", "a", "b"},
                           .rule = "if_greater needs three tensors of floats, of one shape",
                           .shape = pointwise_shape,
                           .vjp = [](const Vjp& v) { return same_choice(if_greater_def, v); },
                           .pointwise = &if_greater_table,
                           .reference = [](const double* x) { return x[1] > x[2] ? x[0] : 0; },
                           .samples = choice_samples};

const OpDef if_greater_equal_def{.name = "if_greater_equal",
                                 .inputs = {"g", "a", "b"},
                                 .rule = "if_greater_equal needs three tensors of floats, of one shape",
                                 .shape = pointwise_shape,
                                 .vjp = [](const Vjp& v) { return same_choice(if_greater_equal_def, v); },
                                 .pointwise = &if_greater_equal_table,
                                 .reference = [](const double* x) { return x[1] >= x[2] ? x[0] : 0; },
                                 .samples = choice_samples};

const OpDef if_larger_def{
    .name = "if_larger",
    .inputs = {"g", "a", "b"},
    .rule = "if_larger needs three tensors of floats, of one shape",
    .shape = pointwise_shape,
    .vjp = [](const Vjp& v) { return same_choice(if_larger_def, v); },
    .pointwise = &if_larger_table,
    .reference = [](const double* x) { return x[1] > x[2]    ? x[0]
                                              : x[1] == x[2] ? 0.5 * x[0]
                                                             : 0; },
    .samples = choice_samples};

const OpDef with_sign_def{.name = "with_sign",
                          .inputs = {"g", "x"},
                          .rule = "with_sign needs two tensors of floats, of one shape",
                          .shape = pointwise_shape,
                          .vjp = [](const Vjp& v) -> Gradients {
                            return {pointwise(with_sign_def, {v.cotangent(), v.input(1)}), Gradient::none()};
                          },
                          .pointwise = &with_sign_table,
                          .reference = [](const double* x) { return x[0] * (x[1] > 0   ? 1
                                                                            : x[1] < 0 ? -1
                                                                                       : x[1]); },
                          .samples =
                              [] {
                                return pointwise_samples(2, {{-3, 3, false}});
                              }};

Tensor simplify_kink(const Tensor& condition, const Tensor& g, const Tensor& otherwise) {
  const bool less = made_by(condition, less_def) || made_by(condition, less_equal_def);
  const bool strict = made_by(condition, greater_def) || made_by(condition, less_def);
  if (!strict && !less && !made_by(condition, greater_equal_def)) return {};
  const Tensor a = input_of(condition, less ? 1 : 0), b = input_of(condition, less ? 0 : 1);
  if (!is_float(g.dtype()) || a.dtype() != g.dtype()) return {};
  if (is_uniform(otherwise, 0)) return pointwise(strict ? if_greater_def : if_greater_equal_def, {g, a, b});
  return strict && is_half_where_equal(otherwise, g, a, b) ? pointwise(if_larger_def, {g, a, b}) : Tensor();
}

}  // namespace gradloom::inline v0

#endif
