#include <gradloom/graph/bodies.hpp>
#include <gradloom/graph/node.hpp>

#include <algorithm>

namespace gradloom::inline v0 {

std::vector<std::shared_ptr<const Subgraph>> bodies_of(const Node& node) {
  std::vector<std::shared_ptr<const Subgraph>> bodies;
  if (!node.op->properties.runs_bodies) return bodies;
  for (const auto& [name, value] : node.attributes.items()) {
    if (const auto* body = value.get_if<std::shared_ptr<const Subgraph>>()) bodies.push_back(*body);
  }
  return bodies;
}

bool has_property(const Node& node, bool OpProperties::*property) {
  if (node.op->properties.*property) return true;
  const std::vector<std::shared_ptr<const Subgraph>> bodies = bodies_of(node);
  return std::any_of(bodies.begin(), bodies.end(), [&](const std::shared_ptr<const Subgraph>& body) {
    for (int id = 0; id < body->graph.node_count(); ++id) {
      if (has_property(body->graph.node(id), property)) return true;
    }
    return false;
  });
}

}  // namespace gradloom::inline v0
