#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

/// exp(x) / sum(exp(x)) along an axis, without overflow: the maximum is taken out first (Blanchard, Higham & Higham
/// 2021, Accurately computing the log-sum-exp and softmax functions). An element -inf gives 0; nan where all are -inf
/// or one is inf. Of x's shape; integers become f32. Throws Error if x has no such axis, or for one of size 0.
[[nodiscard]] GRADLOOM_API Tensor softmax(const Operand& x, int axis = -1);

/// log(softmax(x)) along an axis, finite for any finite x: x - max(x) - log(sum(exp(x - max(x)))).
[[nodiscard]] GRADLOOM_API Tensor log_softmax(const Operand& x, int axis = -1);

}  // namespace gradloom::inline v0
