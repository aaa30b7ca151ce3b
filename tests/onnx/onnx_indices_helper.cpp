// Operators that pick elements by indices, or put them there.
#include "onnx/onnx_call_helper.hpp"
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/where.hpp>

namespace gradloom::test::onnx {

/// The condition is a value: how many elements are left makes the shape.
Tensors compressed(Call& c) {
  const Ints condition = c.ints_of(1);
  Ints kept;
  for (size_t i = 0; i < condition.size(); ++i) {
    if (condition[i] != 0) kept.push_back(static_cast<int64_t>(i));
  }
  const Tensor indices = constant<int64_t>(c.graph, {static_cast<int64_t>(kept.size())}, kept);
  if (c.attribute("axis") == nullptr) return {gather(reshape(c.x(), {-1}), indices)};
  return {gather(c.x(), indices, c.axis("axis", 0))};
}

Tensors reversed_sequences(Call& c) {
  const int time = c.axis("time_axis", 0), batch = c.axis("batch_axis", 1);
  const Tensor step = iota(c.graph, c.x().shape(), time);
  Tensor length = c.in[1];
  for (int behind = batch + 1; behind < c.x().rank(); ++behind) length = expand_dims(length, -1);
  return {take_along_axis(c.x(), where(step < length, length - 1 - step, step), time)};
}

namespace {

/// x with its first axes as one, and the indices of elements of that: [..., k] names elements of the first k axes.
struct Points {
  Tensor x, indices;
};
Points points_of(const Call& c) {
  const Ints sizes = sizes_of(c.x());
  const int64_t named = c.in[1].dim(-1).value();
  Tensor flat;
  for (int64_t k = 0; k < named; ++k) {
    const Tensor index = squeeze(slice(c.in[1], -1, {k, k + 1}), {-1});
    const Tensor here = from_front(index, sizes[static_cast<size_t>(k)]);
    flat = flat.valid() ? flat * sizes[static_cast<size_t>(k)] + here : here;
  }
  Ints merged(sizes.begin() + named, sizes.end());
  int64_t count = 1;
  for (int64_t k = 0; k < named; ++k) count *= sizes[static_cast<size_t>(k)];
  merged.insert(merged.begin(), count);
  return {reshape(c.x(), shape_of(merged)), flat};
}

/// x with updates added to it, or in place of its elements; scatter() adds a tensor like the updates to zeros.
template <class Scatter>
Tensor scattered(const Call& c, const Tensor& x, const Tensor& updates, Scatter scatter) {
  const std::string reduction = c.s("reduction", "none");
  if (reduction == "add") return x + scatter(updates);
  if (reduction != "none") throw NoCounterpart{"a scatter by " + reduction};
  return where(scatter(ones_like(updates)) > 0, scatter(updates), x);
}

}  // namespace

Tensors gathered_points(Call& c) {
  if (c.i("batch_dims", 0) != 0) throw NoCounterpart{"GatherND with batch axes"};
  const Points points = points_of(c);
  return {gather(points.x, points.indices)};
}

Tensors scattered_points(Call& c) {
  const Points points = points_of(c);
  const Dim count = points.x.dim(0);
  return {reshape(scattered(c, points.x, c.in[2],
                            [&](const Tensor& updates) { return scatter_add(updates, points.indices, count); }),
                  c.x().shape())};
}

/// The indices may have fewer elements than x along other axes too: the rest is left as it is.
Tensors scattered_elements(Call& c) {
  const int axis = c.axis("axis", 0);
  const Dim size = c.x().dim(axis);
  const Tensor indices = from_front(c.in[1], size);
  return {scattered(c, c.x(), c.in[2], [&](const Tensor& updates) {
    const Tensor sums = add_along_axis(updates, indices, size, axis);
    std::vector<Dim> missing;
    for (int k = 0; k < sums.rank(); ++k) missing.push_back(c.x().dim(k) - sums.dim(k));
    return pad(sums, {.high = Shape(missing)});
  })};
}

}  // namespace gradloom::test::onnx
