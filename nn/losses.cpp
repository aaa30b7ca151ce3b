#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/ops/softmax.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0::nn {

namespace {

Tensor reduce(const Tensor& losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::mean:
      return mean(losses);
    case Reduction::sum:
      return sum(losses);
    case Reduction::none:
      break;
  }
  return losses;
}

constexpr std::string_view same_shape_rule = "the target needs the shape of the prediction; losses do not broadcast";

void check(std::string_view loss, const Operand& prediction, std::string_view prediction_name, const Tensor& target) {
  if (!target.valid()) refuse(loss, prediction, "the target is an empty Tensor", {}, same_shape_rule);
  require_same_shape(loss, prediction, {prediction_name, prediction.tensor()}, {"target", target}, same_shape_rule);
}

}  // namespace

Tensor mse(const Operand& prediction, const Tensor& target, const LossOptions& options) {
  const SourceScope scope(prediction, "mse");
  check("mse", prediction, "prediction", target);
  return reduce(square(prediction.tensor() - target), options.reduction);
}

Tensor mae(const Operand& prediction, const Tensor& target, const LossOptions& options) {
  const SourceScope scope(prediction, "mae");
  check("mae", prediction, "prediction", target);
  return reduce(abs(prediction.tensor() - target), options.reduction);
}

Tensor huber(const Operand& prediction, const Tensor& target, const HuberOptions& options) {
  const SourceScope scope(prediction, "huber");
  check("huber", prediction, "prediction", target);
  if (!(options.delta > 0)) {
    refuse("huber", prediction, fmt::format("delta is {}", options.delta), {}, "delta is positive");
  }
  // With c = clamp(r), both branches are c (r - c / 2); the gradient is c, without a square that could overflow.
  const Tensor r = prediction.tensor() - target;
  const Tensor c = clamp(r, -options.delta, options.delta);
  return reduce(c * (r - 0.5 * c), options.reduction);
}

Tensor binary_cross_entropy(const Operand& logits, const Tensor& target, const LossOptions& options) {
  const SourceScope scope(logits, "binary_cross_entropy");
  check("binary_cross_entropy", logits, "logits", target);
  // log(sigmoid(x)) = -softplus(-x) and log(1 - sigmoid(x)) = -softplus(x). The shorter softplus(x) - t x would cancel
  // for a confident and right prediction, in its value and in its gradient.
  const Tensor& x = logits.tensor();
  return reduce(target * softplus(-x) + (1 - target) * softplus(x), options.reduction);
}

Tensor binary_cross_entropy_of_probabilities(const Operand& probabilities, const Tensor& target,
                                             const ProbabilityLossOptions& options) {
  constexpr std::string_view name = "binary_cross_entropy_of_probabilities";
  const SourceScope scope(probabilities, name);
  check(name, probabilities, "probabilities", target);
  if (!(options.epsilon > 0 && options.epsilon < 0.5)) {
    refuse(name, probabilities, fmt::format("epsilon is {}", options.epsilon), {}, "epsilon is in (0, 0.5)");
  }
  const Tensor p = clamp(probabilities.tensor(), options.epsilon, 1 - options.epsilon);
  return reduce(-(target * log(p) + (1 - target) * log1p(-p)), options.reduction);
}

namespace {

constexpr std::string_view labels_rule =
    "softmax_cross_entropy needs logits [..., classes] and labels: integers [...], or floats [..., classes]";

void check_labels(const Operand& logits, const Tensor& labels, double smoothing) {
  const Tensor& x = logits.tensor();
  const auto fail = [&](std::string problem) {
    refuse("softmax_cross_entropy", logits, std::move(problem), {{"logits", x}, {"labels", labels}}, labels_rule);
  };
  if (!labels.valid() || &labels.graph() != &x.graph()) {
    refuse("softmax_cross_entropy", logits, "labels is an empty Tensor or of another graph", {}, labels_rule);
  }
  if (!(smoothing >= 0 && smoothing <= 1)) {
    refuse("softmax_cross_entropy", logits, fmt::format("label_smoothing is {}", smoothing), {},
           "label_smoothing is in [0, 1]");
  }
  if (x.rank() < 1) fail("the logits are a scalar");
  if (!x.dim(-1).known()) fail(fmt::format("the number of classes, {}, is not known", x.dim(-1).to_string()));
  if (labels.dtype() == DType::boolean) fail("the labels are booleans");

  const int axes = is_float(labels.dtype()) ? x.rank() : x.rank() - 1;
  bool fits = labels.rank() == axes;
  for (int axis = 0; fits && axis < axes; ++axis) fits = may_be_equal(labels.dim(axis), x.dim(axis));
  if (!fits) {
    fail(fmt::format("labels {} do not fit logits {}", labels.shape().to_string(), x.shape().to_string()));
  }
}

}  // namespace

Tensor softmax_cross_entropy(const Operand& logits, const Tensor& labels, const SoftmaxCrossEntropyOptions& options) {
  const SourceScope scope(logits, "softmax_cross_entropy");
  check_labels(logits, labels, options.label_smoothing);
  const Tensor log_probability = log_softmax(logits.tensor());
  const ReduceOptions over_classes{.axes = {-1}};

  Tensor likelihood;
  if (is_float(labels.dtype())) {
    likelihood = sum(labels * log_probability, over_classes);
  } else {
    // one_hot takes no bytes. Others go to it as they are, so that it names them in its complaint about a wrong one.
    const Tensor indices = labels.dtype() == DType::u8 ? cast(labels, DType::i32) : labels;
    // Chosen by a mask, not by a product: a class that was ruled out by a logit of -inf must not give 0 * -inf.
    const Tensor chosen = one_hot(indices, logits.tensor().dim(-1).value(), DType::boolean);
    likelihood = sum(where(chosen, log_probability, 0), over_classes);
  }
  if (const double share = options.label_smoothing; share > 0) {
    likelihood = (1 - share) * likelihood + share * mean(log_probability, over_classes);
  }
  return reduce(-likelihood, options.reduction);
}

}  // namespace gradloom::inline v0::nn
