// exp, expm1, log, log1p: derivatives DLMF 4.2, 4.6. Errors in ULP, float and double: exp 1.04, 1.00; expm1 1.68, 2.05;
// log 0.98, 0.88; log1p 0.98, 0.87.
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
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/stable_product_internal.hpp>

#include <cmath>

namespace gradloom::inline v0 {

namespace {

// log of a sum or quotient of exponentials. It meets what its input has become already: 1 / (1 + exp(-x)) is a sigmoid
// by then, a softmax without a shift has one.
Tensor stabilize_log(Graph&, const Node&, std::span<const Tensor> inputs) {
  const Tensor& x = inputs[0];
  if (made_by(x, exp_def)) return input_of(x);
  if (made_by(x, sigmoid_def)) return -softplus(negated(input_of(x)));
  if (const Tensor rest = one_plus(x); rest.valid()) {
    return made_by(rest, exp_def) ? softplus(input_of(rest)) : log1p(rest);
  }
  if (made_by(x, sub_def) && is_uniform(input_of(x), 1)) {
    const Tensor rest = input_of(x, 1);
    return made_by(rest, sigmoid_def) ? -softplus(input_of(rest)) : log1p(-rest);
  }
  if (made_by(x, div_def) && made_by(input_of(x), exp_def)) {
    const Tensor z = input_of(input_of(x)), d = input_of(x, 1);
    return made_by(d, broadcast_def) ? z - broadcast(log(input_of(d)), d.shape()) : z - log(d);
  }
  if (made_by(x, sum_def) && made_by(input_of(x), exp_def)) {
    const Tensor z = input_of(input_of(x));
    if (is_shifted_by_maximum(z)) return {};
    const Attributes& attributes = x.node().attributes;
    return logsumexp(
        z, {.axes = attributes.get<std::vector<int64_t>>("axes"), .keepdims = attributes.get<bool>("keepdims")});
  }
  return {};
}

Tensor stabilize_log1p(Graph&, const Node&, std::span<const Tensor> inputs) {
  const Tensor& x = inputs[0];
  if (made_by(x, exp_def)) return softplus(input_of(x));
  if (made_by(x, expm1_def)) return input_of(x);
  if (made_by(x, neg_def) && made_by(input_of(x), sigmoid_def)) return -softplus(input_of(input_of(x)));
  return {};
}

}  // namespace

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
                    .stabilize = stabilize_log,
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
                      .stabilize = stabilize_log1p,
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
