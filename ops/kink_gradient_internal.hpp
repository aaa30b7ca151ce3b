// Internal ops: what the gradients of functions with kinks (relu, abs, maximum) are simplified to. Each does in one
// handler what a comparison, a constant and a choice do in three.
#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

/// where(a > b, g, 0) and where(a >= b, g, 0), for inputs g, a, b.
GRADLOOM_API extern const OpDef if_greater_def;
GRADLOOM_API extern const OpDef if_greater_equal_def;
/// where(a > b, g, where(a == b, g / 2, 0)), for inputs g, a, b.
GRADLOOM_API extern const OpDef if_larger_def;
/// g * sign(x).
GRADLOOM_API extern const OpDef with_sign_def;

/// What a choice between `g` and `otherwise` is simplified to, or an empty Tensor.
[[nodiscard]] Tensor simplify_kink(const Tensor& condition, const Tensor& g, const Tensor& otherwise);

}  // namespace gradloom::inline v0
