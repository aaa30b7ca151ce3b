#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/graph/node.hpp>

namespace gradloom::inline v0 {

std::vector<bool> needed_nodes(const Graph& graph, std::span<const Tensor> tensors) {
  std::vector<bool> needed(static_cast<size_t>(graph.node_count()), false);
  for (const Tensor& tensor : tensors) needed[static_cast<size_t>(tensor.node_id())] = true;
  for (size_t id = needed.size(); id-- > 0;) {
    if (!needed[id]) continue;
    for (const Value& value : graph.node(static_cast<int>(id)).inputs) needed[static_cast<size_t>(value.node)] = true;
  }
  return needed;
}

}  // namespace gradloom::inline v0
