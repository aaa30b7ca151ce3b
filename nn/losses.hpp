// Losses: how far predictions are from targets, as one number to minimise. None of them broadcasts: a target of another
// shape than it needs is an Error with the user's line.
#pragma once

#include <gradloom/graph/tensor.hpp>

#include <cstdint>

namespace gradloom::inline v0::nn {

/// What becomes of the losses of the single elements (of the single rows, for softmax_cross_entropy).
enum class Reduction : uint8_t {
  mean,  ///< their mean, a scalar
  sum,   ///< their sum, a scalar
  none,  ///< they stay as they are
};

struct LossOptions {
  Reduction reduction = Reduction::mean;
};

/// Mean squared error: (prediction - target)^2. Both of one shape.
[[nodiscard]] GRADLOOM_API Tensor mse(const Operand& prediction, const Tensor& target, const LossOptions& options = {});

/// Mean absolute error: |prediction - target|; its derivative at 0 is 0. Both of one shape.
[[nodiscard]] GRADLOOM_API Tensor mae(const Operand& prediction, const Tensor& target, const LossOptions& options = {});

struct HuberOptions {
  double delta = 1;  ///< where the square turns into a line
  Reduction reduction = Reduction::mean;
};

/// For r = prediction - target: r^2 / 2 up to |r| = delta, delta (|r| - delta / 2) beyond (Huber, 1964, "Robust
/// Estimation of a Location Parameter"). Both of one shape. Throws Error if delta is not positive.
[[nodiscard]] GRADLOOM_API Tensor huber(const Operand& prediction, const Tensor& target,
                                        const HuberOptions& options = {});

/// -t log(s) - (1 - t) log(1 - s), where s = sigmoid(logits) and the targets t lie in [0, 1], of the shape of the
/// logits. Exact for logits of any size, and so are its gradients.
[[nodiscard]] GRADLOOM_API Tensor binary_cross_entropy(const Operand& logits, const Tensor& target,
                                                       const LossOptions& options = {});

struct ProbabilityLossOptions {
  double epsilon = 1e-7;  ///< probabilities are clamped to [epsilon, 1 - epsilon]; the gradient outside is 0
  Reduction reduction = Reduction::mean;
};

/// The same for probabilities p instead of logits: -t log(p) - (1 - t) log(1 - p). The logarithm of 0 is kept away by a
/// clamp, beyond which nothing is learned: prefer the logits where there are any. Throws Error if epsilon is not in (0,
/// 0.5).
[[nodiscard]] GRADLOOM_API Tensor binary_cross_entropy_of_probabilities(const Operand& probabilities,
                                                                        const Tensor& target,
                                                                        const ProbabilityLossOptions& options = {});

struct SoftmaxCrossEntropyOptions {
  double label_smoothing = 0;  ///< this share of every target is spread evenly over the classes (Szegedy et al., 2016)
  Reduction reduction = Reduction::mean;
};

/// -sum over classes of t log(softmax(logits)), for every row of logits [..., classes]. Labels are either class
/// numbers, integers [...], or probabilities t, floats [..., classes]. Stable for logits of any size. Throws Error if
/// the number of classes is not known or label_smoothing is not in [0, 1]; a run throws Error for a class number out of
/// range.
[[nodiscard]] GRADLOOM_API Tensor softmax_cross_entropy(const Operand& logits, const Tensor& labels,
                                                        const SoftmaxCrossEntropyOptions& options = {});

}  // namespace gradloom::inline v0::nn
