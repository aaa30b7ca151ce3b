#include <gradloom/runtime/module_internal.hpp>

namespace gradloom::inline v0 {

std::vector<bool> needed_nodes(const Module& module) {
  std::vector<bool> needed(static_cast<size_t>(module.graph.node_count()), false);
  const auto want = [&](const Tensor& tensor) { needed[static_cast<size_t>(tensor.node_id())] = true; };
  for (const Tensor& output : module.outputs) want(output);
  for (const Update& update : module.updates) {
    want(update.parameter);
    want(update.value);
  }
  for (int id = module.graph.node_count() - 1; id >= 0; --id) {
    if (!needed[static_cast<size_t>(id)]) continue;
    for (const Value& value : module.graph.node(id).inputs) needed[static_cast<size_t>(value.node)] = true;
  }
  return needed;
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
  const std::vector<bool> needed = needed_nodes(from_);
  std::vector<std::vector<Tensor>> made(needed.size());
  const auto moved = [&](const Tensor& tensor) {
    return made[static_cast<size_t>(tensor.node_id())][static_cast<size_t>(tensor.output())];
  };
  std::vector<Tensor> inputs;
  for (int id = 0; id < from_.graph.node_count(); ++id) {
    if (!needed[static_cast<size_t>(id)]) continue;
    const Node& node = from_.graph.node(id);
    inputs.clear();
    for (const Value& value : node.inputs) {
      inputs.push_back(made[static_cast<size_t>(value.node)][static_cast<size_t>(value.output)]);
    }
    made[static_cast<size_t>(id)] = rewrite(node, inputs);
  }
  for (const Tensor& output : from_.outputs) to_.outputs.push_back(moved(output));
  for (const Update& update : from_.updates) to_.updates.push_back({moved(update.parameter), moved(update.value)});
  return std::move(to_);
}

}  // namespace gradloom::inline v0
