#pragma once

#include <gradloom/graph/tensor.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

struct OpDef;

/// Attributes axes (one, non-negative) and keepdims.
GRADLOOM_API extern const OpDef argmax_def;
GRADLOOM_API extern const OpDef argmin_def;

struct ArgReduceOptions {
  int64_t axis = -1;
  bool keepdims = false;
};

/// Where along the axis the largest element is, as i64: [..., n, ...] -> [..., ...], or [..., 1, ...] with keepdims.
/// The first of equal ones (0 equals -0); nan counts as larger than any number, so the first nan wins. Of any dtype. No
/// gradient passes. Throws Error for a scalar, for an axis that x does not have, and for one of size 0.
[[nodiscard]] GRADLOOM_API Tensor argmax(const Operand& x, const ArgReduceOptions& options = {});
/// Where the smallest element is: as argmax, but nan counts as smaller than any number.
[[nodiscard]] GRADLOOM_API Tensor argmin(const Operand& x, const ArgReduceOptions& options = {});

}  // namespace gradloom::inline v0
