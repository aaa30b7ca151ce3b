#pragma once

#include <gradloom/graph/tensor.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

/// (x - mean) / sqrt(variance + epsilon) * gain + bias. The channels are cut into `groups` parts; mean and variance
/// (divided by the number of elements) are over all positions and channels of a part in one image:
/// x [batch, spatial..., channels], gain [channels], bias [channels] -> x's shape. Integers become f32. Wu & He 2018,
/// Group normalization. Throws Error if x has no batch, if gain or bias are not of shape [channels], or if the number
/// of channels is not known or no multiple of `groups`.
[[nodiscard]] GRADLOOM_API Tensor group_norm(const Operand& x, int64_t groups, const Tensor& gain, const Tensor& bias,
                                             double epsilon = 1e-5);

/// group_norm with a group for each channel. Ulyanov, Vedaldi & Lempitsky 2016, Instance normalization.
[[nodiscard]] GRADLOOM_API Tensor instance_norm(const Operand& x, const Tensor& gain, const Tensor& bias,
                                                double epsilon = 1e-5);

}  // namespace gradloom::inline v0
