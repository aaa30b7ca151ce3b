#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

/// x / sqrt(mean(x^2) + epsilon) * gain, with the mean over the last axis: x [..., n], gain [n] -> [..., n]. Integers
/// become f32. Zhang & Sennrich 2019, Root mean square layer normalization. Throws Error if x is a scalar or a number,
/// or the gain is not of shape [n].
[[nodiscard]] GRADLOOM_API Tensor rms_norm(const Operand& x, const Tensor& gain, double epsilon = 1e-5);

}  // namespace gradloom::inline v0
