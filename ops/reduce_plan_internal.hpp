// How a reduction over any axes becomes a KernelPlan.
#pragma once

#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/reduce_table_internal.hpp>

namespace gradloom::inline v0 {

/// The plan of a node with one input and the attribute "axes" (sorted, non-negative).
[[nodiscard]] KernelPlan plan_reduce(const KernelRequest& request, const ReduceKernels& kernels);

}  // namespace gradloom::inline v0
