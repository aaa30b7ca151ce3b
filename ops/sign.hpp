#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef abs_def;
GRADLOOM_API extern const OpDef sign_def;

/// |x| elementwise on numbers; the lowest integer stays itself. The derivative at 0 is 0.
[[nodiscard]] GRADLOOM_API Tensor abs(const Operand& x);
/// 1 above 0, -1 below, elementwise on numbers; 0, -0 and nan are their own sign. No gradient passes: it is 0 wherever
/// it exists.
[[nodiscard]] GRADLOOM_API Tensor sign(const Operand& x);

}  // namespace gradloom::inline v0
