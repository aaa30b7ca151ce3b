// Runs tensors node by node on the calling thread, straight through the ops' own plans: nothing is simplified, fused or
// shared. What gradcheck and the tests of ops compute with; too slow for anything else.
#pragma once

#include <gradloom/graph/tensor.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/runtime/array.hpp>
#include <gradloom/runtime/batch.hpp>

#include <span>
#include <vector>

namespace gradloom::inline v0 {

/// The values of tensors of one graph; `given` has the inputs and parameters that they need, by name, dense and of the
/// declared dtype and sizes. Every shape must be known.
[[nodiscard]] std::vector<Array> interpret(std::span<const Tensor> tensors, const Batch& given, Isa isa,
                                           const RunInfo& run = {});

}  // namespace gradloom::inline v0
