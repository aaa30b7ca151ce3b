#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/runtime/interpreter_internal.hpp>
#include <gradloom/runtime/node_plan_internal.hpp>

#include <map>

namespace gradloom::inline v0 {

std::vector<Array> interpret(std::span<const Tensor> tensors, const Batch& given, Isa isa, const RunInfo& run) {
  if (tensors.empty()) return {};
  const Graph& graph = tensors[0].graph();
  const std::vector<bool> needed = needed_nodes(graph, tensors);
  std::map<Value, Array> values;
  for (int id = 0; id < graph.node_count(); ++id) {
    if (!needed[static_cast<size_t>(id)]) continue;
    const Node& node = graph.node(id);
    if (is_input(node) || is_parameter(node)) {
      values[{id, 0}] = given[node.name];
      continue;
    }
    if (is_constant(node)) {
      const Literal& literal = literal_of(node);
      Array array(literal.sizes, literal.dtype);
      if (!literal.bytes.empty()) __builtin_memcpy(array.raw(), literal.bytes.data(), literal.bytes.size());
      values[{id, 0}] = std::move(array);
      continue;
    }
    std::vector<const void*> from;
    for (const Value& value : node.inputs) from.push_back(values.at(value).raw());
    std::vector<void*> to;
    for (int i = 0; i < node.output_count(); ++i) {
      const TensorType& type = node.outputs[static_cast<size_t>(i)];
      Array& made = values[{id, i}] = Array(type.shape.sizes(), type.dtype);
      to.push_back(made.raw());
    }
    run_plan(plan_node({graph, node, isa}), from, to, run);
  }
  std::vector<Array> results;
  for (const Tensor& tensor : tensors) results.push_back(values.at({tensor.node_id(), tensor.output()}));
  return results;
}

}  // namespace gradloom::inline v0
