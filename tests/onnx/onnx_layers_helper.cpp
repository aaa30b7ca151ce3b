// Products, norms and losses.
#include "onnx/onnx_call_helper.hpp"
#include <gradloom/nn/losses.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/convolution.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/layer_norm.hpp>
#include <gradloom/ops/local_response_norm.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/softmax.hpp>
#include <gradloom/ops/where.hpp>

#include <algorithm>
#include <numeric>

namespace gradloom::test::onnx {

namespace {

/// [a, b, kernel...] -> [kernel..., b, a]
Tensor channels_behind(const Tensor& weights) {
  Ints order(static_cast<size_t>(weights.rank()));
  std::iota(order.begin(), order.end(), int64_t{2});
  order[order.size() - 2] = 1;
  order[order.size() - 1] = 0;
  return transpose(weights, order);
}

/// The spatial sizes of weights [a, b, kernel...].
Ints kernel_of(const Call& c) {
  Ints sizes = sizes_of(c.in[1]);
  sizes.erase(sizes.begin(), sizes.begin() + 2);
  return sizes;
}

/// The weight of every label's class, and 0 for those to ignore; and the labels, which are then in range.
struct Weighted {
  Tensor labels, weight;
};
Weighted weighted(const Call& c) {
  Tensor labels = c.in[1], weight;
  if (c.attribute("ignore_index") != nullptr) {
    const Tensor counts = not_equal(labels, static_cast<long>(c.i("ignore_index", 0)));
    labels = where(counts, labels, 0);
    weight = cast(counts, c.x().dtype());
  }
  return {labels, weight};
}

nn::Reduction reduction_of(const Call& c) {
  const std::string name = c.s("reduction", "mean");
  return name == "mean" ? nn::Reduction::mean : name == "sum" ? nn::Reduction::sum : nn::Reduction::none;
}

}  // namespace

// ---- products

Tensors gemm(Call& c) {
  Tensor y = matmul(c.x(), c.in[1], {.transpose_a = c.i("transA", 0) != 0, .transpose_b = c.i("transB", 0) != 0});
  if (const double alpha = c.f("alpha", 1); alpha != 1) y = alpha * y;
  if (c.has(2)) y = y + c.f("beta", 1) * c.in[2];
  return {y};
}

Tensors convolved(Call& c) {
  Tensor y = convolution(channels_last(c.x()), channels_behind(c.in[1]),
                         {.strides = c.ints("strides"),
                          .dilations = c.ints("dilations"),
                          .padding = padding_of(c, kernel_of(c)),
                          .groups = c.i("group", 1)});
  if (c.has(2)) y = y + c.in[2];
  return {channels_first(y)};
}

Tensors transposed_convolution(Call& c) {
  const Ints input = sizes_of(c.x()), kernel = kernel_of(c);
  const std::string rule = c.s("auto_pad", "NOTSET");
  Ints sizes = c.ints("output_shape"), strides = c.ints("strides", Ints(kernel.size(), 1)),
       dilations = c.ints("dilations", Ints(kernel.size(), 1)), behind = c.ints("output_padding");
  if (sizes.empty() && rule != "NOTSET" && rule != "VALID") {
    for (size_t k = 0; k < kernel.size(); ++k) sizes.push_back(input[k + 2] * strides[k]);
  }
  Padding padding = Pad::valid;
  if (sizes.empty()) {
    padding = padding_of(c, kernel);
  } else {
    // The padding is what makes the result as large as that, half of it on either side; less than none lengthens it.
    Ints low(kernel.size()), high(kernel.size());
    behind.resize(kernel.size());
    for (size_t k = 0; k < kernel.size(); ++k) {
      const int64_t total = strides[k] * (input[k + 2] - 1) + behind[k] + (kernel[k] - 1) * dilations[k] + 1 - sizes[k];
      const int64_t pads = std::max<int64_t>(total, 0);
      behind[k] += pads - total;
      low[k] = rule == "SAME_LOWER" ? pads - pads / 2 : pads / 2;
      high[k] = pads - low[k];
    }
    padding = Padding::sides(low, high);
  }
  Tensor y = conv_transpose(channels_last(c.x()), channels_behind(c.in[1]),
                            {.strides = strides,
                             .dilations = dilations,
                             .padding = padding,
                             .groups = c.i("group", 1),
                             .output_padding = behind});
  if (c.has(2)) y = y + c.in[2];
  return {channels_first(y)};
}

// ---- norms and losses

Tensors layer_normalized(Call& c) {
  const int axis = c.axis("axis", -1);
  const double epsilon = c.f("epsilon", 1e-5);
  Dim rows = 1, columns = 1;
  for (int k = 0; k < c.x().rank(); ++k) (k < axis ? rows : columns) = (k < axis ? rows : columns) * c.x().dim(k);
  const Tensor flat = reshape(c.x(), {rows, columns}), gain = reshape(c.in[1], {columns});
  const Tensor bias = c.has(2) ? reshape(c.in[2], {columns}) : zeros_like(gain);
  std::vector<Dim> kept = c.x().shape().dims();
  for (size_t k = static_cast<size_t>(axis); k < kept.size(); ++k) kept[k] = 1;
  const ReduceOptions over{.axes = {1}};
  return {reshape(layer_norm(flat, gain, bias, epsilon), c.x().shape()), reshape(mean(flat, over), Shape(kept)),
          reshape(rsqrt(variance(flat, over) + epsilon), Shape(kept))};
}

Tensors cross_entropy(Call& c) {
  const Tensor logits = channels_last(c.x());
  const auto [labels, weight] = weighted(c);
  const Tensor loss = nn::softmax_cross_entropy(
      logits, labels,
      {.class_weight = c.has(2) ? c.in[2] : Tensor(), .reduction = reduction_of(c), .sample_weight = weight});
  return {loss, log_softmax(c.x(), 1)};
}

Tensors negative_log_likelihood(Call& c) {
  const auto [labels, mask] = weighted(c);
  Tensor weight = mask;
  if (c.has(2)) {
    const Tensor of_class = gather(c.in[2], labels);
    weight = mask.valid() ? mask * of_class : of_class;
  }
  const Tensor losses = -squeeze(take_along_axis(c.x(), expand_dims(labels, 1), 1), {1});
  const Tensor all = weight.valid() ? losses * weight : losses;
  switch (reduction_of(c)) {
    case nn::Reduction::mean:
      return {weight.valid() ? sum(all) / sum(weight) : mean(all)};
    case nn::Reduction::sum:
      return {sum(all)};
    default:
      return {all};
  }
}

Tensors batch_normalized(Call& c) {
  if (c.i("training_mode", 0) != 0) return normalized_in_training(c);
  const Tensor x = channels_last(c.x());
  return {channels_first((x - c.in[3]) * rsqrt(c.in[4] + c.f("epsilon", 1e-5)) * c.in[1] + c.in[2])};
}

Tensors normalized_instances(Call& c) {
  Ints axes(static_cast<size_t>(c.x().rank() - 2));
  std::iota(axes.begin(), axes.end(), int64_t{1});
  const Tensor x = channels_last(c.x());
  const ReduceOptions over{.axes = axes, .keepdims = true};
  return {channels_first((x - mean(x, over)) * rsqrt(variance(x, over) + c.f("epsilon", 1e-5)) * c.in[1] + c.in[2])};
}

Tensors normalized_responses(Call& c) {
  return {channels_first(local_response_norm(
      channels_last(c.x()),
      {.size = c.i("size", 0), .alpha = c.f("alpha", 1e-4), .beta = c.f("beta", 0.75), .bias = c.f("bias", 1)}))};
}

}  // namespace gradloom::test::onnx
