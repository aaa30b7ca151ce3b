#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef maximum_def;
GRADLOOM_API extern const OpDef minimum_def;
GRADLOOM_API extern const OpDef clamp_def;
/// x, but `low` where x < low, and x, but `high` where x > high: what maximum, minimum and clamp are simplified to
/// beside a number that is neither nan nor 0.
GRADLOOM_API extern const OpDef at_least_def;
GRADLOOM_API extern const OpDef at_most_def;

// Elementwise on numbers, with broadcasting and promotion. Exact; nan if any operand is nan; 0 counts as larger than
// -0.

/// The larger of the two. Where they are equal, each gets half of the gradient.
[[nodiscard]] GRADLOOM_API Tensor maximum(const Operand& a, const Operand& b);
/// The smaller of the two. Where they are equal, each gets half of the gradient.
[[nodiscard]] GRADLOOM_API Tensor minimum(const Operand& a, const Operand& b);
/// x held within [low, high]: minimum(maximum(x, low), high), so `high` where low > high. The gradient goes to x at the
/// bounds too, and to the bound beyond them.
[[nodiscard]] GRADLOOM_API Tensor clamp(const Operand& x, const Operand& low, const Operand& high);

}  // namespace gradloom::inline v0
