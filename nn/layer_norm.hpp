#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>

#include <string>

namespace gradloom::inline v0::nn {

struct LayerNormOptions {
  double epsilon = 1e-5;
  bool trainable = true;  ///< false freezes the layer: optimisers leave it alone
  std::string name{};     ///< the scope of its parameters; empty: "layer_norm_1", "layer_norm_2", ...
};

/// Layer normalisation over the last axis (see layer_norm() of the ops) with a gain, at first 1, and a bias, at first
/// 0:
/// [..., n] -> [..., n]. The first call makes "layer_norm_1/gain" [n] and "layer_norm_1/bias" [n], in the dtype of x;
/// every call uses the same ones.
class GRADLOOM_API LayerNorm {
 public:
  explicit LayerNorm(LayerNormOptions options = {}) : options_(std::move(options)) {}

  /// Throws Error for a scalar, for a last axis of unknown size or of another size than in the first call, and for a
  /// Tensor of another graph.
  Tensor operator()(const Operand& x);

  /// [n]. Empty Tensors before the first call.
  [[nodiscard]] const Tensor& gain() const { return gain_; }
  [[nodiscard]] const Tensor& bias() const { return bias_; }

 private:
  LayerNormOptions options_;
  Tensor gain_, bias_;
};

/// A fresh layer applied to x. Errors as those of LayerNorm.
[[nodiscard]] GRADLOOM_API Tensor layer_norm(const Operand& x, LayerNormOptions options = {});

}  // namespace gradloom::inline v0::nn
