// Operators that move elements, or make them.
#include "onnx/onnx_call_helper.hpp"
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/classify.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/where.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gradloom::test::onnx {

Tensor from_front(const Tensor& indices, const Dim& size) {
  return where(indices < 0, indices + size.value(), indices);
}

Tensors reshaped(Call& c) {
  Ints sizes = c.ints_or_input("shape", 1);
  for (size_t k = 0; k < sizes.size(); ++k) {
    if (sizes[k] == 0 && c.i("allowzero", 0) == 0) sizes[k] = c.x().dim(static_cast<int>(k)).value();
  }
  return {reshape(c.x(), shape_of(sizes))};
}

Tensors flattened(Call& c) {
  const int axis = c.axis("axis", 1);
  Dim rows = 1, columns = 1;
  for (int k = 0; k < c.x().rank(); ++k) (k < axis ? rows : columns) = (k < axis ? rows : columns) * c.x().dim(k);
  return {reshape(c.x(), {rows, columns})};
}

Tensors unsqueezed(Call& c) {
  Ints axes = c.ints_or_input("axes", 1);
  const int64_t rank = c.x().rank() + static_cast<int64_t>(axes.size());
  for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::sort(axes.begin(), axes.end());
  Tensor y = c.x();
  for (const int64_t axis : axes) y = expand_dims(y, static_cast<int>(axis));
  return {y};
}

Tensors sliced(Call& c) {
  const Ints starts = c.ints_or_input("starts", 1), ends = c.ints_or_input("ends", 2);
  Ints axes = c.ints_or_input("axes", 3), steps = c.has(4) ? c.ints_of(4) : Ints(starts.size(), 1);
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), int64_t{0});
  }
  std::vector<Range> ranges(static_cast<size_t>(c.x().rank()));
  for (size_t k = 0; k < axes.size(); ++k) {
    const int64_t axis = axes[k] < 0 ? axes[k] + c.x().rank() : axes[k], n = sizes_of(c.x())[static_cast<size_t>(axis)];
    // Bounds beyond the axis are cut, as in NumPy; Gradloom's are not.
    const int64_t low = steps[k] > 0 ? 0 : -1, high = steps[k] > 0 ? n : n - 1;
    const auto cut = [&](int64_t at) { return std::clamp(at < 0 ? at + n : at, low, high); };
    const int64_t start = cut(starts[k]), stop = cut(ends[k]), step = steps[k];
    if (step > 0) {
      ranges[static_cast<size_t>(axis)] = {start, std::max(start, stop), step};
    } else {
      ranges[static_cast<size_t>(axis)] = {start, stop < 0 ? Dim(Range::open) : Dim(stop), step};
    }
  }
  return {slice(c.x(), ranges)};
}

Tensors split_up(Call& c) {
  const int axis = c.axis("axis", 0);
  const Ints sizes = c.ints_or_input("split", 1);
  if (sizes.empty()) return split(c.x(), static_cast<int>(c.node.outputs.size()), axis);
  return split_sizes(c.x(), shape_of(sizes), axis);
}

namespace {

/// With the elements of x that "edge" or "reflect" repeats, one axis after the other.
Tensor padded_by(const Tensor& x, const Ints& pads, const std::string& mode) {
  Tensor y = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const int64_t n = x.dim(axis).value(), low = pads[static_cast<size_t>(axis)],
                  high = pads[static_cast<size_t>(axis + x.rank())];
    Ints indices;
    for (int64_t i = -low; i < n + high; ++i) {
      const int64_t reflected = i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i;
      indices.push_back(std::clamp<int64_t>(mode == "edge" ? i : reflected, 0, n - 1));
    }
    const auto count = static_cast<int64_t>(indices.size());
    if (low != 0 || high != 0) y = gather(y, constant<int64_t>(x.graph(), {count}, indices), axis);
  }
  return y;
}

}  // namespace

Tensors padded(Call& c) {
  const Ints pads = c.opset >= 11 ? c.ints_of(1) : c.ints("pads", c.ints("paddings"));
  if (const std::string mode = c.s("mode", "constant"); mode != "constant") return {padded_by(c.x(), pads, mode)};
  const auto half = static_cast<std::ptrdiff_t>(pads.size() / 2);
  if (std::any_of(pads.begin(), pads.end(), [](int64_t n) { return n < 0; })) throw NoCounterpart{"negative padding"};
  PadOptions options{.low = shape_of(Ints(pads.begin(), pads.begin() + half)),
                     .high = shape_of(Ints(pads.begin() + half, pads.end()))};
  if (c.has(2)) options.value = c.floats_of(2)[0];
  if (c.opset < 11) options.value = c.f("value", 0);
  return {pad(c.x(), options)};
}

Tensors expanded(Call& c) {
  const Ints wanted = c.ints_of(1), have = sizes_of(c.x());
  Ints sizes(std::max(wanted.size(), have.size()));
  for (size_t k = 1; k <= sizes.size(); ++k) {
    const int64_t a = k <= wanted.size() ? wanted[wanted.size() - k] : 1,
                  b = k <= have.size() ? have[have.size() - k] : 1;
    sizes[sizes.size() - k] = a == 1 ? b : a;
  }
  return {broadcast(c.x(), shape_of(sizes))};
}

Tensors one_hot_of(Call& c) {
  const int64_t depth = c.ints_of(1)[0];
  const Tensor off_on = c.in[2];
  Tensor hot = one_hot(from_front(cast(c.x(), DType::i64), depth), depth, DType::boolean);
  int64_t axis = c.i("axis", -1);
  if (axis < 0) axis += hot.rank();
  Ints order(static_cast<size_t>(hot.rank() - 1));
  std::iota(order.begin(), order.end(), int64_t{0});
  order.insert(order.begin() + axis, hot.rank() - 1);
  return {where(transpose(hot, order), slice(off_on, 0, {1, 2}), slice(off_on, 0, {0, 1}))};
}

Tensors ranged(Call& c) {
  const auto number = [&](size_t k) { return c.floats_of(k)[0]; };
  const double start = number(0), step = number(2);
  const auto n = static_cast<int64_t>(std::max(0.0, std::ceil((number(1) - start) / step)));
  return {c.in[0] + iota(c.graph, {n}, 0, c.x().dtype()) * c.in[2]};
}

Tensors like_eye(Call& c) {
  const DType dtype = c.attribute("dtype") ? dtype_of_code(c.i("dtype", 1)) : c.x().dtype();
  const Tensor row = iota(c.graph, {c.x().dim(0), 1}, 0), column = iota(c.graph, {1, c.x().dim(1)}, 1);
  return {cast(equal(row + c.i("k", 0), column), dtype)};
}

Tensors filled(Call& c) {
  const Attribute* value = c.attribute("value");
  const Tensor one = value == nullptr ? constant(c.graph, 0) : reshape(constant_of(c.graph, value->t), {});
  return {broadcast(one, shape_of(c.ints_of(0)))};
}

}  // namespace gradloom::test::onnx
