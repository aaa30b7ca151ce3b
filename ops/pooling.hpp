// Pooling: what windows that slide over the spatial axes see, reduced to one element each. Channels come last:
// x is [batch, spatial..., channels] with one to three spatial axes, and every function works on each channel by
// itself.
//
// size' = floor((size + low + high - (window - 1) * dilation - 1) / stride) + 1; with `ceil` rounded up, for as long as
// the last window begins inside the data or its low padding. Every function throws Error for another rank, for options
// that do not fit the rank, and for windows that do not fit the data.
#pragma once

#include <gradloom/graph/shape.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/ops/padding.hpp>

#include <cstdint>
#include <vector>

namespace gradloom::inline v0 {

struct OpDef;

/// Attributes window, strides, dilations, low and high, one number for each spatial axis; the latter two are padding.
GRADLOOM_API extern const OpDef max_pool_def;
GRADLOOM_API extern const OpDef pool_sum_def;
/// Also "sizes", the Shape of the spatial axes that were pooled.
GRADLOOM_API extern const OpDef max_unpool_def;
GRADLOOM_API extern const OpDef pool_spread_def;

/// One number for each spatial axis, or one for all of them.
struct PoolOptions {
  std::vector<int64_t> window{};     ///< elements along each axis
  std::vector<int64_t> strides{};    ///< from one window to the next; none means the window
  std::vector<int64_t> dilations{};  ///< from one element of a window to the next; none means 1
  Padding padding{};                 ///< smaller than the window; what a maximum never is, and a sum has as 0
  bool ceil = false;                 ///< a last window may reach beyond the padding
  bool count_padding = true;         ///< an average divides by the padding that a window sees too
};

/// The largest element of each window, of numbers; nan if one is nan. The gradient goes to the first of equal elements.
///   max_pool(images, {.window = {2}})  // [n, 28, 28, c] -> [n, 14, 14, c]
[[nodiscard]] GRADLOOM_API Tensor max_pool(const Operand& x, const PoolOptions& options);

/// The maxima and where they are: i32, the row-major position of the element on the spatial axes of x, as in PyTorch.
struct MaxPool {
  Tensor value, index;
};
[[nodiscard]] GRADLOOM_API MaxPool max_pool_with_index(const Operand& x, const PoolOptions& options);

/// Zeros of those spatial sizes, with each element of y added where its index says: the gradient of max_pool.
/// y [batch, pooled..., channels], index of the same shape, i32; the options are those of the pooling. Every index
/// points into its own window, as those of max_pool do; another one adds nothing, which gradients do not know.
[[nodiscard]] GRADLOOM_API Tensor max_unpool(const Operand& y, const Tensor& index, const Shape& sizes,
                                             const PoolOptions& options);

/// The sum of each window, of floats; integers become f32. In order of the window's elements, row-major.
[[nodiscard]] GRADLOOM_API Tensor pool_sum(const Operand& x, const PoolOptions& options);
/// The mean of each window: pool_sum divided by the elements that the window sees, padding among them on request.
[[nodiscard]] GRADLOOM_API Tensor average_pool(const Operand& x, const PoolOptions& options);
/// (sum of |x|^p)^(1/p) over each window, p > 0. The gradient of a window of zeros is 0.
[[nodiscard]] GRADLOOM_API Tensor lp_pool(const Operand& x, double p, const PoolOptions& options);

/// Over all of the spatial axes: [batch, spatial..., channels] -> [batch, channels].
[[nodiscard]] GRADLOOM_API Tensor global_max_pool(const Operand& x);
[[nodiscard]] GRADLOOM_API Tensor global_average_pool(const Operand& x);
[[nodiscard]] GRADLOOM_API Tensor global_lp_pool(const Operand& x, double p);

/// Into `sizes`, one for each spatial axis or one for all: window i of m spans floor(i * n / m) to ceil((i + 1) * n /
/// m) of n elements, as in PyTorch, so that windows differ in size and overlap where m does not divide n, which must be
/// known. Where equal elements of such a window tie, the gradient of the maximum is shared among them.
[[nodiscard]] GRADLOOM_API Tensor adaptive_max_pool(const Operand& x, const std::vector<int64_t>& sizes);
[[nodiscard]] GRADLOOM_API Tensor adaptive_average_pool(const Operand& x, const std::vector<int64_t>& sizes);

}  // namespace gradloom::inline v0
