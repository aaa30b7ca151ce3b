// What all losses share: the check of their operands, weights, the reduction.
#pragma once

#include <gradloom/graph/tensor.hpp>
#include <gradloom/nn/losses.hpp>

#include <string_view>

namespace gradloom::inline v0::nn {

inline constexpr std::string_view same_shape_rule =
    "the target needs the shape of the prediction; losses do not broadcast";

/// Requires a target of the prediction's graph and shape.
void check_target(std::string_view loss, const Operand& prediction, std::string_view prediction_name,
                  const Tensor& target);

/// Requires `value` > 0 (>= 0 if `or_zero`), and says "`what` is -1".
void require_positive(std::string_view loss, const Operand& at, std::string_view what, double value,
                      bool or_zero = false);

/// The losses of the elements (of the rows) weighted and reduced. `shares` is what each of them counts for in a mean
/// already (the weight of its class), of their shape; an empty Tensor: 1.
[[nodiscard]] Tensor reduce_losses(std::string_view loss, const Operand& at, const Tensor& losses,
                                   const LossOptions& options, const Tensor& shares = {});

/// Labels as probabilities of classes: the shape check of softmax_cross_entropy and its siblings, for scores
/// [..., classes].
void check_labels(std::string_view loss, const Operand& scores, std::string_view scores_name, const Tensor& labels);

/// The sum over classes of values [..., classes], each times what the labels (checked before) say of it: that of the
/// labelled class, or the mean of all by the labels' probabilities.
[[nodiscard]] Tensor at_labels(const Tensor& values, const Tensor& labels);

/// Requires an empty Tensor or weights [classes].
void check_class_weight(std::string_view loss, const Operand& scores, const Tensor& weight);

}  // namespace gradloom::inline v0::nn
