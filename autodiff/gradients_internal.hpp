// gradients() with what only other parts of autodiff may choose.
#pragma once

#include <gradloom/graph/tensor.hpp>

#include <span>
#include <vector>

namespace gradloom::inline v0 {

/// What becomes of an x that leads to y, but only through ops without a gradient (floor, a comparison, argmax). A
/// user's own gradient refuses: a zero that nobody asked for hides mistakes. The derivative of a gradient takes the
/// zero, since a first derivative that is piecewise constant (|x|' = sign(x)) is nothing to complain of.
enum class CutPaths { refuse, zero };

[[nodiscard]] std::vector<Tensor> gradients(const Operand& y, std::span<const Tensor> xs, const Tensor& cotangent,
                                            CutPaths cut_paths);

/// The gradients of sum_i <ys[i], weights[i]> by xs, with cut paths as zeros: one sweep per y, added up in order.
[[nodiscard]] std::vector<Tensor> weighted_gradients(std::span<const Tensor> ys, std::span<const Tensor> weights,
                                                     std::span<const Tensor> xs, SourceLocation location);

}  // namespace gradloom::inline v0
