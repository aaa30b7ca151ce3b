// A fused region: pointwise nodes over one iteration space, run as one kernel, with what joins them there: broadcasts of
// its inputs, reductions of their results, a matrix product they follow. Its body is a Subgraph, so it prints, parses and
// verifies like any graph.
#pragma once

#include <gradloom/graph/op_def.hpp>
#include <gradloom/graph/subgraph.hpp>
#include <gradloom/ops/kernel.hpp>

namespace gradloom::inline v0 {

/// Attribute "body"; as many inputs and outputs as the body has.
extern const OpDef region_def;

[[nodiscard]] inline bool is_region(const Node& node) { return node.op == &region_def; }
[[nodiscard]] const Subgraph& body_of(const Node& region);

/// f32 or f64: the dtype that most of the body's numbers have, which decides how many fit a register.
[[nodiscard]] DType lane_type(const Graph& body);

/// A region of pointwise nodes alone, all of one shape.
[[nodiscard]] KernelPlan plan_flat_region(const KernelRequest& request, const Subgraph& body);
/// A matmul, pointwise nodes of its shape, and sums over all axes but the last.
[[nodiscard]] KernelPlan plan_matmul_region(const KernelRequest& request, const Subgraph& body);

}  // namespace gradloom::inline v0
