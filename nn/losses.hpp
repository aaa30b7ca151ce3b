// Losses: how far predictions are from targets, as one number to minimise. None of them broadcasts: a target of another
// shape than it needs is an Error with the user's line. embedding_losses.hpp and ctc_loss.hpp have more.
//
// Every loss takes `reduction` and `sample_weight`, a factor of the loss of each element, or of each sample, and then
// of the shape of the losses' first axes: [batch] for losses [batch, 3]. Booleans are weights too: a mask. The mean of
// weighted losses is sum(weight loss) / sum(weight), nan if all weights are 0. (PyTorch does so for the weights of
// classes, but divides by the number of elements for those of samples.)
#pragma once

#include <gradloom/graph/tensor.hpp>

#include <cstdint>

namespace gradloom::inline v0::nn {

/// What becomes of the losses of the single elements (of the single rows, for losses over classes).
enum class Reduction : uint8_t {
  mean,  ///< their mean, a scalar
  sum,   ///< their sum, a scalar
  none,  ///< they stay as they are
};

struct LossOptions {
  Reduction reduction = Reduction::mean;
  Tensor sample_weight{};
};

// ---- numbers

/// Mean squared error: (prediction - target)^2. Both of one shape.
[[nodiscard]] GRADLOOM_API Tensor mse(const Operand& prediction, const Tensor& target, const LossOptions& options = {});

/// Mean absolute error: |prediction - target|; its derivative at 0 is 0. Both of one shape.
[[nodiscard]] GRADLOOM_API Tensor mae(const Operand& prediction, const Tensor& target, const LossOptions& options = {});

struct HuberOptions {
  double delta = 1;  ///< where the square turns into a line
  Reduction reduction = Reduction::mean;
  Tensor sample_weight{};
};

/// For r = prediction - target: r^2 / 2 up to |r| = delta, delta (|r| - delta / 2) beyond (Huber, 1964, "Robust
/// Estimation of a Location Parameter"). Both of one shape. Throws Error if delta is not positive.
[[nodiscard]] GRADLOOM_API Tensor huber(const Operand& prediction, const Tensor& target,
                                        const HuberOptions& options = {});

struct PoissonNllOptions {
  bool full = false;  ///< adds Stirling's approximation of log(target!) for targets above 1: the gradient is the same
  Reduction reduction = Reduction::mean;
  Tensor sample_weight{};
};

/// The negative log-likelihood of counts under Poisson distributions with rates exp(log_rate), but for the constant
/// log(target!): exp(log_rate) - target log_rate. Both of one shape.
[[nodiscard]] GRADLOOM_API Tensor poisson_nll(const Operand& log_rate, const Tensor& target,
                                              const PoissonNllOptions& options = {});

struct GaussianNllOptions {
  bool full = false;      ///< adds the constant log(2 pi) / 2
  double epsilon = 1e-6;  ///< a smaller variance counts as this, and gets no gradient
  Reduction reduction = Reduction::mean;
  Tensor sample_weight{};
};

/// The negative log-likelihood of targets under normal distributions, but for a constant: (log(variance) +
/// (mean - target)^2 / variance) / 2 (Nix and Weigend, 1994). All three of one shape. Throws Error if epsilon is not
/// positive.
[[nodiscard]] GRADLOOM_API Tensor gaussian_nll(const Operand& mean, const Tensor& target, const Tensor& variance,
                                               const GaussianNllOptions& options = {});

// ---- yes or no

struct BinaryCrossEntropyOptions {
  double positive_weight = 1;  ///< a factor of the first term, for targets that are mostly 0
  Reduction reduction = Reduction::mean;
  Tensor sample_weight{};
};

/// -t log(s) - (1 - t) log(1 - s), where s = sigmoid(logits) and the targets t lie in [0, 1], of the shape of the
/// logits. Exact for logits of any size, and so are its gradients. Throws Error if positive_weight is not positive.
[[nodiscard]] GRADLOOM_API Tensor binary_cross_entropy(const Operand& logits, const Tensor& target,
                                                       const BinaryCrossEntropyOptions& options = {});

struct ProbabilityLossOptions {
  double epsilon = 1e-7;  ///< probabilities are clamped to [epsilon, 1 - epsilon]; the gradient outside is 0
  Reduction reduction = Reduction::mean;
  Tensor sample_weight{};
};

/// The same for probabilities p instead of logits: -t log(p) - (1 - t) log(1 - p). The logarithm of 0 is kept away by a
/// clamp, beyond which nothing is learned: prefer the logits where there are any. Throws Error if epsilon is not in (0,
/// 0.5).
[[nodiscard]] GRADLOOM_API Tensor binary_cross_entropy_of_probabilities(const Operand& probabilities,
                                                                        const Tensor& target,
                                                                        const ProbabilityLossOptions& options = {});

struct FocalOptions {
  double gamma = 2;     ///< how much less the easy ones count; 0: binary cross-entropy
  double alpha = 0.25;  ///< the weight of t = 1; that of t = 0 is 1 - alpha
  Reduction reduction = Reduction::mean;
  Tensor sample_weight{};
};

/// Binary cross-entropy in which elements that are right already count less: -alpha t (1 - s)^gamma log(s) -
/// (1 - alpha) (1 - t) s^gamma log(1 - s), where s = sigmoid(logits) (Lin et al., 2017, "Focal Loss for Dense Object
/// Detection", eq. 5). Targets and logits of one shape. Throws Error if gamma is negative or alpha is not in [0, 1].
[[nodiscard]] GRADLOOM_API Tensor focal(const Operand& logits, const Tensor& target, const FocalOptions& options = {});

struct HingeOptions {
  double margin = 1;
  bool squared = false;
  Reduction reduction = Reduction::mean;
  Tensor sample_weight{};
};

/// max(0, margin - target score), or its square, for targets -1 and 1, of the shape of the scores (Cortes and Vapnik,
/// 1995). Half of the gradient at the kink. Throws Error if the margin is not positive.
[[nodiscard]] GRADLOOM_API Tensor hinge(const Operand& scores, const Tensor& target, const HingeOptions& options = {});

// ---- classes

struct SoftmaxCrossEntropyOptions {
  double label_smoothing = 0;  ///< this share of every target is spread evenly over the classes (Szegedy et al., 2016)
  Tensor class_weight{};       ///< a factor of each class's term, [classes]
  Reduction reduction = Reduction::mean;
  Tensor sample_weight{};
};

/// -sum over classes of t log(softmax(logits)), for every row of logits [..., classes]. Labels are either class
/// numbers, integers [...], or probabilities t, floats [..., classes]. Stable for logits of any size. A row's share of
/// the mean is the sum of t times the classes' weights. Throws Error if the number of classes is not known,
/// label_smoothing is not in [0, 1] or class_weight not [classes]; a run throws Error for a class number out of range.
[[nodiscard]] GRADLOOM_API Tensor softmax_cross_entropy(const Operand& logits, const Tensor& labels,
                                                        const SoftmaxCrossEntropyOptions& options = {});

struct SoftmaxFocalOptions {
  double gamma = 2;
  Tensor class_weight{};  ///< [classes]
  Reduction reduction = Reduction::mean;
  Tensor sample_weight{};
};

/// focal() for classes that exclude each other: -sum over classes of t (1 - p)^gamma log(p), p = softmax(logits).
/// Labels and Errors as those of softmax_cross_entropy, and Error if gamma is negative.
[[nodiscard]] GRADLOOM_API Tensor softmax_focal(const Operand& logits, const Tensor& labels,
                                                const SoftmaxFocalOptions& options = {});

struct KlDivergenceOptions {
  bool log_target = false;  ///< targets are logarithms of probabilities too
  Reduction reduction = Reduction::mean;
  Tensor sample_weight{};
};

/// The Kullback-Leibler divergence of targets t from predictions, for every row: the sum over the last axis of
/// t (log(t) - log_prediction), where t = 0 adds 0. Takes logarithms, such as log_softmax returns; both of one shape,
/// [..., classes]. The mean is that of rows (PyTorch's "batchmean"). Throws Error for scalars.
[[nodiscard]] GRADLOOM_API Tensor kl_divergence(const Operand& log_prediction, const Tensor& target,
                                                const KlDivergenceOptions& options = {});

}  // namespace gradloom::inline v0::nn
