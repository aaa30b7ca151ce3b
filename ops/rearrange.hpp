// Functions that move elements, made of the ops of movement.hpp. All take every dtype and have gradients of every
// order.
#pragma once

#include <gradloom/graph/tensor.hpp>

#include <cstdint>
#include <vector>

namespace gradloom::inline v0 {

/// x with the order of its elements reversed along the axes; along all of them if none are given.
[[nodiscard]] GRADLOOM_API Tensor flip(const Operand& x, const std::vector<int64_t>& axes = {});

/// x moved along an axis by `shift` places, to higher indices if it is positive; what leaves at one end enters at the
/// other. An axis of a size that is not known must have at least |shift| elements.
///   roll(x, 1)  // [1, 2, 3] -> [3, 1, 2]
[[nodiscard]] GRADLOOM_API Tensor roll(const Operand& x, int64_t shift, int axis = -1);

/// x repeated as a whole along its axes, as NumPy's tile: the last number is for the last axis; with more numbers than
/// axes x gets new ones at the front. Throws Error for a negative number.
///   tile(x, {2})  // [1, 2, 3] -> [1, 2, 3, 1, 2, 3]
[[nodiscard]] GRADLOOM_API Tensor tile(const Operand& x, const std::vector<int64_t>& repetitions);

/// Every element repeated along an axis. Throws Error for a negative number.
///   repeat(x, 2)  // [1, 2, 3] -> [1, 1, 2, 2, 3, 3]
[[nodiscard]] GRADLOOM_API Tensor repeat(const Operand& x, int64_t repetitions, int axis = -1);

/// The lower triangle of the matrices [..., n, m]: elements with column <= row + diagonal, 0 elsewhere (and there no
/// trace of what was, nan included). Throws Error for fewer than two axes.
[[nodiscard]] GRADLOOM_API Tensor tril(const Operand& x, int64_t diagonal = 0);

/// The upper triangle: elements with column >= row + diagonal, as tril.
[[nodiscard]] GRADLOOM_API Tensor triu(const Operand& x, int64_t diagonal = 0);

/// The elements with row = column of the matrices [..., n, n] -> [..., n]. Throws Error for fewer than two axes, and
/// unless the last two are known and equal.
[[nodiscard]] GRADLOOM_API Tensor diagonal(const Operand& x);

}  // namespace gradloom::inline v0
