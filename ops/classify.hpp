#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef is_nan_def;
GRADLOOM_API extern const OpDef is_finite_def;

/// Which elements are nan, as booleans. Integers and booleans become f32 first and never are.
[[nodiscard]] GRADLOOM_API Tensor is_nan(const Operand& x);
/// Which elements are neither nan nor inf nor -inf, as booleans. Integers and booleans become f32 first and always are.
[[nodiscard]] GRADLOOM_API Tensor is_finite(const Operand& x);

}  // namespace gradloom::inline v0
