#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/subgraph.hpp>

#include <cassert>

namespace gradloom::inline v0 {

std::vector<Tensor> instantiate(const Subgraph& body, Graph& graph, std::span<const Tensor> inputs) {
  const std::vector<bool> needed = needed_nodes(body.graph, body.outputs);
  const size_t count = needed.size();
  std::vector<Tensor> made(count);  // by node: its output 0
  const auto copied = [&](int node, int output) {
    const Tensor& first = made[static_cast<size_t>(node)];
    return graph.tensor(first.node_id(), first.output() + output);
  };
  size_t next_input = 0;
  std::vector<Tensor> operands;
  for (size_t id = 0; id < count; ++id) {
    const Node& node = body.graph.node(static_cast<int>(id));
    assert(!is_parameter(node) && "a body has no parameters");
    if (is_input(node)) {
      assert(next_input < inputs.size());
      made[id] = inputs[next_input++];
    } else if (needed[id]) {
      operands.clear();
      for (const Value& value : node.inputs) operands.push_back(copied(value.node, value.output));
      made[id] = graph.add(*node.op, operands, node.attributes, node.location);
    }
  }
  assert(next_input == inputs.size());
  std::vector<Tensor> outputs;
  for (const Tensor& output : body.outputs) outputs.push_back(copied(output.node_id(), output.output()));
  return outputs;
}

}  // namespace gradloom::inline v0
