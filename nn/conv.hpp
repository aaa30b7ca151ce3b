#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/nn/initializers.hpp>
#include <gradloom/ops/convolution.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace gradloom::inline v0::nn {

struct ConvOptions {
  std::vector<int64_t> strides{};    ///< one for each spatial axis, or one for all; none means 1
  std::vector<int64_t> dilations{};  ///< likewise
  Padding padding{};
  int64_t groups = 1;
  bool bias = true;
  Initializer weight = he();
  Initializer bias_init = zeros();
  bool trainable = true;  ///< false freezes the layer: optimisers leave it alone
  std::string name{};     ///< the scope of its parameters; empty: "conv_1", "conv_2", ...
};

/// A convolutional layer over one to three spatial axes: y = convolution(x, weight) + bias, [batch, spatial..., in] ->
/// [batch, spatial'..., channels]. The first call makes the parameters, in the graph of its input and the scopes open
/// then: "conv_1/weight" [window..., in / groups, channels] and "conv_1/bias" [channels], in f64 if the input is f64,
/// else in f32. Every call uses the same ones.
///
///     nn::Conv features(32, {3}, {.padding = Pad::same});
///     Tensor distance = norm(features(a) - features(b));
class GRADLOOM_API Conv {
 public:
  /// `window` has one number for each spatial axis, or one for all. Throws Error if `channels` or a number is not
  /// positive.
  Conv(int64_t channels, std::vector<int64_t> window, ConvOptions options = {},
       SourceLocation location = SourceLocation::current());

  /// Throws Error for another rank, for channels of unknown number or of another one than in the first call, for a
  /// Tensor of another graph, and for what convolution() refuses.
  Tensor operator()(const Operand& x);

  /// [window..., in / groups, channels]. An empty Tensor before the first call.
  [[nodiscard]] const Tensor& weight() const { return weight_; }
  /// [channels]. An empty Tensor before the first call, or without a bias.
  [[nodiscard]] const Tensor& bias() const { return bias_; }

 private:
  int64_t channels_;
  std::vector<int64_t> window_;
  ConvOptions options_;
  Tensor weight_, bias_;
};

/// A fresh layer applied to x. Errors as those of Conv.
///   nn::conv(images, 32, {5}, {.padding = Pad::same})  // [n, 28, 28, 1] -> [n, 28, 28, 32]
[[nodiscard]] GRADLOOM_API Tensor conv(const Operand& x, int64_t channels, std::vector<int64_t> window,
                                       ConvOptions options = {});

struct ConvTransposeLayerOptions {
  std::vector<int64_t> strides{};
  std::vector<int64_t> dilations{};
  Padding padding{};
  int64_t groups = 1;
  std::vector<int64_t> output_padding{};
  bool bias = true;
  Initializer weight = glorot();
  Initializer bias_init = zeros();
  bool trainable = true;
  std::string name{};  ///< empty: "conv_transpose_1", ...
};

/// y = conv_transpose(x, weight) + bias, which enlarges x by its strides: [batch, spatial..., in] -> [batch,
/// spatial'..., channels]. Parameters as those of Conv: "weight" is [window..., channels / groups, in].
class GRADLOOM_API ConvTranspose {
 public:
  /// Throws Error if `channels` or a number of the window is not positive.
  ConvTranspose(int64_t channels, std::vector<int64_t> window, ConvTransposeLayerOptions options = {},
                SourceLocation location = SourceLocation::current());

  /// Errors as those of Conv.
  Tensor operator()(const Operand& x);

  [[nodiscard]] const Tensor& weight() const { return weight_; }
  [[nodiscard]] const Tensor& bias() const { return bias_; }

 private:
  int64_t channels_;
  std::vector<int64_t> window_;
  ConvTransposeLayerOptions options_;
  Tensor weight_, bias_;
};

/// A fresh layer applied to x. Errors as those of ConvTranspose.
[[nodiscard]] GRADLOOM_API Tensor conv_transpose(const Operand& x, int64_t channels, std::vector<int64_t> window,
                                                 ConvTransposeLayerOptions options = {});

}  // namespace gradloom::inline v0::nn
