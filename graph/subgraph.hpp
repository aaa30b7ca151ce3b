#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>

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

}  // namespace gradloom::inline v0
