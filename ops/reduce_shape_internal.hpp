// What reductions share on the graph's side: axes, shapes, and the way back for gradients.
#pragma once

#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/reduce.hpp>

namespace gradloom::inline v0 {

/// The attribute "axes".
[[nodiscard]] const std::vector<int64_t>& axes_of(const Attributes& attributes);

/// The axes made non-negative and sorted; all of them if none are given. Axes that do not exist stay as they are, for
/// the shape rule to complain about.
[[nodiscard]] std::vector<int64_t> normal_axes(std::vector<int64_t> axes, int rank);

/// The shape without these axes (sorted, non-negative).
[[nodiscard]] Shape without_axes(const Shape& shape, const std::vector<int64_t>& axes);

/// For each axis of input 0 whether the attribute "axes" has it. Fails if that has an axis twice, or one that is not
/// there.
[[nodiscard]] std::vector<bool> reduced_axes(const ShapeContext& context);
/// The shape rule: those axes removed or, with the attribute "keepdims", made 1; the input's dtype.
[[nodiscard]] std::vector<TensorType> reduced_shape(const ShapeContext& context);
/// Fails if one of those axes is known to have size 0.
void require_elements(const ShapeContext& context);

/// Adds a reduction's node; x itself for a scalar.
[[nodiscard]] Tensor reduce(const OpDef& op, const Operand& x, const ReduceOptions& options);

/// A tensor of the shape of a reduction's output, stretched to the shape of its input.
[[nodiscard]] Tensor unreduce(const Vjp& v, const Tensor& reduced);

}  // namespace gradloom::inline v0
