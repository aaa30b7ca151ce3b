// What the functions that normalise ask of their operands.
#pragma once

#include <gradloom/graph/op_def.hpp>
#include <gradloom/graph/tensor.hpp>

#include <initializer_list>

namespace gradloom::inline v0 {

/// Requires at least `least_rank` axes of x, and scales of the shape [n], n being x's last size. Anything else that
/// broadcasts, such as a [1] or a [batch, 1], would be a mistake. `signature` has the operands' names and the rule for
/// messages.
void check_norm(const OpDef& signature, const Operand& x, std::initializer_list<Tensor> scales, int least_rank);

}  // namespace gradloom::inline v0
