#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/reduce_shape_internal.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

const std::vector<int64_t>& axes_of(const Attributes& attributes) {
  return attributes.get<std::vector<int64_t>>("axes");
}

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

Shape without_axes(const Shape& shape, const std::vector<int64_t>& axes) {
  std::vector<Dim> dims;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (!std::binary_search(axes.begin(), axes.end(), axis)) dims.push_back(shape[axis]);
  }
  return Shape(std::move(dims));
}

std::vector<bool> reduced_axes(const ShapeContext& context) {
  const int rank = context.shape(0).rank();
  std::vector<bool> reduced(static_cast<size_t>(rank), false);
  int64_t last = -1;
  for (const int64_t given : axes_of(context.attributes())) {
    const int axis = context.axis(given, rank);
    if (reduced[static_cast<size_t>(axis)]) context.fail(fmt::format("axis {} is given twice", axis));
    if (given <= last) context.fail("the axes are not in rising order");
    reduced[static_cast<size_t>(axis)] = true;
    last = given;
  }
  return reduced;
}

std::vector<TensorType> reduced_shape(const ShapeContext& context) {
  const std::vector<bool> reduced = reduced_axes(context);
  const std::vector<int64_t>& axes = axes_of(context.attributes());
  if (!context.attributes().get<bool>("keepdims")) return {{context.dtype(0), without_axes(context.shape(0), axes)}};
  std::vector<Dim> dims = context.shape(0).dims();
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (reduced[axis]) dims[axis] = 1;
  }
  return {{context.dtype(0), Shape(std::move(dims))}};
}

void require_elements(const ShapeContext& context) {
  const std::vector<bool> reduced = reduced_axes(context);
  for (size_t axis = 0; axis < reduced.size(); ++axis) {
    if (reduced[axis] && context.shape(0)[static_cast<int>(axis)] == Dim(0)) {
      context.fail(fmt::format("axis {} has size 0", axis));
    }
  }
}

Tensor reduce(const OpDef& op, const Operand& x, const ReduceOptions& options) {
  const std::vector<int64_t> axes = normal_axes(options.axes, x.tensor().rank());
  const Tensor inputs[] = {as_computed(x)};
  if (axes.empty()) return inputs[0];
  return x.tensor().graph().add(op, inputs, {{"axes", axes}, {"keepdims", options.keepdims}}, x.location());
}

Tensor unreduce(const Vjp& v, const Tensor& reduced) {
  const Shape& shape = v.input(0).shape();
  if (v.attributes().get<bool>("keepdims")) return broadcast(reduced, shape);
  std::vector<Dim> dims = shape.dims();
  for (const int64_t axis : axes_of(v.attributes())) dims[static_cast<size_t>(axis)] = 1;
  return broadcast(reshape(reduced, Shape(std::move(dims))), shape);
}

}  // namespace gradloom::inline v0
