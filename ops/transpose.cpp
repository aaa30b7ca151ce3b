// transpose: the axes in another order. Its gradient puts them back.
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/sample.hpp>
#include <gradloom/ops/strided_copy.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace gradloom::inline v0 {

namespace {

using Permutation = std::vector<int64_t>;

std::vector<TensorType> shape(const ShapeContext& context) {
  const auto& permutation = context.attributes().get<Permutation>("permutation");
  const Shape& from = context.shape(0);
  std::vector<bool> named(static_cast<size_t>(from.rank()), false);
  std::vector<Dim> dims;
  for (const int64_t axis : permutation) {
    if (axis < 0 || axis >= from.rank() || named[static_cast<size_t>(axis)]) break;
    named[static_cast<size_t>(axis)] = true;
    dims.push_back(from[static_cast<int>(axis)]);
  }
  if (dims.size() != permutation.size() || from.rank() != static_cast<int>(dims.size())) {
    context.fail(fmt::format("[{}] is no order of {} axes", fmt::join(permutation, ", "), from.rank()));
  }
  return {{context.dtype(0), Shape(std::move(dims))}};
}

Gradients vjp(const Vjp& v) {
  const auto& permutation = v.attributes().get<Permutation>("permutation");
  Permutation inverse(permutation.size());
  for (size_t i = 0; i < permutation.size(); ++i)
    inverse[static_cast<size_t>(permutation[i])] = static_cast<int64_t>(i);
  return {transpose(v.cotangent(), inverse)};
}

KernelPlan plan(const KernelRequest& request) {
  const std::vector<int64_t> own = row_major_strides(request.input_sizes(0));
  std::vector<int64_t> strides;
  for (const int64_t axis : request.attributes().get<Permutation>("permutation")) {
    strides.push_back(own[static_cast<size_t>(axis)]);
  }
  return plan_strided_copy(request.output_sizes(), strides, 0, size_of(request.output().dtype));
}

// True if only axes of size 1 change places: then no element does.
bool keeps_order(const Shape& from, const Permutation& permutation) {
  int64_t last = -1;
  for (const int64_t axis : permutation) {
    if (from[static_cast<int>(axis)] == Dim(1)) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

Tensor simplify(Graph& graph, const Node& node, std::span<const Tensor> inputs) {
  const auto& permutation = node.attributes.get<Permutation>("permutation");
  if (keeps_order(inputs[0].shape(), permutation)) return reshape({inputs[0], node.location}, node.outputs[0].shape);
  if (const Tensor scalar = repeated_scalar(inputs[0]); scalar.valid()) return broadcast(scalar, node.outputs[0].shape);
  const Node& producer = inputs[0].node();
  if (producer.op != &transpose_def) return {};
  const auto& before = producer.attributes.get<Permutation>("permutation");
  Permutation both;
  for (const int64_t axis : permutation) both.push_back(before[static_cast<size_t>(axis)]);
  const Tensor first = graph.tensor(producer.inputs[0].node, producer.inputs[0].output);
  if (keeps_order(first.shape(), both)) return reshape({first, node.location}, node.outputs[0].shape);
  return graph.add_copy(node, {&first, 1}, {{"permutation", both}});
}

std::vector<Sample> samples() {
  return {{.inputs = {{{3, 5}}}, .attributes = {{"permutation", Permutation{1, 0}}}},
          {.inputs = {{{2, 3, 4, 5}}}, .attributes = {{"permutation", Permutation{0, 3, 1, 2}}}},
          {.inputs = {{{40, 3, 37}}}, .attributes = {{"permutation", Permutation{2, 1, 0}}}},
          {.inputs = {{{2, 0, 3}}}, .attributes = {{"permutation", Permutation{1, 2, 0}}}},
          {.inputs = {{{}}}, .attributes = {{"permutation", Permutation{}}}}};
}

}  // namespace

const OpDef transpose_def{.name = "transpose",
                          .inputs = {"x"},
                          .rule = "a permutation names each axis once",
                          .shape = shape,
                          .vjp = vjp,
                          .plan = plan,
                          .properties = {.takes_bf16 = true},
                          .simplify = simplify,
                          .samples = samples};

Tensor transpose(const Operand& x, const std::vector<int64_t>& permutation) {
  const SourceScope scope(x, "transpose");
  const Tensor& tensor = x.tensor();
  const int64_t rank = tensor.rank();
  Permutation order = permutation;
  bool moves = false;
  if (order.empty()) {
    for (int64_t axis = rank; axis-- > 0;) order.push_back(axis);
  }
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i] < 0) order[i] += rank;
    if (order[i] != static_cast<int64_t>(i)) moves = true;
  }
  if (!moves && static_cast<int64_t>(order.size()) == rank) return tensor;
  return tensor.graph().add(transpose_def, {&tensor, 1}, {{"permutation", order}}, x.location());
}

}  // namespace gradloom::inline v0
