#pragma once

#include <gradloom/graph/tensor.hpp>

#include <cstdint>
#include <vector>

namespace gradloom::inline v0 {

struct OpDef;

/// Attributes axes (sorted, non-negative) and keepdims.
GRADLOOM_API extern const OpDef sum_def;
GRADLOOM_API extern const OpDef prod_def;
GRADLOOM_API extern const OpDef max_def;
GRADLOOM_API extern const OpDef min_def;

/// Which axes a reduction runs over, and whether they stay as size 1.
struct ReduceOptions {
  std::vector<int64_t> axes{};  ///< negative ones count from the end; none given means all
  bool keepdims = false;
};

// All reductions: [..., n, ...] -> [..., ...], or [..., 1, ...] with keepdims. Values are combined in a fixed tree, so
// the error of a float sum grows with log n and its bits do not depend on the number of threads. Each throws Error if x
// has no such axis, or for an axis given twice.

/// The sum over the axes; of no elements: 0. Integers and booleans are summed in i64, which wraps around. A compiled
/// sum along rows applies a factor that is the same in all elements of a row once, to the sum.
[[nodiscard]] GRADLOOM_API Tensor sum(const Operand& x, const ReduceOptions& options = {});

/// The product over the axes; of no elements: 1. Integers and booleans are multiplied in i64, which wraps around. The
/// gradient is the product of all other elements, without a division, so that it is right where elements are 0.
[[nodiscard]] GRADLOOM_API Tensor prod(const Operand& x, const ReduceOptions& options = {});

/// The largest element over the axes, of any dtype; nan if one is nan. The gradient is shared equally among elements
/// that tie, and 0 for nan. Throws Error if an axis has size 0.
[[nodiscard]] GRADLOOM_API Tensor max(const Operand& x, const ReduceOptions& options = {});
/// The smallest element over the axes: as max.
[[nodiscard]] GRADLOOM_API Tensor min(const Operand& x, const ReduceOptions& options = {});

// The rest is on floats: integer and boolean Tensors become f32 first.

/// The mean over the axes; of no elements: nan.
[[nodiscard]] GRADLOOM_API Tensor mean(const Operand& x, const ReduceOptions& options = {});

/// The variance over the axes: mean((x - mean(x))^2), in two passes, so nothing cancels. It divides by the number of
/// elements n; times n / (n - 1) it is the unbiased estimate from a sample.
[[nodiscard]] GRADLOOM_API Tensor variance(const Operand& x, const ReduceOptions& options = {});

/// The Euclidean norm over the axes, sqrt(sum(x^2)); x^2 must not overflow. Its gradient where all x are 0 is 0.
[[nodiscard]] GRADLOOM_API Tensor norm(const Operand& x, const ReduceOptions& options = {});

/// log(sum(exp(x))) over the axes, without overflow: the maximum is taken out first (Blanchard, Higham & Higham 2021,
/// Accurately computing the log-sum-exp and softmax functions). inf if an element is inf, -inf if all are -inf; the
/// gradient is softmax(x), and 0 where the result is not finite. Throws Error if an axis has size 0.
[[nodiscard]] GRADLOOM_API Tensor logsumexp(const Operand& x, const ReduceOptions& options = {});

}  // namespace gradloom::inline v0
