#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef logical_and_def;
GRADLOOM_API extern const OpDef logical_or_def;
GRADLOOM_API extern const OpDef logical_xor_def;
GRADLOOM_API extern const OpDef logical_not_def;

// Elementwise on booleans, with broadcasting; no gradient. Other dtypes are an Error: compare them with something
// first.

[[nodiscard]] GRADLOOM_API Tensor logical_and(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor logical_or(const Operand& a, const Operand& b);
/// True where exactly one of the two is.
[[nodiscard]] GRADLOOM_API Tensor logical_xor(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor logical_not(const Operand& a);

}  // namespace gradloom::inline v0
