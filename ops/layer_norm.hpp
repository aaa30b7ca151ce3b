#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

/// (x - mean) / sqrt(variance + epsilon) * gain + bias, with mean and variance (divided by n) over the last axis:
/// x [..., n], gain [n], bias [n] -> [..., n]. Integers become f32. Ba, Kiros & Hinton 2016, Layer normalization.
/// Throws Error if x is a scalar or a number, or gain or bias are not of shape [n].
[[nodiscard]] GRADLOOM_API Tensor layer_norm(const Operand& x, const Tensor& gain, const Tensor& bias,
                                             double epsilon = 1e-5);

}  // namespace gradloom::inline v0
