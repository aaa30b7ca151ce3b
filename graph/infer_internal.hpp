// Runs an op's shape rule.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>

#include <vector>

namespace gradloom::inline v0 {

struct Inferred {
  std::vector<TensorType> outputs;
  std::vector<DimConstraint> constraints;  ///< pairs of sizes that only a binding can compare
};

/// What the node's op says of its inputs (which are in the graph) and attributes. Throws the Error that the user sees.
[[nodiscard]] Inferred infer(const Graph& graph, const Node& node);

}  // namespace gradloom::inline v0
