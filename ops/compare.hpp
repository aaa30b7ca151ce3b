#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef equal_def;
GRADLOOM_API extern const OpDef not_equal_def;
GRADLOOM_API extern const OpDef less_def;
GRADLOOM_API extern const OpDef less_equal_def;
GRADLOOM_API extern const OpDef greater_def;
GRADLOOM_API extern const OpDef greater_equal_def;

// Elementwise with broadcasting and promotion; the result is boolean and has no gradient. nan compares false with
// everything, but for not_equal. There is no operator == or !=: whether two handles are the same is gl::same.

[[nodiscard]] GRADLOOM_API Tensor equal(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor not_equal(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor less(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor less_equal(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor greater(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor greater_equal(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor operator<(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor operator<=(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor operator>(const Operand& a, const Operand& b);
[[nodiscard]] GRADLOOM_API Tensor operator>=(const Operand& a, const Operand& b);

}  // namespace gradloom::inline v0
