// Nodes that run graphs of their own: loops and choices.
#pragma once

#include <gradloom/graph/op_def.hpp>
#include <gradloom/graph/subgraph.hpp>

#include <memory>
#include <vector>

namespace gradloom::inline v0 {

/// The bodies that a node runs: its Subgraph attributes, if its op runs_bodies.
[[nodiscard]] GRADLOOM_API std::vector<std::shared_ptr<const Subgraph>> bodies_of(const Node& node);

/// Does the node's op have this property, or that of a node in a body that it runs?
[[nodiscard]] GRADLOOM_API bool has_property(const Node& node, bool OpProperties::*property);

}  // namespace gradloom::inline v0
