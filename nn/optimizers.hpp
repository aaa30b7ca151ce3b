// Optimisers: functions from a loss to updates of its parameters, as nodes of the same graph.
//
//     Program train = compile({.outputs = {loss}, .updates = nn::adam(loss, {.learning_rate = 1e-3})});
//
// In the formulas g is the gradient of the loss with respect to a parameter p, after clipping: `clip_value` clamps
// every element to +-clip_value; then `clip_global_norm` scales all gradients alike, so that their norm, as one long
// vector, is at most that (Pascanu et al., 2013); 0 leaves either out. What an optimiser keeps between steps are
// frozen parameters of the graph, zero at first, and so part of the State: "adam/dense_1/weight/m", and "adam/step"
// (i64), which counts its steps if the formula or the schedule needs it. A second adam in the same graph uses
// "adam_2". All results agree with PyTorch's optimisers of that name.
//
// Every optimiser updates `parameters`, or if none are given the parameters that the loss depends on; frozen ones are
// left out. Throws Error if none is left, if one is no parameter, if the loss is not a scalar, and as gradients() does.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/nn/schedules.hpp>

#include <vector>

namespace gradloom::inline v0::nn {

struct GradientDescentOptions {
  Schedule learning_rate = 0.01;
  double weight_decay = 0;  ///< g += weight_decay p
  double clip_value = 0;
  double clip_global_norm = 0;
  std::vector<Tensor> parameters{};
};

/// Gradient descent: p -= learning_rate g. Stochastic (SGD) when the loss is that of a random batch.
[[nodiscard]] GRADLOOM_API std::vector<Update> gradient_descent(const Operand& loss,
                                                                const GradientDescentOptions& options = {});

struct MomentumOptions {
  Schedule learning_rate = 0.01;
  double momentum = 0.9;
  double weight_decay = 0;  ///< g += weight_decay p
  double clip_value = 0;
  double clip_global_norm = 0;
  std::vector<Tensor> parameters{};
};

/// Heavy-ball momentum: velocity = momentum velocity + g; p -= learning_rate velocity. (Polyak, 1964, in the form of
/// Sutskever et al., 2013, with the learning rate outside the velocity.)
[[nodiscard]] GRADLOOM_API std::vector<Update> momentum(const Operand& loss, const MomentumOptions& options = {});

/// Nesterov's momentum: velocity = momentum velocity + g; p -= learning_rate (g + momentum velocity). (Nesterov, 1983,
/// in the form of Sutskever et al., 2013, "On the importance of initialization and momentum in deep learning".)
[[nodiscard]] GRADLOOM_API std::vector<Update> nesterov(const Operand& loss, const MomentumOptions& options = {});

struct RmspropOptions {
  Schedule learning_rate = 0.01;
  double decay = 0.99;  ///< of the average of squares
  double epsilon = 1e-8;
  double clip_value = 0;
  double clip_global_norm = 0;
  std::vector<Tensor> parameters{};
};

/// RMSprop: v = decay v + (1 - decay) g^2; p -= learning_rate g / (sqrt(v) + epsilon). (Hinton, 2012, lecture 6e.)
[[nodiscard]] GRADLOOM_API std::vector<Update> rmsprop(const Operand& loss, const RmspropOptions& options = {});

struct AdagradOptions {
  Schedule learning_rate = 0.01;
  double initial_accumulator = 0;  ///< of the first sum of squares
  double epsilon = 1e-10;
  double clip_value = 0;
  double clip_global_norm = 0;
  std::vector<Tensor> parameters{};
};

/// Adagrad: s += g^2; p -= learning_rate g / (sqrt(s) + epsilon). (Duchi et al., 2011, "Adaptive Subgradient Methods".)
[[nodiscard]] GRADLOOM_API std::vector<Update> adagrad(const Operand& loss, const AdagradOptions& options = {});

struct AdamOptions {
  Schedule learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double clip_value = 0;
  double clip_global_norm = 0;
  std::vector<Tensor> parameters{};
};

/// Adam, in step t = 1, 2, ...: m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
/// p -= learning_rate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon). (Kingma and Ba, 2015, algorithm 1;
/// as in PyTorch 1.13, epsilon is added after the bias correction.)
[[nodiscard]] GRADLOOM_API std::vector<Update> adam(const Operand& loss, const AdamOptions& options = {});

struct AdamwOptions {
  Schedule learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  /// Which parameters decay; null: all. Usual: `[](const Tensor& p) { return p.rank() > 1; }`, no biases and no gains.
  bool (*decays)(const Tensor& parameter) = nullptr;
  std::vector<Tensor> without_decay{};  ///< further ones that do not
  double clip_value = 0;
  double clip_global_norm = 0;
  std::vector<Tensor> parameters{};
};

/// AdamW: Adam after p -= learning_rate weight_decay p, a decay beside the gradient and not part of it. (Loshchilov and
/// Hutter, 2019, "Decoupled Weight Decay Regularization", algorithm 2; the decay is scaled by the learning rate as in
/// PyTorch.)
[[nodiscard]] GRADLOOM_API std::vector<Update> adamw(const Operand& loss, const AdamwOptions& options = {});

}  // namespace gradloom::inline v0::nn
