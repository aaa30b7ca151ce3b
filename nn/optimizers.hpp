// Optimisers: functions from a loss to updates of its parameters, as nodes of the same graph.
//
//     Program train = compile({.outputs = {loss}, .updates = nn::adam(loss, {.learning_rate = 1e-3})});
//
// In the formulas g is the gradient of the loss with respect to a parameter p, after clipping: `clip_value` clamps
// every element to +-clip_value; then `clip_global_norm` scales all gradients alike, so that their norm, as one long
// vector, is at most that (Pascanu et al., 2013); 0 leaves either out. What an optimiser keeps between steps are
// frozen parameters of the graph, zero at first, and so part of the State: "adam/dense_1/weight/m", and "adam/step"
// (i64), which counts its steps if the formula or the schedule needs it. A second adam in the same graph uses
// "adam_2". All results agree with PyTorch's optimisers of that name, where it has one.
//
// `groups` treat some parameters otherwise, by factors of the learning rate and of the weight decay:
//
//     nn::adam(loss, {.groups = {{.parameters = encoder, .learning_rate = 0.1}, {.parameters = biases, .weight_decay =
//     0}}})
//
// `accumulate` > 1 makes an update of the mean of so many steps' gradients, in the last of them: a large batch in
// pieces of the same size. Until then parameters and slots keep their values; the sums are slots too
// ("adam/W/gradient").
//
// Of a parameter of bf16, what rounding leaves is a slot of bf16 too ("adam/W/rest"): in the formulas p is the sum of
// both, and all else is f32.
//
// Every optimiser updates `parameters`, or if none are given the parameters that the loss depends on; frozen ones are
// left out. Throws Error if none is left, if one is no parameter, if the loss is not a scalar, and as gradients() does;
// for a parameter in two groups or a factor below 0; and if `accumulate` is not positive.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/nn/schedules.hpp>

#include <vector>

