#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/runtime/module_internal.hpp>

#include <cassert>

namespace gradloom::inline v0 {

std::vector<bool> needed_nodes(const Graph& graph, std::span<const Tensor> outputs, std::span<const Update> updates) {
  std::vector<Tensor> wanted(outputs.begin(), outputs.end());
  for (const Update& update : updates) {
    wanted.push_back(update.parameter);
    wanted.push_back(update.value);
  }
  return needed_nodes(graph, wanted);
}

Tensor Rewriter::apply(RewriteRule rule, const Node& node, std::span<const Tensor> inputs) {
  if (rule == nullptr) return {};
  const int before = graph().node_count();
  const SourceScope scope(graph(), node, "");
  const Tensor result = rule(graph(), node, inputs);
  if (!result.valid()) return {};
  const bool fits = result.dtype() == node.outputs[0].dtype && result.shape() == node.outputs[0].shape;
  assert(fits && "a rewrite keeps dtype and shape");
  (void)fits;
  if (!node.name.empty() && result.node_id() >= before && result.node().name.empty()) {
    graph().set_name(result, node.name);
  }
  return result;
}

std::vector<Tensor> Rewriter::copy(const Node& node, std::span<const Tensor> inputs, const Attributes& attributes) {
  const Tensor first = to_.graph.add_copy(node, inputs, attributes);
  std::vector<Tensor> outputs;
  for (int i = 0; i < node.output_count(); ++i) outputs.push_back(to_.graph.tensor(first.node_id(), i));
  return outputs;
}

std::vector<Tensor> Rewriter::rewrite(const Node& node, std::span<const Tensor> inputs) {
  return copy(node, inputs, node.attributes);
}

Module Rewriter::run() {
  const std::vector<bool> needed = needed_nodes(from_, outputs_, updates_);
  std::vector<std::vector<Tensor>> made(needed.size());
  const auto moved = [&](const Tensor& tensor) {
    return made[static_cast<size_t>(tensor.node_id())][static_cast<size_t>(tensor.output())];
  };
  std::vector<Tensor> inputs;
  for (int id = 0; id < from_.node_count(); ++id) {
    if (!needed[static_cast<size_t>(id)]) continue;
    const Node& node = from_.node(id);
    inputs.clear();
    for (const Value& value : node.inputs) {
      inputs.push_back(made[static_cast<size_t>(value.node)][static_cast<size_t>(value.output)]);
    }
    made[static_cast<size_t>(id)] = rewrite(node, inputs);
  }
  for (const Tensor& output : outputs_) to_.outputs.push_back(moved(output));
  for (const Update& update : updates_) to_.updates.push_back({moved(update.parameter), moved(update.value)});
  return std::move(to_);
}

}  // namespace gradloom::inline v0
