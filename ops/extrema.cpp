// maximum, minimum, clamp: exact. nan propagates, and 0 is larger than -0, so that operands can be swapped.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct Maximum {
  static constexpr bool cheap = true;

  template <class V>
  V operator()(V a, V b) const {
    if constexpr (std::is_integral_v<V>) {
      return a > b ? a : b;
    } else {
      return math::maximum(a, b);
    }
  }
};
struct Minimum {
  static constexpr bool cheap = true;

  template <class V>
  V operator()(V a, V b) const {
    if constexpr (std::is_integral_v<V>) {
      return a < b ? a : b;
    } else {
      return math::minimum(a, b);
    }
  }
};
struct AtLeast {
  static constexpr bool cheap = true;

  template <class V>
  V operator()(V x, V low) const {
    if constexpr (std::is_integral_v<V>) {
      return x < low ? low : x;
    } else {
      return xsimd::max(low, x);  // the instruction returns its second operand if either is nan, and for equal zeros
    }
  }
};
struct AtMost {
  static constexpr bool cheap = true;

  template <class V>
  V operator()(V x, V high) const {
    if constexpr (std::is_integral_v<V>) {
      return x > high ? high : x;
    } else {
      return xsimd::min(high, x);
    }
  }
};
struct Clamp {
  template <class V>
  V operator()(V x, V low, V high) const {
    return Minimum{}(Maximum{}(x, low), high);
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(maximum, Maximum, numbers)
GRADLOOM_POINTWISE(minimum, Minimum, numbers)
GRADLOOM_POINTWISE(at_least, AtLeast, numbers)
GRADLOOM_POINTWISE(at_most, AtMost, numbers)
GRADLOOM_POINTWISE(clamp, Clamp, numbers)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/where.hpp>

#include <cmath>
#include <optional>

namespace gradloom::inline v0 {

namespace {

double larger(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return a + b;
  return a > b || (a == b && !std::signbit(a)) ? a : b;
}
double smaller(double a, double b) { return -larger(-a, -b); }

// Half to each where they tie, so that maximum(x, x) has the derivative 1 and the operands can be swapped.
Gradients shared(const Vjp& v, const Tensor& first_wins, const Tensor& second_wins) {
  const Tensor half = where(equal(v.input(0), v.input(1)), 0.5 * v.cotangent(), 0);
  return {where(first_wins, v.cotangent(), half), where(second_wins, v.cotangent(), half)};
}

// low > high gives high, whatever x is.
Gradients clamp_vjp(const Vjp& v) {
  const Tensor x = v.input(0), low = v.input(1), high = v.input(2);
  const Tensor inside = logical_and(x >= low, x <= high);
  const Tensor above = maximum(x, low) > high;
  const Tensor below = logical_and(x < low, low <= high);
  return {where(inside, v.cotangent(), 0), where(below, v.cotangent(), 0), where(above, v.cotangent(), 0)};
}

/// A number beside which nan and the sign of zero take no care: one instruction does it.
bool is_ordinary(const Tensor& x) {
  const std::optional<double> value = uniform_value(x);
  return value && !std::isnan(*value) && *value != 0;
}

/// For maximum and minimum, which `beside` is for ordinary numbers.
Tensor simplify_extremum(const OpDef& beside, std::span<const Tensor> inputs) {
  if (equal_values(inputs[0], inputs[1])) return inputs[0];
  for (const int i : {0, 1}) {
    if (is_ordinary(inputs[i])) return pointwise(beside, {inputs[1 - i], inputs[i]});
  }
  return {};
}

Tensor simplify_clamp(Graph&, const Node&, std::span<const Tensor> inputs) {
  if (!is_ordinary(inputs[1]) || !is_ordinary(inputs[2])) return {};
  return pointwise(at_most_def, {pointwise(at_least_def, {inputs[0], inputs[1]}), inputs[2]});
}

std::vector<Sample> clamp_samples() {
  return {{.inputs = {{{7}, -3, 3}, {{7}, -2, -0.5}, {{7}, 0.5, 2}}},
          {.inputs = {{{3, 5}, -3, 3}, {{3, 5}, -2, -0.5}, {{3, 5}, 0.5, 2}}},
          {.inputs = {{{7}, -3, 3}, {{7}, -3, 3}, {{7}, -3, 3}}, .differentiable = false}};
}

}  // namespace

const OpDef maximum_def{
    .name = "maximum",
    .inputs = {"lhs", "rhs"},
    .rule = "maximum needs two tensors of numbers, of one shape",
    .shape = pointwise_shape,
    .vjp = [](const Vjp& v) -> Gradients { return shared(v, v.input(0) > v.input(1), v.input(0) < v.input(1)); },
    .pointwise = &maximum_table,
    .reference = [](const double* x) { return larger(x[0], x[1]); },
    .properties = {.commutative = true},
    .simplify = [](Graph&, const Node&,
                   std::span<const Tensor> inputs) { return simplify_extremum(at_least_def, inputs); },
    .samples = [] { return pointwise_samples(2, -3, 3); }};

const OpDef minimum_def{
    .name = "minimum",
    .inputs = {"lhs", "rhs"},
    .rule = "minimum needs two tensors of numbers, of one shape",
    .shape = pointwise_shape,
    .vjp = [](const Vjp& v) -> Gradients { return shared(v, v.input(0) < v.input(1), v.input(0) > v.input(1)); },
    .pointwise = &minimum_table,
    .reference = [](const double* x) { return smaller(x[0], x[1]); },
    .properties = {.commutative = true},
    .simplify = [](Graph&, const Node&,
                   std::span<const Tensor> inputs) { return simplify_extremum(at_most_def, inputs); },
    .samples = [] { return pointwise_samples(2, -3, 3); }};

const OpDef at_least_def{.name = "at_least",
                         .inputs = {"x", "low"},
                         .rule = "at_least needs two tensors of numbers, of one shape",
                         .shape = pointwise_shape,
                         .vjp = [](const Vjp& v) -> Gradients {
                           const Tensor below = v.input(0) < v.input(1);
                           return {where(below, 0, v.cotangent()), where(below, v.cotangent(), 0)};
                         },
                         .pointwise = &at_least_table,
                         .reference = [](const double* x) { return x[0] < x[1] ? x[1] : x[0]; },
                         .samples = [] { return pointwise_samples(2, -3, 3); }};

const OpDef at_most_def{.name = "at_most",
                        .inputs = {"x", "high"},
                        .rule = "at_most needs two tensors of numbers, of one shape",
                        .shape = pointwise_shape,
                        .vjp = [](const Vjp& v) -> Gradients {
                          const Tensor above = v.input(0) > v.input(1);
                          return {where(above, 0, v.cotangent()), where(above, v.cotangent(), 0)};
                        },
                        .pointwise = &at_most_table,
                        .reference = [](const double* x) { return x[0] > x[1] ? x[1] : x[0]; },
                        .samples = [] { return pointwise_samples(2, -3, 3); }};

const OpDef clamp_def{.name = "clamp",
                      .inputs = {"x", "low", "high"},
                      .rule = "clamp needs three tensors of numbers, of one shape",
                      .shape = pointwise_shape,
                      .vjp = clamp_vjp,
                      .pointwise = &clamp_table,
                      .reference = [](const double* x) { return smaller(larger(x[0], x[1]), x[2]); },
                      .simplify = simplify_clamp,
                      .samples = clamp_samples};

Tensor maximum(const Operand& a, const Operand& b) { return pointwise(maximum_def, {a, b}); }
Tensor minimum(const Operand& a, const Operand& b) { return pointwise(minimum_def, {a, b}); }
Tensor clamp(const Operand& x, const Operand& low, const Operand& high) { return pointwise(clamp_def, {x, low, high}); }

}  // namespace gradloom::inline v0

#endif
