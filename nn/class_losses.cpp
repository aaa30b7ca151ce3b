// The losses over classes: softmax_cross_entropy, softmax_focal, kl_divergence.
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/loss_internal.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/softmax.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0::nn {

Tensor softmax_cross_entropy(const Operand& logits, const Tensor& labels, const SoftmaxCrossEntropyOptions& options) {
  constexpr std::string_view name = "softmax_cross_entropy";
  const SourceScope scope(logits, name);
  check_labels(name, logits, "logits", labels);
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1)) {
    refuse(name, logits, fmt::format("label_smoothing is {}", options.label_smoothing), {},
           "label_smoothing is in [0, 1]");
  }
  check_class_weight(name, logits, options.class_weight);

  Tensor log_probability = log_softmax(logits.tensor()), shares;
  if (options.class_weight.valid()) {
    const Tensor weight = cast(options.class_weight, log_probability.dtype());
    log_probability = log_probability * weight;
    shares = at_labels(broadcast(weight, log_probability.shape()), labels);
  }
  Tensor likelihood = at_labels(log_probability, labels);
  if (const double share = options.label_smoothing; share > 0) {
    likelihood = (1 - share) * likelihood + share * mean(log_probability, {.axes = {-1}});
  }
  return reduce_losses(name, logits, -likelihood, {options.reduction, options.sample_weight}, shares);
}

Tensor softmax_focal(const Operand& logits, const Tensor& labels, const SoftmaxFocalOptions& options) {
  constexpr std::string_view name = "softmax_focal";
  const SourceScope scope(logits, name);
  check_labels(name, logits, "logits", labels);
  require_positive(name, logits, "gamma", options.gamma, true);
  check_class_weight(name, logits, options.class_weight);

  const Tensor all = log_softmax(logits.tensor());
  const bool dense = is_float(computed_as(labels.dtype()));
  // Only of the labelled class where there is one: a class that was ruled out by a logit of -inf has no gradient to
  // give.
  const Tensor log_p = dense ? all : at_labels(all, labels);
  // expm1: 1 - p must not cancel where p is near 1. maximum: 0 to a power below 1 has an infinite slope.
  Tensor losses = -pow(maximum(-expm1(log_p), 1e-30), options.gamma) * log_p, shares;
  if (options.class_weight.valid()) {
    const Tensor weight = cast(options.class_weight, losses.dtype());
    shares = at_labels(broadcast(weight, all.shape()), labels);
    losses = losses * (dense ? weight : shares);
  }
  if (dense) losses = at_labels(losses, labels);
  return reduce_losses(name, logits, losses, {options.reduction, options.sample_weight}, shares);
}

Tensor kl_divergence(const Operand& log_prediction, const Tensor& target, const KlDivergenceOptions& options) {
  const SourceScope scope(log_prediction, "kl_divergence");
  check_target("kl_divergence", log_prediction, "log_prediction", target);
  if (target.rank() < 1) {
    refuse("kl_divergence", log_prediction, "log_prediction is a scalar", {},
           "kl_divergence needs log_prediction [..., classes]");
  }
  const Tensor t = options.log_target ? exp(target) : target;
  const Tensor positive = t > 0;
  const Tensor log_t = options.log_target ? target : log(where(positive, t, 1));
  // A class that can't be (t = 0) must not give 0 * -inf, neither by its own logarithm nor by the prediction's.
  const Tensor terms = where(positive, t * (log_t - log_prediction.tensor()), 0);
  return reduce_losses("kl_divergence", log_prediction, sum(terms, {.axes = {-1}}),
                       {options.reduction, options.sample_weight});
}

}  // namespace gradloom::inline v0::nn
