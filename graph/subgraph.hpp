#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/graph/tensor.hpp>

#include <memory>
#include <span>
#include <vector>

namespace gradloom::inline v0 {

/// A graph as the attribute of a node: its inputs, in order of creation, stand for the node's inputs.
struct Subgraph {
  Graph graph;
  std::vector<Tensor> outputs;
};

/// Copies what the body's outputs need into `graph`, with `inputs` in place of the body's inputs, one for each. The
/// copies belong to the scopes and the line that are open there. Returns the outputs.
[[nodiscard]] GRADLOOM_API std::vector<Tensor> instantiate(const Subgraph& body, Graph& graph,
                                                           std::span<const Tensor> inputs);

/// The bodies that a node runs: its Subgraph attributes, if its op runs_bodies.
[[nodiscard]] GRADLOOM_API std::vector<std::shared_ptr<const Subgraph>> bodies_of(const Node& node);

/// Does the node's op have this property, or that of a node in a body that it runs?
[[nodiscard]] GRADLOOM_API bool has_property(const Node& node, bool OpProperties::*property);

}  // namespace gradloom::inline v0
