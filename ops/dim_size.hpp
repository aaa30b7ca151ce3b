#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

/// No inputs; attribute dim, which specialising the Program binds.
GRADLOOM_API extern const OpDef dim_size_def;

/// The size of one axis of x as an i64 scalar, for formulas that depend on it (the mean over a symbolic batch). A
/// constant if the size is a number already. Throws Error if x has no such axis; a negative one counts from the end.
[[nodiscard]] GRADLOOM_API Tensor dim_size(const Operand& x, int axis);

}  // namespace gradloom::inline v0
