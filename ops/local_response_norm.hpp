#pragma once

#include <gradloom/graph/tensor.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

struct LocalResponseNormOptions {
  int64_t size = 5;  ///< channels that are summed over: (size - 1) / 2 before, size / 2 behind, as far as there are any
  double alpha = 1e-4;
  double beta = 0.75;
  double bias = 1;
};

/// x / (bias + alpha / size * sum of x^2 over the channels around)^beta: x [..., channels] -> x's shape. Integers
/// become f32. Krizhevsky, Sutskever & Hinton 2012, ImageNet classification with deep convolutional neural networks,
/// section 3.3, with alpha / size in place of alpha, as in ONNX and PyTorch. The sums are products with a matrix of
/// zeros and ones, so infinities spread to all channels as nan. Throws Error for a scalar, for channels of unknown
/// number, and for a size below 1.
[[nodiscard]] GRADLOOM_API Tensor local_response_norm(const Operand& x, const LocalResponseNormOptions& options = {});

}  // namespace gradloom::inline v0
