// erf x = 2/sqrt(pi) int_0^x e^-t^2 dt (DLMF 7.2). Error: 3.25 ULP in float, 1.33 in double.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct Erf {
  template <class B>
  B operator()(B x) const {
    return math::erf(x);
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(erf, Erf, floats)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/erf.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/power.hpp>

#include <cmath>

namespace gradloom::inline v0 {

namespace {
constexpr double two_over_sqrt_pi = 1.1283791670955126;
}

const OpDef erf_def{
    .name = "erf",
    .inputs = {"x"},
    .rule = "erf needs a tensor of floats",
    .shape = pointwise_shape,
    .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() * (two_over_sqrt_pi * exp(-square(v.input(0))))}; },
    .pointwise = &erf_table,
    .reference = [](const double* x) { return std::erf(x[0]); },
    .ulps = 3.5,
    .samples =
        [] {
          return pointwise_samples(1, {{-2, 2}, {-1e-4, 1e-4, false}, {-6, 6, false}});
        }};

Tensor erf(const Operand& x) { return pointwise_float(erf_def, {x}); }

}  // namespace gradloom::inline v0

#endif
