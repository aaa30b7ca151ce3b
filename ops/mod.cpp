// mod(a, b) = a - b floor(a / b), the remainder with the sign of b. Correctly rounded.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct Mod {
  template <class V>
  V operator()(V a, V b) const {
    if constexpr (std::is_integral_v<V>) {
      if (b == 0) return 0;
      if constexpr (std::is_signed_v<V>) {
        if (b == -1) return 0;  // the processor divides, and the lowest value / -1 does not fit
      }
      const V r = static_cast<V>(a % b);
      return r != 0 && (r < 0) != (b < 0) ? static_cast<V>(r + b) : r;
    } else {
      return math::mod(a, b);
    }
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(mod, Mod, numbers)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/mod.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/rounding.hpp>

#include <cmath>

namespace gradloom::inline v0 {

namespace {

double reference(const double* x) {
  const double r = std::fmod(x[0], x[1]);
  if (r == 0) return std::copysign(0.0, x[1]);
  return (r < 0) == (x[1] < 0) ? r : r + x[1];
}

// d/db = -floor(a / b), but floor(a / b) would be one too many where the quotient was rounded up to an integer: a minus
// the remainder is a multiple of b, and round() finds which.
Gradients vjp(const Vjp& v) {
  const Tensor quotient = round((v.input(0) - v.output()) / v.input(1));
  return {v.cotangent(), -(v.cotangent() * quotient)};
}

std::vector<Sample> samples() {
  return {{.inputs = {{{7}, -3, 3}, {{7}, 1, 2}}},
          {.inputs = {{{3, 5}, -3, 3}, {{3, 5}, -2, -1}}},
          {.inputs = {{{7}, -1e6, 1e6}, {{7}, -3, 3}}, .differentiable = false}};
}

}  // namespace

const OpDef mod_def{.name = "mod",
                    .inputs = {"lhs", "rhs"},
                    .rule = "mod needs two tensors of numbers, of one shape",
                    .shape = pointwise_shape,
                    .vjp = vjp,
                    .pointwise = &mod_table,
                    .reference = reference,
                    .samples = samples};

Tensor mod(const Operand& a, const Operand& b) { return pointwise(mod_def, {a, b}); }

}  // namespace gradloom::inline v0

#endif
