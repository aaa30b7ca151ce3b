#pragma once

#include <gradloom/graph/graph.hpp>

#include <span>
#include <vector>

namespace gradloom::inline v0 {

/// By node: do these tensors of the graph depend on it (or are they its outputs)?
[[nodiscard]] std::vector<bool> needed_nodes(const Graph& graph, std::span<const Tensor> tensors);

}  // namespace gradloom::inline v0
