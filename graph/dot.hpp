#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>

#include <span>
#include <string>

namespace gradloom::inline v0 {

/// A drawing of the graph in Graphviz's language (`dot -Tsvg`): a box a node, a frame a scope, dtype and shape on the
/// edges. Inputs are ellipses, parameters grey.
[[nodiscard]] GRADLOOM_API std::string to_dot(const Graph& graph);
/// Only what some tensors of the graph need; they have double borders.
[[nodiscard]] GRADLOOM_API std::string to_dot(const Graph& graph, std::span<const Tensor> outputs);

}  // namespace gradloom::inline v0
