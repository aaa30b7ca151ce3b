#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/nn/initializers.hpp>

#include <string>

namespace gradloom::inline v0::nn {

struct BatchNormOptions {
  double epsilon = 1e-5;
  double momentum = 0.1;  ///< the weight of a batch in the running statistics
  bool gain = true;
  bool bias = true;
  Initializer gain_init = constant(1);
  Initializer bias_init = zeros();
  bool trainable = true;  ///< false freezes gain and bias; running statistics go on
  std::string name{};     ///< the scope of its parameters; empty: "batch_norm_1", "batch_norm_2", ...
};

/// Batch normalisation: y = (x - mean) / sqrt(variance + epsilon) * gain + bias for each channel, x [..., channels] ->
/// x's shape. In training, mean and variance are those of x over all axes but the last, the variance divided by their
/// number n of elements; and every run moves the running statistics in the State towards them, the variance as n / (n -
/// 1) of that, the unbiased estimate, as PyTorch does. In inference the running statistics take their place. Ioffe &
/// Szegedy 2015, Batch normalization.
///
/// The first call makes the parameters [channels]: "batch_norm_1/gain", "/bias" and, which optimisers leave alone,
/// "/running_mean" and "/running_variance", in f64 if the input is f64, else in f32. Every call uses the same ones; the
/// running statistics move once for each.
class GRADLOOM_API BatchNorm {
 public:
  /// Throws Error unless 0 <= momentum <= 1.
  explicit BatchNorm(BatchNormOptions options = {}, SourceLocation location = SourceLocation::current());

  /// Throws Error for fewer than two axes, for channels of unknown number or of another one than in the first call, and
  /// for a Tensor of another graph.
  Tensor operator()(const Operand& x);

  /// Empty Tensors before the first call, or where there is none.
  [[nodiscard]] const Tensor& gain() const { return gain_; }
  [[nodiscard]] const Tensor& bias() const { return bias_; }
  [[nodiscard]] const Tensor& running_mean() const { return running_mean_; }
  [[nodiscard]] const Tensor& running_variance() const { return running_variance_; }

 private:
  void make_parameters(const Operand& x);

  BatchNormOptions options_;
  Tensor gain_, bias_, running_mean_, running_variance_;
  Tensor next_mean_, next_variance_;  // of the running statistics, after the calls so far
};

/// A fresh layer applied to x. Errors as those of BatchNorm.
[[nodiscard]] GRADLOOM_API Tensor batch_norm(const Operand& x, BatchNormOptions options = {});

}  // namespace gradloom::inline v0::nn
