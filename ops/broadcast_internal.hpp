#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

/// x summed over the axes along which a tensor of that shape broadcasts to x's shape: the gradient of that broadcast.
[[nodiscard]] Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace gradloom::inline v0
