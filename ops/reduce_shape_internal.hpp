// What reductions share on the graph's side: axes, shapes, and the way back for gradients.
#pragma once

#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/reduce.hpp>

namespace gradloom::inline v0 {

/// The axes made non-negative and sorted; all of them if none are given. Axes that do not exist stay as they are, for the
/// shape rule to complain about.
[[nodiscard]] std::vector<int64_t> normal_axes(std::vector<int64_t> axes, int rank);

/// The shape rule: the attribute "axes" checked, these axes removed or, with "keepdims", made 1. The input's dtype.
[[nodiscard]] std::vector<TensorType> reduced_shape(const ShapeContext& context);

/// Adds a reduction's node; x itself for a scalar.
[[nodiscard]] Tensor reduce(const OpDef& op, const Operand& x, const ReduceOptions& options);

/// A tensor of the shape of a reduction's output, stretched to the shape of its input.
[[nodiscard]] Tensor unreduce(const Vjp& v, const Tensor& reduced);

}  // namespace gradloom::inline v0
