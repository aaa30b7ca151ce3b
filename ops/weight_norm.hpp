#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

/// gain * direction / norm(direction), with the norm over all axes but the last: direction [..., out], gain [out] ->
/// [..., out]. Length and direction of the weights for each output are then learned apart. Salimans & Kingma 2016,
/// Weight normalization, eq. 2. Throws Error if the direction has fewer than two axes or the gain is not of shape
/// [out].
///   matmul(x, weight_norm(v, g))
[[nodiscard]] GRADLOOM_API Tensor weight_norm(const Operand& direction, const Tensor& gain);

}  // namespace gradloom::inline v0
