#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct CosineSimilarityOptions {
  int axis = -1;
  double epsilon = 1e-8;  ///< a shorter vector counts as this long
};

/// The cosine of the angle between the vectors along an axis, sum(a b) / (|a| |b|), from -1 to 1: a and b [..., n,
/// ...], which broadcast, -> [..., ...]. Of a vector of zeros it is 0. Integers become f32. Throws Error for a scalar,
/// for an axis that is not there, and unless epsilon is positive.
[[nodiscard]] GRADLOOM_API Tensor cosine_similarity(const Operand& a, const Operand& b,
                                                    const CosineSimilarityOptions& options = {});

}  // namespace gradloom::inline v0
