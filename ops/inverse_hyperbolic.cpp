// asinh, acosh, atanh: derivatives DLMF 4.38(ii). Errors in ULP, float and double: asinh 1.78, 1.67; acosh 2.41, 2.48;
// atanh 1.74, 1.60.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/math_inverse_hyperbolic_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct Asinh {
  template <class B>
  B operator()(B x) const {
    return math::asinh(x);
  }
};
struct Acosh {
  template <class B>
  B operator()(B x) const {
    return math::acosh(x);
  }
};
struct Atanh {
  template <class B>
  B operator()(B x) const {
    return math::atanh(x);
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(asinh, Asinh, floats)
GRADLOOM_POINTWISE(acosh, Acosh, floats)
GRADLOOM_POINTWISE(atanh, Atanh, floats)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/inverse_hyperbolic.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/power.hpp>

#include <cmath>

namespace gradloom::inline v0 {

const OpDef asinh_def{.name = "asinh",
                      .inputs = {"x"},
                      .rule = "asinh needs a tensor of floats",
                      .shape = pointwise_shape,
                      .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() * rsqrt(1 + square(v.input(0)))}; },
                      .pointwise = &asinh_table,
                      .reference = [](const double* x) { return std::asinh(x[0]); },
                      .ulps = 3,
                      .samples =
                          [] {
                            return pointwise_samples(1, {{-3, 3}, {-1e-4, 1e-4, false}, {-1e30, 1e30, false}});
                          }};

// Factors keep what x^2 - 1 loses near 1, and are nan for every x that the function is nan for.
const OpDef acosh_def{
    .name = "acosh",
    .inputs = {"x"},
    .rule = "acosh needs a tensor of floats",
    .shape = pointwise_shape,
    .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() * (rsqrt(v.input(0) - 1) * rsqrt(v.input(0) + 1))}; },
    .pointwise = &acosh_table,
    .reference = [](const double* x) { return std::acosh(x[0]); },
    .ulps = 3,
    .samples =
        [] {
          return pointwise_samples(1, {{1.1, 4}, {1, 1.0001, false}, {-2, 1.1, false}, {1, 1e30, false}});
        }};

// 1 - x^2 would have lost all but the last bits where x is near 1.
const OpDef atanh_def{
    .name = "atanh",
    .inputs = {"x"},
    .rule = "atanh needs a tensor of floats",
    .shape = pointwise_shape,
    .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() / ((1 - v.input(0)) * (1 + v.input(0)))}; },
    .pointwise = &atanh_table,
    .reference = [](const double* x) { return std::atanh(x[0]); },
    .ulps = 3,
    .samples =
        [] {
          return pointwise_samples(1, {{-0.9, 0.9}, {-1e-4, 1e-4, false}, {-1.2, 1.2, false}});
        }};

Tensor asinh(const Operand& x) { return pointwise_float(asinh_def, {x}); }
Tensor acosh(const Operand& x) { return pointwise_float(acosh_def, {x}); }
Tensor atanh(const Operand& x) { return pointwise_float(atanh_def, {x}); }

}  // namespace gradloom::inline v0

#endif
