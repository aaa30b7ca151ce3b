// floor, ceil, round: exact. Steps: the derivative is 0 wherever there is one, so the gradient rule says none.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct Floor {
  template <class B>
  B operator()(B x) const {
    return math::floor(x);
  }
};
struct Ceil {
  template <class B>
  B operator()(B x) const {
    return math::ceil(x);
  }
};
struct Round {
  template <class B>
  B operator()(B x) const {
    return math::round(x);
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(floor, Floor, floats)
GRADLOOM_POINTWISE(ceil, Ceil, floats)
GRADLOOM_POINTWISE(round, Round, floats)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/rounding.hpp>

#include <cmath>

namespace gradloom::inline v0 {

namespace {

// Integers are whole already.
Tensor rounded(const OpDef& op, const Operand& x) {
  if (!x.is_number() && !is_float(computed_as(x.tensor().dtype()))) return x.tensor();
  return pointwise(op, {x});
}

}  // namespace

const OpDef floor_def{.name = "floor",
                      .inputs = {"x"},
                      .rule = "floor needs a tensor of floats",
                      .shape = pointwise_shape,
                      .vjp = [](const Vjp&) -> Gradients { return {Gradient::none()}; },
                      .pointwise = &floor_table,
                      .reference = [](const double* x) { return std::floor(x[0]); },
                      .samples =
                          [] {
                            return pointwise_samples(1, {{-3, 3, false}, {-1e6, 1e6, false}});
                          }};

const OpDef ceil_def{.name = "ceil",
                     .inputs = {"x"},
                     .rule = "ceil needs a tensor of floats",
                     .shape = pointwise_shape,
                     .vjp = [](const Vjp&) -> Gradients { return {Gradient::none()}; },
                     .pointwise = &ceil_table,
                     .reference = [](const double* x) { return std::ceil(x[0]); },
                     .samples =
                         [] {
                           return pointwise_samples(1, {{-3, 3, false}, {-1e6, 1e6, false}});
                         }};

// Half to even: nearbyint under the default rounding mode.
const OpDef round_def{.name = "round",
                      .inputs = {"x"},
                      .rule = "round needs a tensor of floats",
                      .shape = pointwise_shape,
                      .vjp = [](const Vjp&) -> Gradients { return {Gradient::none()}; },
                      .pointwise = &round_table,
                      .reference = [](const double* x) { return std::nearbyint(x[0]); },
                      .samples =
                          [] {
                            return pointwise_samples(1, {{-3, 3, false}, {-1e6, 1e6, false}});
                          }};

Tensor floor(const Operand& x) { return rounded(floor_def, x); }
Tensor ceil(const Operand& x) { return rounded(ceil_def, x); }
Tensor round(const Operand& x) { return rounded(round_def, x); }

}  // namespace gradloom::inline v0

#endif
