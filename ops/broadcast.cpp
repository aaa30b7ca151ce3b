// broadcast: repeats axes of size 1. Its gradient sums over the repeated axes.
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/broadcast_internal.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/sample.hpp>
#include <gradloom/ops/strided_copy.hpp>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  const Shape& from = context.shape(0);
  const Shape& to = context.attributes().get<Shape>("shape");
  if (from.rank() > to.rank()) context.fail("the shape " + to.to_string() + " has too few axes");
  for (int axis = 1; axis <= from.rank(); ++axis) {
    if (from[-axis] != Dim(1))
      (void)context.require_equal(from[-axis], to[-axis], "the sizes of axis " + std::to_string(-axis));
  }
  for (const Dim& dim : to) {
    if (dim.known() && dim.value() < 0) context.fail("the shape " + to.to_string() + " has a negative size");
  }
  return {{context.dtype(0), to}};
}

Gradients vjp(const Vjp& v) { return {sum_to(v.cotangent(), v.input(0).shape())}; }

KernelPlan plan(const KernelRequest& request) {
  const std::vector<int64_t> from = request.input_sizes(0), to = request.output_sizes();
  const std::vector<int64_t> own = row_major_strides(from);
  std::vector<int64_t> strides(to.size(), 0);
  for (size_t axis = 0; axis < from.size(); ++axis) {
    const size_t target = axis + to.size() - from.size();
    strides[target] = from[axis] == 1 ? 0 : own[axis];
  }
  return plan_strided_copy(to, strides, 0, size_of(request.output().dtype));
}

// The last of several broadcasts in a row is all that matters.
Tensor simplify(Graph& graph, const Node& node, std::span<const Tensor> inputs) {
  if (inputs[0].shape() == node.attributes.get<Shape>("shape")) return inputs[0];
  if (!made_by(inputs[0], broadcast_def)) return {};
  const Tensor first = input_of(inputs[0]);
  return graph.add_copy(node, {&first, 1}, node.attributes);
}

std::vector<Sample> samples() {
  return {{.inputs = {{{1}}}, .attributes = {{"shape", Shape{5}}}},
          {.inputs = {{{3, 1, 2}}}, .attributes = {{"shape", Shape{2, 3, 4, 2}}}},
          {.inputs = {{{}}}, .attributes = {{"shape", Shape{3, 2}}}}};
}

}  // namespace

const OpDef broadcast_def{
    .name = "broadcast",
    .inputs = {"x"},
    .rule = "broadcast repeats axes that are a literal 1, aligned at the right, and keeps all others",
    .shape = shape,
    .vjp = vjp,
    .plan = plan,
    .properties = {.takes_bf16 = true},
    .simplify = simplify,
    .samples = samples};

Tensor sum_to(const Tensor& x, const Shape& shape) {
  const int added = x.rank() - shape.rank();
  std::vector<int64_t> missing, stretched;
  for (int axis = 0; axis < added; ++axis) missing.push_back(axis);
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == Dim(1) && x.dim(axis + added) != Dim(1)) stretched.push_back(axis);
  }
  const Tensor without = missing.empty() ? x : sum(x, {.axes = missing});
  return stretched.empty() ? without : sum(without, {.axes = stretched, .keepdims = true});
}

Tensor broadcast(const Operand& x, const Shape& shape) {
  const SourceScope scope(x, "broadcast");
  if (x.tensor().shape() == shape) return x.tensor();
  const Tensor inputs[] = {x.tensor()};
  return x.tensor().graph().add(broadcast_def, inputs, {{"shape", shape}}, x.location());
}

}  // namespace gradloom::inline v0