namespace gradloom::inline v0::nn {

/// Parameters that an optimiser treats otherwise than the rest. Those it does not have are left out.
struct ParameterGroup {
  std::vector<Tensor> parameters{};
  double learning_rate = 1;  ///< a factor; 0: they are frozen
  double weight_decay = 1;   ///< a factor; 0: they do not decay
};

struct GradientDescentOptions {
  Schedule learning_rate = 0.01;
  double weight_decay = 0;  ///< g += weight_decay p
  double clip_value = 0;
  double clip_global_norm = 0;
  std::vector<Tensor> parameters{};
  std::vector<ParameterGroup> groups{};
  int64_t accumulate = 1;
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
  std::vector<ParameterGroup> groups{};
  int64_t accumulate = 1;
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
  std::vector<ParameterGroup> groups{};
  int64_t accumulate = 1;
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
  std::vector<ParameterGroup> groups{};
  int64_t accumulate = 1;
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
  std::vector<ParameterGroup> groups{};
  int64_t accumulate = 1;
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
  std::vector<ParameterGroup> groups{};
  int64_t accumulate = 1;
};

/// AdamW: Adam after p -= learning_rate weight_decay p, a decay beside the gradient and not part of it. (Loshchilov and
/// Hutter, 2019, "Decoupled Weight Decay Regularization", algorithm 2; the decay is scaled by the learning rate as in
/// PyTorch.)
[[nodiscard]] GRADLOOM_API std::vector<Update> adamw(const Operand& loss, const AdamwOptions& options = {});

struct AdadeltaOptions {
  Schedule learning_rate = 1.0;
  double decay = 0.9;  ///< of both averages of squares
  double epsilon = 1e-6;
  double weight_decay = 0;  ///< g += weight_decay p
  double clip_value = 0;
  double clip_global_norm = 0;
  std::vector<Tensor> parameters{};
  std::vector<ParameterGroup> groups{};
  int64_t accumulate = 1;
};

/// Adadelta: v = decay v + (1 - decay) g^2; d = sqrt(u + epsilon) / sqrt(v + epsilon) g; u = decay u + (1 - decay) d^2;
/// p -= learning_rate d. (Zeiler, 2012, "ADADELTA: An Adaptive Learning Rate Method", algorithm 1.)
[[nodiscard]] GRADLOOM_API std::vector<Update> adadelta(const Operand& loss, const AdadeltaOptions& options = {});

struct AdamaxOptions {
  Schedule learning_rate = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  ///< g += weight_decay p
  double clip_value = 0;
  double clip_global_norm = 0;
  std::vector<Tensor> parameters{};
  std::vector<ParameterGroup> groups{};
  int64_t accumulate = 1;
};

/// AdaMax, Adam by the largest gradient: m = beta1 m + (1 - beta1) g; u = max(beta2 u, |g| + epsilon);
/// p -= learning_rate / (1 - beta1^t) m / u. (Kingma and Ba, 2015, algorithm 2; epsilon as in PyTorch.)
[[nodiscard]] GRADLOOM_API std::vector<Update> adamax(const Operand& loss, const AdamaxOptions& options = {});

struct NadamOptions {
  Schedule learning_rate = 2e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double momentum_decay = 4e-3;
  double weight_decay = 0;  ///< g += weight_decay p
  double clip_value = 0;
  double clip_global_norm = 0;
  std::vector<Tensor> parameters{};
  std::vector<ParameterGroup> groups{};
  int64_t accumulate = 1;
};

/// NAdam, Adam with Nesterov's momentum: with mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2), m and v as in Adam,
/// p -= learning_rate (mu_t+1 m / (1 - mu_1 ... mu_t+1) + (1 - mu_t) g / (1 - mu_1 ... mu_t)) /
/// (sqrt(v / (1 - beta2^t)) + epsilon). (Dozat, 2016, "Incorporating Nesterov Momentum into Adam", algorithm 8.)
[[nodiscard]] GRADLOOM_API std::vector<Update> nadam(const Operand& loss, const NadamOptions& options = {});

struct RadamOptions {
  Schedule learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  ///< g += weight_decay p
  double clip_value = 0;
  double clip_global_norm = 0;
  std::vector<Tensor> parameters{};
  std::vector<ParameterGroup> groups{};
  int64_t accumulate = 1;
};

/// RAdam, Adam whose first steps do not divide by a variance that is known badly yet: with R = 2 / (1 - beta2) - 1 and
/// r = R - 2 t beta2^t / (1 - beta2^t), p -= learning_rate m / (1 - beta1^t) up to r = 5, and that times
/// sqrt((r - 4) (r - 2) R / ((R - 4) (R - 2) r)) sqrt(1 - beta2^t) / (sqrt(v) + epsilon) beyond. (Liu et al., 2020, "On
/// the Variance of the Adaptive Learning Rate and Beyond", algorithm 2.)
[[nodiscard]] GRADLOOM_API std::vector<Update> radam(const Operand& loss, const RadamOptions& options = {});

struct LionOptions {
  Schedule learning_rate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0;
  double clip_value = 0;
  double clip_global_norm = 0;
  std::vector<Tensor> parameters{};
  std::vector<ParameterGroup> groups{};
  int64_t accumulate = 1;
};

/// Lion, steps of one size: p -= learning_rate (sign(beta1 m + (1 - beta1) g) + weight_decay p);
/// m = beta2 m + (1 - beta2) g. (Chen et al., 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2.)
[[nodiscard]] GRADLOOM_API std::vector<Update> lion(const Operand& loss, const LionOptions& options = {});

struct LambOptions {
  Schedule learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-6;
  double weight_decay = 0.01;
  double clip_value = 0;
  double clip_global_norm = 0;
  std::vector<Tensor> parameters{};
  std::vector<ParameterGroup> groups{};
  int64_t accumulate = 1;
};

/// LAMB, for large batches: with u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + weight_decay p, m and v
/// as in Adam, p -= learning_rate |p| / |u| u, in Euclidean norms of the whole parameter; the quotient is 1 where |p|
/// or |u| is 0. (You et al., 2020, "Large Batch Optimization for Deep Learning", algorithm 2.)
[[nodiscard]] GRADLOOM_API std::vector<Update> lamb(const Operand& loss, const LambOptions& options = {});

struct AdafactorOptions {
  Schedule learning_rate = 1e-2;  ///< at most; the step is relative to the size of the parameter
  double beta2_decay = 0.8;
  double epsilon1 = 1e-30;  ///< added to g^2
  double epsilon2 = 1e-3;   ///< the least size of a parameter
  double clip = 1;          ///< of the root mean square of a step
  double weight_decay = 0;
  double clip_value = 0;
  double clip_global_norm = 0;
  std::vector<Tensor> parameters{};
  std::vector<ParameterGroup> groups{};
  int64_t accumulate = 1;
};

/// Adafactor, which keeps a row and a column of squares in place of a matrix of them: with
/// b = 1 - t^-beta2_decay, s = b s + (1 - b) mean(g^2 + epsilon1) over rows and over columns, v their product over the
/// mean of either (of fewer than two axes: v = b v + (1 - b) (g^2 + epsilon1)); u = g / sqrt(v);
/// p -= learning_rate weight_decay p; p -= max(epsilon2, rms(p)) min(learning_rate, 1 / sqrt(t)) u / max(1, rms(u) /
/// clip). More than two axes are a stack of matrices. (Shazeer and Stern, 2018, "Adafactor", algorithms 4 to 6.)
[[nodiscard]] GRADLOOM_API std::vector<Update> adafactor(const Operand& loss, const AdafactorOptions& options = {});

}  // namespace gradloom::inline v0::nn
