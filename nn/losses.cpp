#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/loss_internal.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

#include <cmath>

namespace gradloom::inline v0::nn {

namespace {

template <class Options>
LossOptions common(const Options& options) {
  return {.reduction = options.reduction, .sample_weight = options.sample_weight};
}

constexpr double pi = 3.14159265358979323846;

}  // namespace

Tensor mse(const Operand& prediction, const Tensor& target, const LossOptions& options) {
  const SourceScope scope(prediction, "mse");
  check_target("mse", prediction, "prediction", target);
  return reduce_losses("mse", prediction, square(prediction.tensor() - target), options);
}

Tensor mae(const Operand& prediction, const Tensor& target, const LossOptions& options) {
  const SourceScope scope(prediction, "mae");
  check_target("mae", prediction, "prediction", target);
  return reduce_losses("mae", prediction, abs(prediction.tensor() - target), options);
}

Tensor huber(const Operand& prediction, const Tensor& target, const HuberOptions& options) {
  const SourceScope scope(prediction, "huber");
  check_target("huber", prediction, "prediction", target);
  require_positive("huber", prediction, "delta", options.delta);
  // With c = clamp(r), both branches are c (r - c / 2); the gradient is c, without a square that could overflow.
  const Tensor r = prediction.tensor() - target;
  const Tensor c = clamp(r, -options.delta, options.delta);
  return reduce_losses("huber", prediction, c * (r - 0.5 * c), common(options));
}

Tensor poisson_nll(const Operand& log_rate, const Tensor& target, const PoissonNllOptions& options) {
  const SourceScope scope(log_rate, "poisson_nll");
  check_target("poisson_nll", log_rate, "log_rate", target);
  Tensor losses = exp(log_rate.tensor()) - target * log_rate.tensor();
  if (options.full) {
    // Of 1 in place of smaller targets, so that no logarithm of 0 comes near the gradient.
    const Tensor t = maximum(target, 1);
    losses = losses + where(target > 1, t * log(t) - t + 0.5 * log(2 * pi * t), 0);
  }
  return reduce_losses("poisson_nll", log_rate, losses, common(options));
}

Tensor gaussian_nll(const Operand& mean, const Tensor& target, const Tensor& variance,
                    const GaussianNllOptions& options) {
  const SourceScope scope(mean, "gaussian_nll");
  check_target("gaussian_nll", mean, "mean", target);
  if (!variance.valid()) refuse("gaussian_nll", mean, "the variance is an empty Tensor", {}, same_shape_rule);
  require_same_shape("gaussian_nll", mean, {"mean", mean.tensor()}, {"variance", variance},
                     "mean, target and variance need one shape; losses do not broadcast");
  require_positive("gaussian_nll", mean, "epsilon", options.epsilon);
  const Tensor v = maximum(variance, options.epsilon);
  Tensor losses = 0.5 * (log(v) + square(mean.tensor() - target) / v);
  if (options.full) losses = losses + 0.5 * std::log(2 * pi);
  return reduce_losses("gaussian_nll", mean, losses, common(options));
}

Tensor binary_cross_entropy(const Operand& logits, const Tensor& target, const BinaryCrossEntropyOptions& options) {
  const SourceScope scope(logits, "binary_cross_entropy");
  check_target("binary_cross_entropy", logits, "logits", target);
  require_positive("binary_cross_entropy", logits, "positive_weight", options.positive_weight);
  // log(sigmoid(x)) = -softplus(-x) and log(1 - sigmoid(x)) = -softplus(x). The shorter softplus(x) - t x would cancel
  // for a confident and right prediction, in its value and in its gradient.
  const Tensor& x = logits.tensor();
  const Tensor positive = target * softplus(-x), negative = (1 - target) * softplus(x);
  const double weight = options.positive_weight;
  return reduce_losses("binary_cross_entropy", logits, weight == 1 ? positive + negative : weight * positive + negative,
                       common(options));
}

Tensor binary_cross_entropy_of_probabilities(const Operand& probabilities, const Tensor& target,
                                             const ProbabilityLossOptions& options) {
  constexpr std::string_view name = "binary_cross_entropy_of_probabilities";
  const SourceScope scope(probabilities, name);
  check_target(name, probabilities, "probabilities", target);
  if (!(options.epsilon > 0 && options.epsilon < 0.5)) {
    refuse(name, probabilities, fmt::format("epsilon is {}", options.epsilon), {}, "epsilon is in (0, 0.5)");
  }
  const Tensor p = clamp(probabilities.tensor(), options.epsilon, 1 - options.epsilon);
  return reduce_losses(name, probabilities, -(target * log(p) + (1 - target) * log1p(-p)), common(options));
}

Tensor focal(const Operand& logits, const Tensor& target, const FocalOptions& options) {
  const SourceScope scope(logits, "focal");
  check_target("focal", logits, "logits", target);
  require_positive("focal", logits, "gamma", options.gamma, true);
  if (!(options.alpha >= 0 && options.alpha <= 1)) {
    refuse("focal", logits, fmt::format("alpha is {}", options.alpha), {}, "alpha is in [0, 1]");
  }
  // As in binary_cross_entropy, with n = -log(s) and p = -log(1 - s); (1 - s)^gamma = exp(-gamma p) has no kink at s =
  // 1 for any gamma.
  const Tensor n = softplus(-logits.tensor()), p = softplus(logits.tensor());
  const Tensor losses = options.alpha * target * exp(-options.gamma * p) * n +
                        (1 - options.alpha) * (1 - target) * exp(-options.gamma * n) * p;
  return reduce_losses("focal", logits, losses, common(options));
}

Tensor hinge(const Operand& scores, const Tensor& target, const HingeOptions& options) {
  const SourceScope scope(scores, "hinge");
  check_target("hinge", scores, "scores", target);
  require_positive("hinge", scores, "margin", options.margin);
  const Tensor short_of = maximum(options.margin - target * scores.tensor(), 0);
  return reduce_losses("hinge", scores, options.squared ? square(short_of) : short_of, common(options));
}

}  // namespace gradloom::inline v0::nn
