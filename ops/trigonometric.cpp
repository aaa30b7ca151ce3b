// sin, cos, tan (derivatives: DLMF 4.20) and their inverses (DLMF 4.24). Errors in ULP, float and double:
// sin 2.20, 1.41; cos 2.20, 1.51; tan 3.68, 2.57; asin 1.19, 1.21; acos 1.17, 1.19; atan 1.93, 1.72.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct Sin {
  template <class B>
  B operator()(B x) const {
    return math::sin(x);
  }
};
struct Cos {
  template <class B>
  B operator()(B x) const {
    return math::cos(x);
  }
};
struct Tan {
  template <class B>
  B operator()(B x) const {
    return math::tan(x);
  }
};
struct Asin {
  template <class B>
  B operator()(B x) const {
    return math::asin(x);
  }
};
struct Acos {
  template <class B>
  B operator()(B x) const {
    return math::acos(x);
  }
};
struct Atan {
  template <class B>
  B operator()(B x) const {
    return math::atan(x);
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(sin, Sin, floats)
GRADLOOM_POINTWISE(cos, Cos, floats)
GRADLOOM_POINTWISE(tan, Tan, floats)
GRADLOOM_POINTWISE(asin, Asin, floats)
GRADLOOM_POINTWISE(acos, Acos, floats)
GRADLOOM_POINTWISE(atan, Atan, floats)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/trigonometric.hpp>

#include <cmath>

namespace gradloom::inline v0 {

namespace {

// 1 - x^2 would have lost all but the last bits where x is near 1.
Tensor one_minus_square(const Tensor& x) { return (1 - x) * (1 + x); }

}  // namespace

const OpDef sin_def{.name = "sin",
                    .inputs = {"x"},
                    .rule = "sin needs a tensor of floats",
                    .shape = pointwise_shape,
                    .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() * cos(v.input(0))}; },
                    .pointwise = &sin_table,
                    .reference = [](const double* x) { return std::sin(x[0]); },
                    .ulps = 2.5,
                    .samples =
                        [] {
                          return pointwise_samples(1, {{-3, 3}, {-1e6, 1e6, false}});
                        }};

const OpDef cos_def{.name = "cos",
                    .inputs = {"x"},
                    .rule = "cos needs a tensor of floats",
                    .shape = pointwise_shape,
                    .vjp = [](const Vjp& v) -> Gradients { return {-(v.cotangent() * sin(v.input(0)))}; },
                    .pointwise = &cos_table,
                    .reference = [](const double* x) { return std::cos(x[0]); },
                    .ulps = 2.5,
                    .samples =
                        [] {
                          return pointwise_samples(1, {{-3, 3}, {-1e6, 1e6, false}});
                        }};

const OpDef tan_def{.name = "tan",
                    .inputs = {"x"},
                    .rule = "tan needs a tensor of floats",
                    .shape = pointwise_shape,
                    .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() * (1 + square(v.output()))}; },
                    .pointwise = &tan_table,
                    .reference = [](const double* x) { return std::tan(x[0]); },
                    .ulps = 4,
                    .samples =
                        [] {
                          return pointwise_samples(1, {{-1.2, 1.2}, {-1e6, 1e6, false}});
                        }};

const OpDef asin_def{
    .name = "asin",
    .inputs = {"x"},
    .rule = "asin needs a tensor of floats",
    .shape = pointwise_shape,
    .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() * rsqrt(one_minus_square(v.input(0)))}; },
    .pointwise = &asin_table,
    .reference = [](const double* x) { return std::asin(x[0]); },
    .ulps = 2,
    .samples =
        [] {
          return pointwise_samples(1, {{-0.9, 0.9}, {-1.2, 1.2, false}});
        }};

const OpDef acos_def{
    .name = "acos",
    .inputs = {"x"},
    .rule = "acos needs a tensor of floats",
    .shape = pointwise_shape,
    .vjp = [](const Vjp& v) -> Gradients { return {-(v.cotangent() * rsqrt(one_minus_square(v.input(0))))}; },
    .pointwise = &acos_table,
    .reference = [](const double* x) { return std::acos(x[0]); },
    .ulps = 2,
    .samples =
        [] {
          return pointwise_samples(1, {{-0.9, 0.9}, {-1.2, 1.2, false}});
        }};

const OpDef atan_def{.name = "atan",
                     .inputs = {"x"},
                     .rule = "atan needs a tensor of floats",
                     .shape = pointwise_shape,
                     .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() / (1 + square(v.input(0)))}; },
                     .pointwise = &atan_table,
                     .reference = [](const double* x) { return std::atan(x[0]); },
                     .ulps = 2,
                     .samples =
                         [] {
                           return pointwise_samples(1, {{-3, 3}, {-1e6, 1e6, false}});
                         }};

Tensor sin(const Operand& x) { return pointwise_float(sin_def, {x}); }
Tensor cos(const Operand& x) { return pointwise_float(cos_def, {x}); }
Tensor tan(const Operand& x) { return pointwise_float(tan_def, {x}); }
Tensor asin(const Operand& x) { return pointwise_float(asin_def, {x}); }
Tensor acos(const Operand& x) { return pointwise_float(acos_def, {x}); }
Tensor atan(const Operand& x) { return pointwise_float(atan_def, {x}); }

}  // namespace gradloom::inline v0

#endif
