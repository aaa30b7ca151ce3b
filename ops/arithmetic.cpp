// add, sub, mul, div, neg: exact to the rounding of IEEE 754 (0.5 ULP). Integers wrap around; integer division
// truncates, and by zero gives 0.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct Add {
  static constexpr bool cheap = true;

  template <class V>
  V operator()(V a, V b) const {
    if constexpr (std::is_integral_v<V>)
      return wrapping(a, b, [](auto x, auto y) { return x + y; });
    else
      return a + b;
  }
};
struct Sub {
  static constexpr bool cheap = true;

  template <class V>
  V operator()(V a, V b) const {
    if constexpr (std::is_integral_v<V>)
      return wrapping(a, b, [](auto x, auto y) { return x - y; });
    else
      return a - b;
  }
};
struct Mul {
  static constexpr bool cheap = true;

  template <class V>
  V operator()(V a, V b) const {
    if constexpr (std::is_integral_v<V>)
      return wrapping(a, b, [](auto x, auto y) { return x * y; });
    else
      return a * b;
  }
};
struct Div {
  template <class V>
  V operator()(V a, V b) const {
    if constexpr (std::is_integral_v<V>) {
      if (b == 0) return 0;
      if constexpr (std::is_signed_v<V>) {
        if (b == -1)
          return wrapping(V{0}, a, [](auto x, auto y) { return x - y; });  // the lowest value has no negative
      }
      return static_cast<V>(a / b);
    } else {
      return a / b;
    }
  }
};
struct Neg {
  static constexpr bool cheap = true;

