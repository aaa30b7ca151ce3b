// exp, expm1, log, log1p: derivatives DLMF 4.2, 4.6. Errors in ULP, float and double: exp 1.04, 1.00; expm1 1.68, 2.05;
// log 0.92, 0.88; log1p 0.94, 0.87.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct Exp {
  template <class B>
  B operator()(B x) const {
    return math::exp(x);
  }
};
struct Expm1 {
  template <class B>
  B operator()(B x) const {
    return math::expm1(x);
  }
};
struct Log {
  template <class B>
  B operator()(B x) const {
    return math::log(x);
  }
};
struct Log1p {
  template <class B>
  B operator()(B x) const {
    return math::log1p(x);
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(exp, Exp, floats)
GRADLOOM_POINTWISE(expm1, Expm1, floats)
GRADLOOM_POINTWISE(log, Log, floats)
GRADLOOM_POINTWISE(log1p, Log1p, floats)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/pointwise.hpp>

#include <cmath>

namespace gradloom::inline v0 {

const OpDef exp_def{.name = "exp",
                    .inputs = {"x"},
                    .rule = "exp needs a tensor of floats",
                    .shape = pointwise_shape,
                    .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() * v.output()}; },
                    .pointwise = &exp_table,
                    .reference = [](const double* x) { return std::exp(x[0]); },
                    .ulps = 2,
                    .samples =
                        [] {
                          return pointwise_samples(1, {{-2, 2}, {-120, 120, false}});
                        }};

// Not y + 1, which has lost e^x where y is near -1.
const OpDef expm1_def{.name = "expm1",
                      .inputs = {"x"},
                      .rule = "expm1 needs a tensor of floats",
                      .shape = pointwise_shape,
                      .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() * exp(v.input(0))}; },
                      .pointwise = &expm1_table,
                      .reference = [](const double* x) { return std::expm1(x[0]); },
                      .ulps = 2.5,
                      .samples =
                          [] {
                            return pointwise_samples(1, {{-2, 2}, {-1e-4, 1e-4, false}, {-120, 120, false}});
                          }};

const OpDef log_def{.name = "log",
                    .inputs = {"x"},
                    .rule = "log needs a tensor of floats",
                    .shape = pointwise_shape,
                    .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() / v.input(0)}; },
                    .pointwise = &log_table,
                    .reference = [](const double* x) { return std::log(x[0]); },
                    .ulps = 2,
                    .samples =
                        [] {
                          return pointwise_samples(1, {{0.5, 3}, {0.99, 1.01, false}, {-1, 1e6, false}});
                        }};

const OpDef log1p_def{.name = "log1p",
                      .inputs = {"x"},
                      .rule = "log1p needs a tensor of floats",
                      .shape = pointwise_shape,
                      .vjp = [](const Vjp& v) -> Gradients { return {v.cotangent() / (1 + v.input(0))}; },
                      .pointwise = &log1p_table,
                      .reference = [](const double* x) { return std::log1p(x[0]); },
                      .ulps = 2,
                      .samples =
                          [] {
                            return pointwise_samples(1, {{-0.5, 3}, {-1e-4, 1e-4, false}, {-2, 1e6, false}});
                          }};

Tensor exp(const Operand& x) { return pointwise_float(exp_def, {x}); }
Tensor expm1(const Operand& x) { return pointwise_float(expm1_def, {x}); }
Tensor log(const Operand& x) { return pointwise_float(log_def, {x}); }
Tensor log1p(const Operand& x) { return pointwise_float(log1p_def, {x}); }

}  // namespace gradloom::inline v0

#endif
