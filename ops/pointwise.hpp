// Pointwise ops: y[i] = f(x0[i], x1[i], ...). This header is for ordinary code; the op's functor is compiled per
// instruction set through pointwise_internal.hpp.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/pointwise_table.hpp>
#include <gradloom/ops/sample.hpp>

#include <initializer_list>
#include <vector>

namespace gradloom::inline v0 {

/// Applies a pointwise op. Numbers take the dtype of the Tensors beside them (a fractional number makes integers f32);
/// Tensors of different dtypes are promoted; shapes are broadcast as in NumPy, where only a literal 1 stretches. Nodes
/// for all of this are added explicitly, so the op itself sees inputs of one shape. Throws Error with the user's line.
[[nodiscard]] GRADLOOM_API Tensor pointwise(const OpDef& op, std::initializer_list<Operand> operands,
                                            const Attributes& attributes = {});
/// The same for ops on floats: integer and boolean Tensors become f32 first.
[[nodiscard]] GRADLOOM_API Tensor pointwise_float(const OpDef& op, std::initializer_list<Operand> operands);
/// x itself if it has that shape, else broadcast to it.
[[nodiscard]] GRADLOOM_API Tensor broadcast_like(const Tensor& x, const Shape& shape, SourceLocation location);

// Shape rules.
/// All inputs of one dtype and shape; the output too.
[[nodiscard]] GRADLOOM_API std::vector<TensorType> pointwise_shape(const ShapeContext& context);
/// All inputs of one dtype and shape; the output boolean.
[[nodiscard]] GRADLOOM_API std::vector<TensorType> pointwise_compare_shape(const ShapeContext& context);

/// Where samples are drawn from: [low, high].
struct SampleRange {
  double low, high;
  bool differentiable = true;  ///< see Sample
};

/// Samples of one and of two axes from each range, for an op of `count` inputs.
[[nodiscard]] GRADLOOM_API std::vector<Sample> pointwise_samples(int count, std::initializer_list<SampleRange> ranges);
[[nodiscard]] GRADLOOM_API std::vector<Sample> pointwise_samples(int count, double low, double high,
                                                                 bool differentiable = true);

}  // namespace gradloom::inline v0
