#include <algorithm>

#include <fmt/format.h>

#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/reduce_shape_internal.hpp>

namespace gradloom::inline v0 {

std::vector<int64_t> normal_axes(std::vector<int64_t> axes, int rank) {
  if (axes.empty()) {
    for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  }
  for (int64_t& axis : axes) {
    if (axis < 0 && axis >= -rank) axis += rank;
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

std::vector<TensorType> reduced_shape(const ShapeContext& context) {
  const std::vector<int64_t>& axes = context.attributes().get<std::vector<int64_t>>("axes");
  const bool keepdims = context.attributes().get<bool>("keepdims");
  const Shape& from = context.shape(0);
  std::vector<bool> reduced(static_cast<size_t>(from.rank()), false);
  for (const int64_t given : axes) {
    const size_t axis = static_cast<size_t>(context.axis(given, from.rank()));
    if (reduced[axis]) context.fail(fmt::format("axis {} is given twice", axis));
    reduced[axis] = true;
  }
  std::vector<Dim> dims;
  for (int axis = 0; axis < from.rank(); ++axis) {
    if (!reduced[static_cast<size_t>(axis)]) {
      dims.push_back(from[axis]);
    } else if (keepdims) {
      dims.emplace_back(1);
    }
  }
  return {{context.dtype(0), Shape(std::move(dims))}};
}

Tensor reduce(const OpDef& op, const Operand& x, const ReduceOptions& options) {
  const std::vector<int64_t> axes = normal_axes(options.axes, x.tensor().rank());
  if (axes.empty()) return x.tensor();
  const Tensor inputs[] = {x.tensor()};
  return x.tensor().graph().add(op, inputs, {{"axes", axes}, {"keepdims", options.keepdims}}, x.location());
}

}  // namespace gradloom::inline v0
