// Axes in Gradloom's order, and pooling.
#include "onnx/onnx_call_helper.hpp"
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/mod.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/pooling.hpp>

#include <algorithm>
#include <functional>
#include <numeric>

namespace gradloom::test::onnx {

Tensor channels_last(const Tensor& x) {
  Ints order(static_cast<size_t>(x.rank()));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return transpose(x, order);
}
Tensor channels_first(const Tensor& x) {
  Ints order(static_cast<size_t>(x.rank()));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::rotate(order.begin() + 1, order.end() - 1, order.end());
  return transpose(x, order);
}

Padding padding_of(const Call& c, const Ints& window) {
  const std::string rule = c.s("auto_pad", "NOTSET");
  if (rule == "SAME_UPPER") return Pad::same;
  if (rule == "SAME_LOWER") {
    // As much as Pad::same, but an odd one in front.
    const Ints strides = c.ints("strides", Ints(window.size(), 1)),
               dilations = c.ints("dilations", Ints(window.size(), 1));
    Ints low, high;
    for (size_t k = 0; k < window.size(); ++k) {
      const int64_t n = sizes_of(c.x())[k + 2], windows = (n + strides[k] - 1) / strides[k];
      const int64_t reach = (windows - 1) * strides[k] + (window[k] - 1) * dilations[k] + 1;
      high.push_back(std::max<int64_t>(reach - n, 0) / 2);
      low.push_back(std::max<int64_t>(reach - n, 0) - high.back());
    }
    return Padding::sides(low, high);
  }
  const Ints pads = c.ints("pads");
  if (rule == "VALID" || pads.empty()) return Pad::valid;
  const auto half = static_cast<std::ptrdiff_t>(pads.size() / 2);
  return Padding::sides(Ints(pads.begin(), pads.begin() + half), Ints(pads.begin() + half, pads.end()));
}

namespace {

PoolOptions windows_of(const Call& c) {
  const Ints window = c.ints("kernel_shape");
  return {.window = window,
          .strides = c.ints("strides", Ints(window.size(), 1)),
          .dilations = c.ints("dilations"),
          .padding = padding_of(c, window),
          .ceil = c.i("ceil_mode", 0) != 0,
          .count_padding = c.i("count_include_pad", 0) != 0};
}

int64_t product(const Ints& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
}
Ints spatial_of(const Tensor& x) {
  Ints sizes = sizes_of(x);
  sizes.erase(sizes.begin(), sizes.begin() + 2);
  return sizes;
}

/// Positions in row-major order as those in column-major order.
Tensor in_columns(const Tensor& position, const Ints& sizes) {
  Tensor rest = position, column;
  int64_t stride = product(sizes);
  for (size_t k = sizes.size(); k-- > 0;) {
    stride /= sizes[k];
    const Tensor part = mod(rest, sizes[k]) * stride;
    column = column.valid() ? column + part : part;
    rest = rest / sizes[k];
  }
  return column;
}

}  // namespace

Tensors averaged_windows(Call& c) { return {channels_first(average_pool(channels_last(c.x()), windows_of(c)))}; }

/// ONNX numbers the elements of the whole tensor, Gradloom those of an image's channel.
Tensors largest_of_windows(Call& c) {
  const MaxPool pooled = max_pool_with_index(channels_last(c.x()), windows_of(c));
  const Ints image = spatial_of(c.x());
  Tensor index = cast(channels_first(pooled.index), DType::i64);
  if (c.i("storage_order", 0) != 0) index = in_columns(index, image);
  const Tensor of_channel = iota(c.graph, index.shape(), 0) * c.x().dim(1).value() + iota(c.graph, index.shape(), 1);
  return {channels_first(pooled.value), index + of_channel * product(image)};
}

Tensors unpooled(Call& c) {
  if (c.has(2)) throw NoCounterpart{"MaxUnpool into another shape than that which was pooled"};
  const PoolOptions windows = windows_of(c);
  if (windows.padding.given()) throw NoCounterpart{"MaxUnpool with padding"};
  Ints sizes = spatial_of(c.x());
  for (size_t k = 0; k < sizes.size(); ++k) sizes[k] = (sizes[k] - 1) * windows.strides[k] + windows.window[k];
  const Tensor index = cast(mod(c.in[1], product(sizes)), DType::i32);
  return {channels_first(max_unpool(channels_last(c.x()), channels_last(index), shape_of(sizes), windows))};
}

}  // namespace gradloom::test::onnx
