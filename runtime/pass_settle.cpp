// settle: see the header. The copies are nodes like any other.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/strided_copy.hpp>
#include <gradloom/runtime/settle_internal.hpp>

#include <set>

namespace gradloom::inline v0 {

namespace {

const OpDef copy_def{.name = "copy",
                     .inputs = {"x"},
                     .rule = "copy takes one tensor",
                     .shape = [](const ShapeContext& context) -> std::vector<TensorType> { return {context.input(0)}; },
                     .no_gradient = "copies are made after differentiation",
                     .plan =
                         [](const KernelRequest& request) {
                           const std::vector<int64_t> sizes = request.output_sizes();
                           return plan_strided_copy(sizes, row_major_strides(sizes), 0,
                                                    size_of(request.output().dtype));
                         },
                     .properties = {.takes_bf16 = true}};

}  // namespace

Value root_of(const Graph& graph, Value value) {
  while (graph.node(value.node).op->properties.alias) value = graph.node(value.node).inputs[0];
  return value;
}

Module settle(const Module& module) {
  Module settled = Rewriter(module).run();
  Graph& graph = settled.graph;
  std::set<Value> taken;
  const auto own = [&](const Tensor& tensor) {
    const Value root = root_of(graph, {tensor.node_id(), tensor.output()});
    const Node& node = graph.node(root.node);
    const bool lent = is_input(node) || is_parameter(node) || is_constant(node);
    if (!lent && taken.insert(root).second) return tensor;
    Node copy = tensor.node();
    copy.op = &copy_def;
    copy.name.clear();
    const Tensor inputs[] = {tensor};
    const Tensor made = graph.add_copy(copy, inputs, {});
    taken.insert({made.node_id(), 0});
    return made;
  };
  for (Update& update : settled.updates) update.value = own(update.value);
  for (Tensor& output : settled.outputs) output = own(output);
  return settled;
}

}  // namespace gradloom::inline v0
