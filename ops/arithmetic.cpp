// add, sub, mul, div, neg: exact to the rounding of IEEE 754 (0.5 ULP). Integers wrap around; integer division truncates,
// and by zero gives 0.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct Add {
  template <class V>
  V operator()(V a, V b) const {
    if constexpr (std::is_integral_v<V>) return wrapping(a, b, [](auto x, auto y) { return x + y; });
    else return a + b;
  }
};
struct Sub {
  template <class V>
  V operator()(V a, V b) const {
    if constexpr (std::is_integral_v<V>) return wrapping(a, b, [](auto x, auto y) { return x - y; });
    else return a - b;
  }
};
struct Mul {
  template <class V>
  V operator()(V a, V b) const {
    if constexpr (std::is_integral_v<V>) return wrapping(a, b, [](auto x, auto y) { return x * y; });
    else return a * b;
  }
};
struct Div {
  template <class V>
  V operator()(V a, V b) const {
    if constexpr (std::is_integral_v<V>) {
      if (b == 0) return 0;
      if constexpr (std::is_signed_v<V>) {
        if (b == -1) return wrapping(V{0}, a, [](auto x, auto y) { return x - y; });  // the lowest value has no negative
      }
      return static_cast<V>(a / b);
    } else {
      return a / b;
    }
  }
};
struct Neg {
  template <class V>
  V operator()(V a) const {
    if constexpr (std::is_integral_v<V>) return wrapping(V{0}, a, [](auto x, auto y) { return x - y; });
    else return a ^ V(-0.0);  // xsimd 8.1 has 0 - a on AVX-512, which makes 0 of 0
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
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/pointwise.hpp>

namespace gradloom::inline v0 {

const OpDef add_def{.name = "add",
                    .inputs = {"lhs", "rhs"},
                    .rule = "add needs two tensors of numbers, of one shape",
                    .shape = pointwise_shape,
                    .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent(), v.cotangent()}; },
                    .pointwise = &add_table,
                    .reference = [](const double* x) { return x[0] + x[1]; },
                    .properties = {.commutative = true},
                    .samples = [] { return pointwise_samples(2, -3, 3); }};

const OpDef sub_def{.name = "sub",
                    .inputs = {"lhs", "rhs"},
                    .rule = "sub needs two tensors of numbers, of one shape",
                    .shape = pointwise_shape,
                    .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent(), -v.cotangent()}; },
                    .pointwise = &sub_table,
                    .reference = [](const double* x) { return x[0] - x[1]; },
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
                    .samples = [] { return pointwise_samples(2, 0.5, 3); }};

const OpDef neg_def{.name = "neg",
                    .inputs = {"x"},
                    .rule = "neg needs a tensor of signed numbers",
                    .shape = pointwise_shape,
                    .vjp = [](const Vjp& v) -> Gradients { return {-v.cotangent()}; },
                    .pointwise = &neg_table,
                    .reference = [](const double* x) { return -x[0]; },
                    .samples = [] { return pointwise_samples(1, -3, 3); }};

Tensor operator+(const Operand& a, const Operand& b) { return pointwise(add_def, {a, b}); }
Tensor operator-(const Operand& a, const Operand& b) { return pointwise(sub_def, {a, b}); }
Tensor operator*(const Operand& a, const Operand& b) { return pointwise(mul_def, {a, b}); }
Tensor operator/(const Operand& a, const Operand& b) { return pointwise(div_def, {a, b}); }
Tensor operator-(const Operand& a) { return pointwise(neg_def, {a}); }

}  // namespace gradloom::inline v0

#endif
