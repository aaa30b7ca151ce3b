#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef floor_def;
GRADLOOM_API extern const OpDef ceil_def;
GRADLOOM_API extern const OpDef round_def;

// Elementwise and exact. Integer and boolean Tensors come back as they are. No gradient passes: it is 0 wherever it
// exists.

/// The largest integer not above x.
[[nodiscard]] GRADLOOM_API Tensor floor(const Operand& x);
/// The smallest integer not below x.
[[nodiscard]] GRADLOOM_API Tensor ceil(const Operand& x);
/// The nearest integer; halves go to the even one, as in Python and NumPy: round(2.5) is 2.
[[nodiscard]] GRADLOOM_API Tensor round(const Operand& x);

}  // namespace gradloom::inline v0
