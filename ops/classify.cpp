// is_nan, is_finite.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct IsNan {
  template <class B>
  auto operator()(B x) const {
    return math::is_nan(x);
  }
};
// x - x is 0, but nan for nan and inf.
struct IsFinite {
  template <class B>
  auto operator()(B x) const {
    return x - x == B(0);
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(is_nan, IsNan, floats)
GRADLOOM_POINTWISE(is_finite, IsFinite, floats)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/classify.hpp>
#include <gradloom/ops/pointwise.hpp>

#include <cmath>

namespace gradloom::inline v0 {

namespace {
constexpr std::string_view no_gradient = "its result is boolean";
}

const OpDef is_nan_def{.name = "is_nan",
                       .inputs = {"x"},
                       .rule = "is_nan needs a tensor of floats",
                       .shape = pointwise_compare_shape,
                       .no_gradient = no_gradient,
                       .pointwise = &is_nan_table,
                       .reference = [](const double* x) { return std::isnan(x[0]) ? 1.0 : 0.0; },
                       .samples = [] { return pointwise_samples(1, -3, 3, false); }};

const OpDef is_finite_def{.name = "is_finite",
                          .inputs = {"x"},
                          .rule = "is_finite needs a tensor of floats",
                          .shape = pointwise_compare_shape,
                          .no_gradient = no_gradient,
                          .pointwise = &is_finite_table,
                          .reference = [](const double* x) { return std::isfinite(x[0]) ? 1.0 : 0.0; },
                          .samples = [] { return pointwise_samples(1, -3, 3, false); }};

Tensor is_nan(const Operand& x) { return pointwise_float(is_nan_def, {x}); }
Tensor is_finite(const Operand& x) { return pointwise_float(is_finite_def, {x}); }

}  // namespace gradloom::inline v0

#endif
