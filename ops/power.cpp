// square, sqrt, rsqrt, reciprocal, pow. Correctly rounded, but rsqrt (two roundings, 1 ULP) and pow (0.51 ULP in
// float, 1.57 in double).
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct Square {
  static constexpr bool cheap = true;

  template <class V>
  V operator()(V x) const {
    if constexpr (std::is_integral_v<V>) {
      return wrapping(x, x, [](auto a, auto b) { return a * b; });
    } else {
      return x * x;
    }
  }
};
struct Sqrt {
  template <class B>
  B operator()(B x) const {
    return math::sqrt(x);
  }
};
struct Rsqrt {
  template <class B>
  B operator()(B x) const {
    return math::rsqrt(x);
  }
};
struct Reciprocal {
  template <class B>
  B operator()(B x) const {
    return math::reciprocal(x);
  }
};
struct Pow {
  static constexpr bool bulky = true;

  template <class B>
  B operator()(B x, B y) const {
    return math::pow(x, y);
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(square, Square, numbers)
GRADLOOM_POINTWISE(sqrt, Sqrt, floats)
GRADLOOM_POINTWISE(rsqrt, Rsqrt, floats)
GRADLOOM_POINTWISE(reciprocal, Reciprocal, floats)
GRADLOOM_POINTWISE(pow, Pow, floats)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/ops/where.hpp>

#include <cmath>

namespace gradloom::inline v0 {

namespace {

// d/dx = y x^(y - 1), d/dy = x^y log x. At x = 0 both would multiply 0 and inf: there the first takes the exponent 0 if
// y is 0, and the second takes log 1 = 0, its limit for y > 0. The operands are exchanged and not the results, since a
// result that `where` leaves out still sends nan through its own gradient.
Gradients pow_vjp(const Vjp& v) {
  const Tensor x = v.input(0), y = v.input(1);
  const Tensor x_is_zero = equal(x, 0);
  const Tensor exponent = where(logical_and(x_is_zero, equal(y, 0)), 0, y - 1);
  const Tensor base = where(x_is_zero, 1, x);
  return {v.cotangent() * (y * pow(x, exponent)), v.cotangent() * (v.output() * log(base))};
}

Tensor simplify_square(Graph&, const Node&, std::span<const Tensor> inputs) {
  const Tensor& x = inputs[0];
  return made_by(x, neg_def) || made_by(x, abs_def) ? square(input_of(x)) : Tensor();
}

// Exact, but for the powers 2 and 3, which are nearer to the truth than pow (0.5 and 1 ULP). Not x^0.5: the square root
// of -inf is nan, its power 0.5 is inf.
Tensor simplify_pow(Graph& graph, const Node& node, std::span<const Tensor> inputs) {
  const Tensor &x = inputs[0], &y = inputs[1];
  if (is_uniform(y, 0)) return full(graph, x.shape(), 1, node.outputs[0].dtype);
  if (is_uniform(y, 1)) return x;
  if (is_uniform(y, -1)) return reciprocal(x);
  if (is_uniform(y, 2)) return square(x);
  if (is_uniform(y, 3)) return x * square(x);
  return {};
}

// sqrt(x^2) = |x|, where x^2 may overflow.
Tensor stabilize_sqrt(Graph&, const Node&, std::span<const Tensor> inputs) {
  const Tensor& x = inputs[0];
  if (made_by(x, square_def)) return abs(input_of(x));
  return made_by(x, mul_def) && equal_values(input_of(x, 0), input_of(x, 1)) ? abs(input_of(x)) : Tensor();
}

Tensor stabilize_reciprocal(Graph&, const Node&, std::span<const Tensor> inputs) {
  const Tensor rest = one_plus(inputs[0]);
  return rest.valid() && made_by(rest, exp_def) ? sigmoid(negated(input_of(rest))) : Tensor();
}

}  // namespace

const OpDef square_def{.name = "square",
                       .inputs = {"x"},
                       .rule = "square needs a tensor of numbers",
                       .shape = pointwise_shape,
                       .vjp = [](const Vjp& v) -> Gradients { return {2 * v.cotangent() * v.input(0)}; },
                       .pointwise = &square_table,
                       .reference = [](const double* x) { return x[0] * x[0]; },
                       .simplify = simplify_square,
                       .samples =
                           [] {
                             return pointwise_samples(1, {{-3, 3}});
                           }};

// The derivative at 0 is inf.
const OpDef sqrt_def{.name = "sqrt",
                     .inputs = {"x"},
                     .rule = "sqrt needs a tensor of floats",
                     .shape = pointwise_shape,
                     .vjp = [](const Vjp& v) -> Gradients { return {0.5 * v.cotangent() / v.output()}; },
                     .pointwise = &sqrt_table,
                     .reference = [](const double* x) { return std::sqrt(x[0]); },
                     .stabilize = stabilize_sqrt,
                     .samples =
                         [] {
                           return pointwise_samples(1, {{0.5, 3}, {-1, 1e6, false}});
                         }};

const OpDef rsqrt_def{
    .name = "rsqrt",
    .inputs = {"x"},
    .rule = "rsqrt needs a tensor of floats",
    .shape = pointwise_shape,
    .vjp = [](const Vjp& v) -> Gradients { return {-0.5 * v.cotangent() * v.output() * square(v.output())}; },
    .pointwise = &rsqrt_table,
    .reference = [](const double* x) { return 1 / std::sqrt(x[0]); },
    .ulps = 1.5,
    .samples =
        [] {
          return pointwise_samples(1, {{0.5, 3}, {-1, 1e6, false}});
        }};

const OpDef reciprocal_def{.name = "reciprocal",
                           .inputs = {"x"},
                           .rule = "reciprocal needs a tensor of floats",
                           .shape = pointwise_shape,
                           .vjp = [](const Vjp& v) -> Gradients { return {-(v.cotangent() * square(v.output()))}; },
                           .pointwise = &reciprocal_table,
                           .reference = [](const double* x) { return 1 / x[0]; },
                           .stabilize = stabilize_reciprocal,
                           .samples =
                               [] {
                                 return pointwise_samples(1, {{0.5, 3}, {-3, -0.5}, {-1, 1, false}});
                               }};

const OpDef pow_def{.name = "pow",
                    .inputs = {"x", "y"},
                    .rule = "pow needs two tensors of floats, of one shape",
                    .shape = pointwise_shape,
                    .vjp = pow_vjp,
                    .pointwise = &pow_table,
                    .reference = [](const double* x) { return std::pow(x[0], x[1]); },
                    .ulps = 2,
                    .simplify = simplify_pow,
                    .samples =
                        [] {
                          return pointwise_samples(2, {{0.5, 3}, {-3, 3, false}});
                        }};

Tensor square(const Operand& x) { return pointwise(square_def, {x}); }
Tensor sqrt(const Operand& x) { return pointwise_float(sqrt_def, {x}); }
Tensor rsqrt(const Operand& x) { return pointwise_float(rsqrt_def, {x}); }
Tensor reciprocal(const Operand& x) { return pointwise_float(reciprocal_def, {x}); }
Tensor pow(const Operand& x, const Operand& y) { return pointwise_float(pow_def, {x, y}); }

}  // namespace gradloom::inline v0

#endif
