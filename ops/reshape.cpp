// reshape: the same bytes under another shape. Its gradient has them under the old one.
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/refuse_internal.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  const Shape& to = context.attributes().get<Shape>("shape");
  for (const Dim& dim : to) {
    if (dim.known() && dim.value() < 0) context.fail("the shape " + to.to_string() + " has a negative size");
  }
  (void)context.require_equal(context.shape(0).element_count(), to.element_count(), "the numbers of elements");
  return {{context.dtype(0), to}};
}

Gradients vjp(const Vjp& v) { return {reshape(v.cotangent(), v.input(0).shape())}; }

// The last of several reshapes in a row is all that matters.
Tensor simplify(Graph& graph, const Node& node, std::span<const Tensor> inputs) {
  const Shape& to = node.attributes.get<Shape>("shape");
  if (inputs[0].shape() == to) return inputs[0];
  if (const Tensor scalar = repeated_scalar(inputs[0]); scalar.valid()) return broadcast(scalar, to);
  const Node& producer = inputs[0].node();
  if (producer.op != &reshape_def) return {};
  const Tensor first = graph.tensor(producer.inputs[0].node, producer.inputs[0].output);
  return first.shape() == to ? first : graph.add_copy(node, {&first, 1}, node.attributes);
}

std::vector<Sample> samples() {
  return {{.inputs = {{{2, 6}}}, .attributes = {{"shape", Shape{3, 4}}}},
          {.inputs = {{{1}}}, .attributes = {{"shape", Shape{}}}},
          {.inputs = {{{0, 3}}}, .attributes = {{"shape", Shape{5, 0}}}}};
}

// `shape` with its -1, if it has one, replaced.
Shape inferred(const Tensor& x, const Shape& shape, SourceLocation location) {
  std::vector<Dim> dims = shape.dims();
  Dim* unknown = nullptr;
  Dim others = 1;
  for (Dim& dim : dims) {
    if (dim != Dim(-1)) {
      others = others * dim;
    } else if (unknown == nullptr) {
      unknown = &dim;
    } else {
      refuse(reshape_def, {&x, 1}, "the shape " + shape.to_string() + " has two sizes to infer", location);
    }
  }
  if (unknown == nullptr) return shape;
  const Dim count = x.shape().element_count();
  if (others == Dim(0) || (others.known() && count.known() && count.value() % others.value() != 0)) {
    refuse(
        reshape_def, {&x, 1},
        fmt::format("no size in the place of -1 gives the shape {} {} elements", shape.to_string(), count.to_string()),
        location);
  }
  *unknown = count / others;
  return Shape(std::move(dims));
}

}  // namespace

const OpDef reshape_def{.name = "reshape",
                        .inputs = {"x"},
                        .rule = "reshape keeps the number of elements; one size may be -1, to be inferred",
                        .shape = shape,
                        .vjp = vjp,
                        .properties = {.alias = true, .takes_bf16 = true},
                        .simplify = simplify,
                        .samples = samples};

Tensor reshape(const Operand& x, const Shape& shape) {
  const SourceScope scope(x, "reshape");
  const Tensor& tensor = x.tensor();
  const Shape to = inferred(tensor, shape, x.location());
  if (tensor.shape() == to) return tensor;
  return tensor.graph().add(reshape_def, {&tensor, 1}, {{"shape", to}}, x.location());
}

Tensor expand_dims(const Operand& x, int axis) {
  const SourceScope scope(x, "expand_dims");
  const Tensor& tensor = x.tensor();
  const int rank = tensor.rank() + 1;
  if (axis < -rank || axis >= rank) {
    refuse("expand_dims", "expand_dims needs a place among the axes of its result", tensor,
           fmt::format("there is no axis {} in a result of rank {}", axis, rank), x.location());
  }
  std::vector<Dim> dims = tensor.shape().dims();
  dims.insert(dims.begin() + (axis < 0 ? axis + rank : axis), 1);
  return reshape(x, Shape(std::move(dims)));
}

Tensor squeeze(const Operand& x, const std::vector<int64_t>& axes) {
  const SourceScope scope(x, "squeeze");
  const Tensor& tensor = x.tensor();
  const int rank = tensor.rank();
  const auto fail = [&](const std::string& problem) {
    refuse("squeeze", "squeeze drops axes that are a literal 1 (a symbol never is)", tensor, problem, x.location());
  };
  std::vector<bool> dropped(static_cast<size_t>(rank), false);
  for (const int64_t axis : axes) {
    if (axis < -rank || axis >= rank) fail(fmt::format("there is no axis {} in a tensor of rank {}", axis, rank));
    const Dim& dim = tensor.dim(static_cast<int>(axis));
    if (dim != Dim(1)) fail(fmt::format("axis {} has size {}", axis, dim.to_string()));
    dropped[static_cast<size_t>(axis < 0 ? axis + rank : axis)] = true;
  }
  std::vector<Dim> dims;
  for (int axis = 0; axis < rank; ++axis) {
    const bool drop = axes.empty() ? tensor.dim(axis) == Dim(1) : dropped[static_cast<size_t>(axis)];
    if (!drop) dims.push_back(tensor.dim(axis));
  }
  return reshape(x, Shape(std::move(dims)));
}

}  // namespace gradloom::inline v0
