#pragma once

#include <gradloom/graph/graph.hpp>

namespace gradloom::inline v0 {

/// Checks what every graph must satisfy, and what a pass could break: a node's inputs come before it and exist, its
/// types are what its op infers from them, names of inputs and parameters are given and differ, attributes are whole
/// (bodies too), constraints and side updates fit. Throws one Error that lists every finding.
GRADLOOM_API void verify(const Graph& graph);

}  // namespace gradloom::inline v0
