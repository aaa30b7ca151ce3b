// sinh, cosh, tanh: derivatives DLMF 4.34. Errors in ULP, float and double: sinh 2.30, 2.35; cosh 1.51, 1.46;
// tanh 1.50, 1.48.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct Sinh {
  template <class B>
  B operator()(B x) const {
    return math::sinh(x);
  }
};
struct Cosh {
  template <class B>
  B operator()(B x) const {
    return math::cosh(x);
  }
};
struct Tanh {
  template <class B>
  B operator()(B x) const {
    return math::tanh(x);
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(sinh, Sinh, floats)
GRADLOOM_POINTWISE(cosh, Cosh, floats)
GRADLOOM_POINTWISE(tanh, Tanh, floats)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/tanh_log1p.hpp>

#include <cmath>

namespace gradloom::inline v0 {

namespace {

// Rational in e^x: one exponential instead of two and a logarithm. The input has become a softplus by now if it was
// log(1 + exp(x)); where e^x overflows, the result is 1.
Tensor stabilize_tanh(Graph&, const Node&, std::span<const Tensor> inputs) {
  return made_by(inputs[0], softplus_def) ? tanh_log1p(exp(input_of(inputs[0]))) : Tensor();
}

}  // namespace

const OpDef sinh_def{.name = "sinh",
                     .inputs = {"x"},
                     .rule = "sinh needs a tensor of floats",
                     .shape = pointwise_shape,
                     .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() * cosh(v.input(0))}; },
                     .pointwise = &sinh_table,
                     .reference = [](const double* x) { return std::sinh(x[0]); },
                     .ulps = 2.5,
                     .samples =
                         [] {
                           return pointwise_samples(1, {{-2, 2}, {-1e-4, 1e-4, false}, {-100, 100, false}});
                         }};

const OpDef cosh_def{.name = "cosh",
                     .inputs = {"x"},
                     .rule = "cosh needs a tensor of floats",
                     .shape = pointwise_shape,
                     .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() * sinh(v.input(0))}; },
                     .pointwise = &cosh_table,
                     .reference = [](const double* x) { return std::cosh(x[0]); },
                     .ulps = 2,
                     .samples =
                         [] {
                           return pointwise_samples(1, {{-2, 2}, {-1e-4, 1e-4, false}, {-100, 100, false}});
                         }};

const OpDef tanh_def{.name = "tanh",
                     .inputs = {"x"},
                     .rule = "tanh needs a tensor of floats",
                     .shape = pointwise_shape,
                     .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() * (1 - square(v.output()))}; },
                     .pointwise = &tanh_table,
                     .reference = [](const double* x) { return std::tanh(x[0]); },
                     .ulps = 2,
                     .stabilize = stabilize_tanh,
                     .samples =
                         [] {
                           return pointwise_samples(1, {{-2, 2}, {-1e-4, 1e-4, false}, {-100, 100, false}});
                         }};

Tensor sinh(const Operand& x) { return pointwise_float(sinh_def, {x}); }
Tensor cosh(const Operand& x) { return pointwise_float(cosh_def, {x}); }
Tensor tanh(const Operand& x) { return pointwise_float(tanh_def, {x}); }

}  // namespace gradloom::inline v0

#endif
