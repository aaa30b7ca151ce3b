#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/nn/initializers.hpp>

#include <cstdint>
#include <string>

namespace gradloom::inline v0::nn {

struct DenseOptions {
  bool bias = true;
  Initializer weight = glorot();
  Initializer bias_init = zeros();
  DType storage = DType::f32;  ///< of the weight: f32 (f64 for an input of f64), or bf16 in half the memory
  bool trainable = true;       ///< false freezes the layer: optimisers leave it alone
  std::string name{};          ///< the scope of its parameters; empty: "dense_1", "dense_2", ...
};

/// A fully connected layer: y = x weight + bias, [..., in] -> [..., units]. The first call makes the parameters, in the
/// graph of its input and the scopes open then: "dense_1/weight" [in, units] and "dense_1/bias" [units], in f64 if the
/// input is f64, else in f32. Every call uses the same ones.
///
///     nn::Dense encode(64);
///     Tensor distance = norm(encode(a) - encode(b));
class GRADLOOM_API Dense {
 public:
  /// Throws Error if `units` is not positive, or the storage is neither f32 nor bf16.
  explicit Dense(int64_t units, DenseOptions options = {}, SourceLocation location = SourceLocation::current());

  /// Throws Error for a scalar, for a last axis of unknown size or of another size than in the first call, and for a
  /// Tensor of another graph.
  Tensor operator()(const Operand& x);

  /// [in, units]. An empty Tensor before the first call.
  [[nodiscard]] const Tensor& weight() const { return weight_; }
  /// [units]. An empty Tensor before the first call, or without a bias.
  [[nodiscard]] const Tensor& bias() const { return bias_; }

 private:
  void make_parameters(const Operand& x);

  int64_t units_;
  DenseOptions options_;
  Tensor weight_, bias_;
};

/// A fresh layer applied to x: [..., in] -> [..., units]. Errors as those of Dense.
[[nodiscard]] GRADLOOM_API Tensor dense(const Operand& x, int64_t units, DenseOptions options = {});

}  // namespace gradloom::inline v0::nn
