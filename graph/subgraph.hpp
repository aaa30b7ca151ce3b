#pragma once

#include <vector>

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

/// A graph as the attribute of a node: its inputs, in order of creation, stand for the node's inputs.
struct Subgraph {
  Graph graph;
  std::vector<Tensor> outputs;
};

}  // namespace gradloom::inline v0
