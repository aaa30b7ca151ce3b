// How a single node runs: by its op's own plan, by the loop of a pointwise op, or as a copy for ops that only rename
// bytes. The compiler uses it for nodes outside fused regions and for folding constants.
#pragma once

#include <gradloom/graph/attributes.hpp>
#include <gradloom/ops/kernel.hpp>

#include <span>

namespace gradloom::inline v0 {

/// Elements per chunk of a pointwise kernel: large against a hand-over, small against a core's share of a layer.
inline constexpr int64_t pointwise_grain = int64_t{32} * 1024;

[[nodiscard]] KernelPlan plan_node(const KernelRequest& request);

/// Runs a planned node on this thread, with scratch of its own.
void run_plan(const KernelPlan& plan, std::span<const void* const> inputs, std::span<void* const> outputs,
              const RunInfo& run);

/// The only output of a node whose inputs are these. Its graph has to stay meanwhile.
[[nodiscard]] Literal computed_value(const KernelRequest& request, std::span<const void* const> inputs);

}  // namespace gradloom::inline v0
