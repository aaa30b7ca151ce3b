// tanh(log(1 + v)) = h / (h + 1) and v times its derivative, v (v + 1) / (h + 1)^2, for h = v^2 / 2 + v
// (math_tanh_log1p_internal.hpp). Errors in ULP, float and double: tanh_log1p 3.34, 2.90; tanh_log1p_slope 2.48, 2.33
// with fused multiply-adds, 4.02, 3.63 without.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/math_tanh_log1p_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct TanhLog1p {
  template <class B>
  B operator()(B v) const {
    return math::tanh_log1p(v);
  }
};
struct TanhLog1pSlope {
  template <class B>
  B operator()(B v) const {
    return math::tanh_log1p_slope(v);
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(tanh_log1p, TanhLog1p, floats)
GRADLOOM_POINTWISE(tanh_log1p_slope, TanhLog1pSlope, floats)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/tanh_log1p.hpp>

#include <cmath>

namespace gradloom::inline v0 {

namespace {

// h + 1. Divided by it one time after the other, since its powers overflow before the quotients underflow.
Tensor denominator(const Tensor& v) { return v * (0.5 * v + 1) + 1; }

double slope(double v) {
  if (v < 0) return std::nan("");
  if (v > 0x1p100) return 4 / v / v;
  const double d = v * (0.5 * v + 1) + 1;
  return (v * v + v) / d / d;
}

}  // namespace

// (v + 1) / d^2, d the denominator.
const OpDef tanh_log1p_def{
    .name = "tanh_log1p",
    .inputs = {"v"},
    .rule = "tanh_log1p needs a tensor of floats",
    .shape = pointwise_shape,
    .vjp = [](const Vjp& v) -> Gradients {
      const Tensor d = denominator(v.input(0));
      return {v.cotangent() * ((v.input(0) + 1) / d / d)};
    },
    .pointwise = &tanh_log1p_table,
    .reference = [](const double* v) { return v[0] < 0 ? std::nan("") : std::tanh(std::log1p(v[0])); },
    .ulps = 3.5,
    .samples =
        [] {
          return pointwise_samples(1, {{0.1, 3}, {0, 1e-4, false}, {-0.5, 100, false}, {0, 1e6, false}});
        }};

// The derivative of v (v + 1) / d^2, where d' = v + 1 and (v + 1)^2 = 2 d - 1: (1 - 2 v + 2 v / d) / d^2.
const OpDef tanh_log1p_slope_def{
    .name = "tanh_log1p_slope",
    .inputs = {"v"},
    .rule = "tanh_log1p_slope needs a tensor of floats",
    .shape = pointwise_shape,
    .vjp = [](const Vjp& v) -> Gradients {
      const Tensor twice = 2 * v.input(0), d = denominator(v.input(0));
      return {v.cotangent() * ((1 - twice + twice / d) / d / d)};
    },
    .pointwise = &tanh_log1p_slope_table,
    .reference = [](const double* v) { return slope(v[0]); },
    .ulps = 4.5,
    .samples =
        [] {
          return pointwise_samples(1, {{0.1, 3}, {0, 1e-4, false}, {-0.5, 100, false}, {0, 1e6, false}});
        }};

Tensor tanh_log1p(const Operand& v) { return pointwise_float(tanh_log1p_def, {v}); }
Tensor tanh_log1p_slope(const Operand& v) { return pointwise_float(tanh_log1p_slope_def, {v}); }

}  // namespace gradloom::inline v0

#endif
