#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/loss_internal.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0::nn {

void check_target(std::string_view loss, const Operand& prediction, std::string_view prediction_name,
                  const Tensor& target) {
  if (!target.valid()) refuse(loss, prediction, "the target is an empty Tensor", {}, same_shape_rule);
  require_same_shape(loss, prediction, {prediction_name, prediction.tensor()}, {"target", target}, same_shape_rule);
}

void require_positive(std::string_view loss, const Operand& at, std::string_view what, double value, bool or_zero) {
  if (value > 0 || (or_zero && value == 0)) return;
  refuse(loss, at, fmt::format("{} is {}", what, value), {},
         fmt::format("{} is {}", what, or_zero ? "not negative" : "positive"));
}

Tensor reduce_losses(std::string_view loss, const Operand& at, const Tensor& losses, const LossOptions& options,
                     const Tensor& shares) {
  Tensor weighted = losses, weights = shares;
  if (const Tensor& given = options.sample_weight; given.valid()) {
    bool fits = &given.graph() == &losses.graph() && given.rank() <= losses.rank();
    for (int axis = 0; fits && axis < given.rank(); ++axis) fits = may_be_equal(given.dim(axis), losses.dim(axis));
    if (!fits) {
      refuse(
          loss, at,
          fmt::format("sample_weight {} does not fit losses {}", given.shape().to_string(), losses.shape().to_string()),
          {}, "sample_weight has the shape of the losses, or that of their first axes, and their graph");
    }
    Tensor sample = cast(given, losses.dtype());
    while (sample.rank() < losses.rank()) sample = expand_dims(sample, -1);
    weighted = losses * sample;
    weights = shares.valid() ? shares * sample : sample;
  }
  switch (options.reduction) {
    case Reduction::mean:
      // Both are means: weights of whole samples stand for all elements of theirs.
      return weights.valid() ? mean(weighted) / mean(weights) : mean(weighted);
    case Reduction::sum:
      return sum(weighted);
    case Reduction::none:
      break;
  }
  return weighted;
}

void check_labels(std::string_view loss, const Operand& scores, std::string_view scores_name, const Tensor& labels) {
  const Tensor& x = scores.tensor();
  const std::string rule =
      fmt::format("{} needs {} [..., classes] and labels: integers [...], or floats [..., classes]", loss, scores_name);
  const auto fail = [&](std::string problem) {
    refuse(loss, scores, std::move(problem), {{scores_name, x}, {"labels", labels}}, rule);
  };
  if (!labels.valid() || &labels.graph() != &x.graph()) {
    refuse(loss, scores, "labels is an empty Tensor or of another graph", {}, rule);
  }
  if (x.rank() < 1) fail(fmt::format("the {} are a scalar", scores_name));
  if (!x.dim(-1).known()) fail(fmt::format("the number of classes, {}, is not known", x.dim(-1).to_string()));
  if (labels.dtype() == DType::boolean) fail("the labels are booleans");

  const int axes = is_float(computed_as(labels.dtype())) ? x.rank() : x.rank() - 1;
  bool fits = labels.rank() == axes;
  for (int axis = 0; fits && axis < axes; ++axis) fits = may_be_equal(labels.dim(axis), x.dim(axis));
  if (!fits) {
    fail(fmt::format("labels {} do not fit {} {}", labels.shape().to_string(), scores_name, x.shape().to_string()));
  }
}

Tensor at_labels(const Tensor& values, const Tensor& labels) {
  const ReduceOptions over_classes{.axes = {-1}};
  if (is_float(computed_as(labels.dtype()))) return sum(labels * values, over_classes);
  // one_hot takes no bytes. Others go to it as they are, so that it names them in its complaint about a wrong one.
  const Tensor indices = labels.dtype() == DType::u8 ? cast(labels, DType::i32) : labels;
  // Chosen by a mask, not by a product: a class that was ruled out by a logit of -inf must not give 0 * -inf.
  return sum(where(one_hot(indices, values.dim(-1).value(), DType::boolean), values, 0), over_classes);
}

void check_class_weight(std::string_view loss, const Operand& scores, const Tensor& weight) {
  if (!weight.valid()) return;
  const Tensor& x = scores.tensor();
  if (&weight.graph() == &x.graph() && weight.shape() == Shape{x.dim(-1)}) return;
  refuse(loss, scores,
         fmt::format("class_weight {} does not fit {} classes", weight.shape().to_string(), x.dim(-1).to_string()), {},
         "class_weight is [classes], of the graph of the scores");
}

}  // namespace gradloom::inline v0::nn