  template <class V>
  V operator()(V a) const {
    if constexpr (std::is_integral_v<V>)
      return wrapping(V{0}, a, [](auto x, auto y) { return x - y; });
    else
      return a ^ V(-0.0);  // xsimd 8.1 has 0 - a on AVX-512, which makes 0 of 0
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(add, Add, numbers)
GRADLOOM_POINTWISE(sub, Sub, numbers)
GRADLOOM_POINTWISE(mul, Mul, numbers)
GRADLOOM_POINTWISE(div, Div, numbers)
GRADLOOM_POINTWISE(neg, Neg, signed_numbers)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/kink_gradient_internal.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/ranges_internal.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/ops/stable_product_internal.hpp>

#include <cmath>
#include <cstdlib>

namespace gradloom::inline v0 {

namespace {

// Rewrites are exact, but for two: x + 0 and x - 0 become x, which keeps the sign of a zero that IEEE 754 would lose
// (-0 + 0 is +0), and 0 - x becomes -x, which gives -0 for 0.

bool is_zero(const Tensor& x) { return is_uniform(x, 0) || is_uniform(x, -0.0); }

Tensor simplify_add(Graph&, const Node&, std::span<const Tensor> inputs) {
  const Tensor &a = inputs[0], &b = inputs[1];
  if (is_zero(a)) return b;
  if (is_zero(b)) return a;
  if (made_by(b, neg_def)) return a - input_of(b);
  if (made_by(a, neg_def)) return b - input_of(a);
  return sum_of_ranges(a, b);
}

Tensor simplify_sub(Graph&, const Node&, std::span<const Tensor> inputs) {
  const Tensor &a = inputs[0], &b = inputs[1];
  if (is_zero(b)) return a;
  if (is_zero(a) && a.dtype() != DType::u8) return -b;
  if (made_by(b, neg_def)) return a + input_of(b);
  return {};
}

/// A small one, whose reciprocal and whose product with a common number are normal in f32 too.
bool is_power_of_two(double x) {
  int exponent = 0;
  return std::fabs(std::frexp(x, &exponent)) == 0.5 && std::abs(exponent) <= 100;
}

Tensor simplify_mul(Graph&, const Node&, std::span<const Tensor> inputs) {
  const Tensor &a = inputs[0], &b = inputs[1];
  if (is_uniform(a, 1)) return b;
  if (is_uniform(b, 1)) return a;
  if (is_uniform(a, -1)) return -b;
  if (is_uniform(b, -1)) return -a;
  if (made_by(a, neg_def) && made_by(b, neg_def)) return input_of(a) * input_of(b);
  for (const int i : {0, 1}) {
    if (made_by(inputs[i], sign_def) && is_float(a.dtype()))
      return pointwise(with_sign_def, {inputs[1 - i], input_of(inputs[i])});
  }
  // (2^k x) broadcast(c) = x broadcast(2^k c), and likewise (c x) 2^k: a product of single numbers instead of one of
  // arrays. Exact, where nothing overflows.
  for (const int i : {0, 1}) {
    const Tensor &scaled = inputs[i], &factor = inputs[1 - i];
    if (!made_by(scaled, mul_def) || !made_by(factor, broadcast_def)) continue;
    for (const int j : {0, 1}) {
      const std::optional<double> scale = uniform_value(input_of(scaled, j));
      const std::optional<double> number = uniform_value(factor);
      if (!scale || !is_float(a.dtype())) continue;
      if (!is_power_of_two(*scale) && !(number && is_power_of_two(*number))) continue;
      if (uniform_value(input_of(scaled, 1 - j))) continue;  // constants fold
      return input_of(scaled, 1 - j) * broadcast(input_of(factor) * *scale, a.shape());
    }
  }
  return {};
}

/// Is d, broadcast, a sum of exponentials that were shifted by their maximum, over the same axes? Then it lies between
/// 1 and the number of terms.
bool is_shifted_sum(const Tensor& d) {
  if (!made_by(d, broadcast_def)) return false;
  Tensor total = input_of(d);
  while (total.node().op->properties.alias) total = input_of(total);
  if (!made_by(total, sum_def) || !made_by(input_of(total), exp_def)) return false;
  const Tensor exponent = input_of(input_of(total));
  if (!made_by(exponent, sub_def) || !is_shifted_by_maximum(exponent)) return false;
  Tensor shift = input_of(exponent, 1);
  while (!made_by(shift, max_def)) shift = input_of(shift);
  return shift.node().attributes.get<std::vector<int64_t>>("axes") ==
         total.node().attributes.get<std::vector<int64_t>>("axes");
}

Tensor simplify_div(Graph& graph, const Node& node, std::span<const Tensor> inputs) {
  const Tensor &a = inputs[0], &b = inputs[1];
  if (is_uniform(b, 1)) return a;
  if (is_uniform(b, -1)) return -a;
  if (!is_float(a.dtype())) return {};  // the lowest integer has no negative
  if (made_by(a, neg_def) && made_by(b, neg_def)) return input_of(a) / input_of(b);
  // One division for each softmax, not one for each element: the divisor is far from where its reciprocal would lose
  // digits or overflow, so the error is 1.5 ULP instead of 0.5.
  if (is_shifted_sum(b)) return a * broadcast(reciprocal(input_of(b)), b.shape());
  // The reciprocal of a power of two is exact, and a product several times faster.
  const std::optional<double> divisor = uniform_value(b);
  if (!divisor || !is_power_of_two(*divisor)) return {};
  return a * full(graph, b.shape(), 1 / *divisor, node.outputs[0].dtype);
}

Tensor simplify_neg(Graph&, const Node&, std::span<const Tensor> inputs) {
  return made_by(inputs[0], neg_def) ? input_of(inputs[0]) : Tensor();
}

// exp(x) - 1 -> expm1(x), which keeps its digits near 0.
Tensor stabilize_add(Graph&, const Node&, std::span<const Tensor> inputs) {
  for (const int i : {0, 1}) {
    if (is_uniform(inputs[1 - i], -1) && made_by(inputs[i], exp_def)) return expm1(input_of(inputs[i]));
  }
  return {};
}

Tensor stabilize_sub(Graph&, const Node&, std::span<const Tensor> inputs) {
  const bool is_expm1 = made_by(inputs[0], exp_def) && is_uniform(inputs[1], 1);
  return is_expm1 ? expm1(input_of(inputs[0])) : Tensor();
}

Tensor stabilize_mul(Graph&, const Node&, std::span<const Tensor> inputs) {
  return stable_product(inputs[0], inputs[1]);
}

// a / (1 + exp(z)) = a sigmoid(-z), and exp(z) / sum(exp(z)) = softmax(z).
Tensor stabilize_div(Graph&, const Node&, std::span<const Tensor> inputs) {
  const Tensor &a = inputs[0], &b = inputs[1];
  if (const Tensor rest = one_plus(b); rest.valid() && made_by(rest, exp_def)) {
    const Tensor s = sigmoid(negated(input_of(rest)));
    if (is_uniform(a, 1)) return s;
    const Tensor product = stable_product(a, s);
    return product.valid() ? product : a * s;
  }
  return made_by(a, exp_def) ? stable_softmax(input_of(a), b) : Tensor();
}

}  // namespace

const OpDef add_def{.name = "add",
                    .inputs = {"lhs", "rhs"},
                    .rule = "add needs two tensors of numbers, of one shape",
                    .shape = pointwise_shape,
                    .vjp = [](const Vjp& v) -> Gradients {
                      return {v.cotangent(), v.cotangent()};
                    },
                    .pointwise = &add_table,
                    .reference = [](const double* x) { return x[0] + x[1]; },
                    .properties = {.commutative = true},
                    .simplify = simplify_add,
                    .stabilize = stabilize_add,
                    .samples = [] { return pointwise_samples(2, -3, 3); }};

const OpDef sub_def{.name = "sub",
                    .inputs = {"lhs", "rhs"},
                    .rule = "sub needs two tensors of numbers, of one shape",
                    .shape = pointwise_shape,
                    .vjp = [](const Vjp& v) -> Gradients {
                      return {v.cotangent(), -v.cotangent()};
                    },
                    .pointwise = &sub_table,
                    .reference = [](const double* x) { return x[0] - x[1]; },
                    .simplify = simplify_sub,
                    .stabilize = stabilize_sub,
                    .samples = [] { return pointwise_samples(2, -3, 3); }};

const OpDef mul_def{.name = "mul",
                    .inputs = {"lhs", "rhs"},
                    .rule = "mul needs two tensors of numbers, of one shape",
                    .shape = pointwise_shape,
                    .vjp = [](const Vjp& v) -> Gradients {
                      return {v.cotangent() * v.input(1), v.cotangent() * v.input(0)};
                    },
                    .pointwise = &mul_table,
                    .reference = [](const double* x) { return x[0] * x[1]; },
                    .properties = {.commutative = true},
                    .simplify = simplify_mul,
                    .stabilize = stabilize_mul,
                    .samples = [] { return pointwise_samples(2, -3, 3); }};

// d(a/b)/db = -a/b^2 = -(a/b)/b, which needs no square that could overflow.
const OpDef div_def{.name = "div",
                    .inputs = {"lhs", "rhs"},
                    .rule = "div needs two tensors of numbers, of one shape",
                    .shape = pointwise_shape,
                    .vjp = [](const Vjp& v) -> Gradients {
                      return {v.cotangent() / v.input(1), -(v.cotangent() * v.output() / v.input(1))};
                    },
                    .pointwise = &div_table,
                    .reference = [](const double* x) { return x[0] / x[1]; },
                    .simplify = simplify_div,
                    .stabilize = stabilize_div,
                    .samples = [] { return pointwise_samples(2, 0.5, 3); }};

const OpDef neg_def{.name = "neg",
                    .inputs = {"x"},
                    .rule = "neg needs a tensor of signed numbers",
                    .shape = pointwise_shape,
                    .vjp = [](const Vjp& v) -> Gradients { return {-v.cotangent()}; },
                    .pointwise = &neg_table,
                    .reference = [](const double* x) { return -x[0]; },
                    .simplify = simplify_neg,
                    .samples = [] { return pointwise_samples(1, -3, 3); }};

Tensor operator+(const Operand& a, const Operand& b) { return pointwise(add_def, {a, b}); }
Tensor operator-(const Operand& a, const Operand& b) { return pointwise(sub_def, {a, b}); }
Tensor operator*(const Operand& a, const Operand& b) { return pointwise(mul_def, {a, b}); }
Tensor operator/(const Operand& a, const Operand& b) { return pointwise(div_def, {a, b}); }
Tensor operator-(const Operand& a) { return pointwise(neg_def, {a}); }

}  // namespace gradloom::inline v0

#endif
