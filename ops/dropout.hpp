#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef by_mode_def;

/// `training` in a Program compiled for training, `inference` in one for inference; the other one is not computed. Both
/// are of one shape and dtype. Throws Error if these differ.
[[nodiscard]] GRADLOOM_API Tensor by_mode(const Operand& training, const Operand& inference);

/// In training every element is 0 with probability `rate` and is divided by 1 - rate otherwise, so that the mean stays;
/// in inference x itself. Other elements at every run. On floats; integers become f32. Srivastava et al. 2014, Dropout:
/// a simple way to prevent neural networks from overfitting, scaled as in its section 10. Throws Error unless 0 <= rate
/// < 1.
[[nodiscard]] GRADLOOM_API Tensor dropout(const Operand& x, double rate);

}  // namespace gradloom::inline v0
