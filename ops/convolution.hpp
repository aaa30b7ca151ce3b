// Convolution over one to three spatial axes, and its gradients: three bilinear ops, of which each is differentiated
// with the other two.
#pragma once

#include <gradloom/graph/shape.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/ops/padding.hpp>

#include <cstdint>
#include <vector>

namespace gradloom::inline v0 {

struct OpDef;
GRADLOOM_API extern const OpDef convolution_def;
GRADLOOM_API extern const OpDef convolution_data_gradient_def;
GRADLOOM_API extern const OpDef convolution_weight_gradient_def;

/// One number for each spatial axis, or one for all of them; none means 1.
struct ConvolutionOptions {
  std::vector<int64_t> strides{};    ///< from one window to the next
  std::vector<int64_t> dilations{};  ///< from one element of a window to the next
  Padding padding{};                 ///< with zeros
  int64_t groups = 1;  ///< parts that channels are cut into; each part of the output sees its part of the input only
};

/// Slides windows over x and multiplies each with the weights (cross-correlation, as everywhere in deep learning):
///   y[n, i, o] = sum over k, c of x[n, i * stride + k * dilation - low, c] * w[k, c, o]
/// x [batch, spatial..., in] * w [kernel..., in / groups, out] -> [batch, spatial'..., out], with one to three spatial
/// axes and size' = floor((size + low + high - (kernel - 1) * dilation - 1) / stride) + 1. groups = in is depthwise.
/// f32 and f64; other dtypes are promoted. Summed by fused multiply-adds over elements of the kernel, row-major, and
/// channels, 512 terms at most at a time; but see CompileOptions::fast_convolution. Throws Error if sizes do not fit.
///   convolution(images, w, {.strides = {2}, .padding = Pad::same})  // [n, 28, 28, 1] * [3, 3, 1, 8] -> [n, 14, 14, 8]
[[nodiscard]] GRADLOOM_API Tensor convolution(const Operand& x, const Operand& w,
                                              const ConvolutionOptions& options = {});

/// ConvolutionOptions of the convolution that is transposed, and what its stride leaves open.
struct ConvTransposeOptions {
  std::vector<int64_t> strides{};
  std::vector<int64_t> dilations{};
  Padding padding{};  ///< `same`: the result is stride times as large as x
  int64_t groups = 1;
  std::vector<int64_t> output_padding{};  ///< added to the result's sizes, less than the stride; none means 0
};

/// The transpose of a convolution (its gradient with respect to the data), which enlarges x by its strides:
/// x [batch, spatial..., in] * w [kernel..., out / groups, in] -> [batch, spatial'..., out], with
/// size' = (size - 1) * stride + (kernel - 1) * dilation + 1 - low - high + output_padding. The weights are those of
/// the convolution that leads back, as in TensorFlow. f32 and f64. Throws Error if sizes or options do not fit.
[[nodiscard]] GRADLOOM_API Tensor conv_transpose(const Operand& x, const Operand& w,
                                                 const ConvTransposeOptions& options = {});

}  // namespace gradloom::inline v0
