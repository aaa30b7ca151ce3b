// A fused region: pointwise nodes over one iteration space, run as one kernel. Its body is a Subgraph of pointwise
// nodes and of broadcasts of its inputs, so it prints, parses and verifies like any graph.
#pragma once

#include <gradloom/graph/op_def.hpp>
#include <gradloom/graph/subgraph.hpp>
#include <gradloom/ops/kernel.hpp>

namespace gradloom::inline v0 {

/// Attribute "body"; as many inputs and outputs as the body has.
extern const OpDef region_def;

[[nodiscard]] inline bool is_region(const Node& node) { return node.op == &region_def; }
[[nodiscard]] const Subgraph& body_of(const Node& region);

}  // namespace gradloom::inline v0
