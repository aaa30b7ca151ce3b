// Ops that move elements and compute nothing. All take every dtype, work on symbolic sizes, and have gradients of every
// order: each one's gradient is made of the others.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef broadcast_def;
GRADLOOM_API extern const OpDef reshape_def;
GRADLOOM_API extern const OpDef transpose_def;
GRADLOOM_API extern const OpDef slice_def;
GRADLOOM_API extern const OpDef pad_def;
GRADLOOM_API extern const OpDef concat_def;

/// x stretched to `shape` by NumPy's rules: axes are aligned at the right, and an axis of x that is a literal 1, or
/// missing, is repeated. Throws Error if another axis differs. Returns x itself if the shape is x's.
[[nodiscard]] GRADLOOM_API Tensor broadcast(const Operand& x, const Shape& shape);

/// The elements of x, in row-major order, under another shape; moves nothing. One size may be -1: it is what makes the
/// numbers of elements agree. Throws Error if they cannot; where only the values of symbols can tell, specialising the
/// Program checks it.
///   reshape(images, {"batch", -1})  // [batch, 28, 28] -> [batch, 784]
[[nodiscard]] GRADLOOM_API Tensor reshape(const Operand& x, const Shape& shape);

/// x with a new axis of size 1, which has that number in the result; negative ones count from the result's end.
[[nodiscard]] GRADLOOM_API Tensor expand_dims(const Operand& x, int axis);

/// x without those axes, each of which must be a literal 1; without every such axis if none is given.
[[nodiscard]] GRADLOOM_API Tensor squeeze(const Operand& x, const std::vector<int64_t>& axes = {});

/// x with its axes in another order: result axis i is x's axis permutation[i]. Without a permutation the order is
/// reversed, as in NumPy. Throws Error unless each axis is named once (negative ones count from the end).
///   transpose(x, {0, 2, 3, 1})  // [n, c, h, w] -> [n, h, w, c]
[[nodiscard]] GRADLOOM_API Tensor transpose(const Operand& x, const std::vector<int64_t>& permutation = {});

/// Part of an axis: start, start + step, ... up to, and without, stop. Negative numbers count from the end; `open` is
/// the axis's own end on that side, so that Range{} is all of it and Range{.step = -1} reverses it.
struct Range {
  static constexpr int64_t open = INT64_MIN;
  Dim start = open;
  Dim stop = open;
  int64_t step = 1;
};

/// Part of x by one Range per axis; axes after the last Range stay whole. Bounds may be symbolic ("batch - 1"). A Range
/// that takes an element x does not have is an Error, where NumPy would cut it short.
///   slice(x, {{1, 3}, {.step = -2}})  // rows 1 and 2; of the columns every other, from the last
[[nodiscard]] GRADLOOM_API Tensor slice(const Operand& x, const std::vector<Range>& ranges);
/// Part of one axis; a negative axis counts from the end.
[[nodiscard]] GRADLOOM_API Tensor slice(const Operand& x, int axis, const Range& range);

/// How much pad() adds to each axis; an empty list adds nothing.
struct PadOptions {
  Shape low{};                      ///< before the first element
  Shape high{};                     ///< after the last
  std::vector<int64_t> interior{};  ///< between any two neighbours
  double value = 0;
};

/// x with `value` before, after and between its elements: an axis of size n becomes low + n + (n - 1) * interior +
/// high. Throws Error if a list has not one number per axis, if one is negative, or if the dtype cannot hold the value.
///   pad(x, {.low = {0, 1}, .high = {0, 1}})  // a column of zeros on both sides
[[nodiscard]] GRADLOOM_API Tensor pad(const Operand& x, const PadOptions& options);

/// The tensors one after another along an axis. Their other sizes must agree; dtypes are promoted. Throws Error for an
/// empty list.
///   concat({a, b}, 1)  // [n, 2], [n, 3] -> [n, 5]
[[nodiscard]] GRADLOOM_API Tensor concat(const std::vector<Tensor>& tensors, int axis = 0,
                                         SourceLocation location = SourceLocation::current());

/// Tensors of one shape side by side along a new axis, which has that number in the result.
///   stack({a, b})  // [n], [n] -> [2, n]
[[nodiscard]] GRADLOOM_API Tensor stack(const std::vector<Tensor>& tensors, int axis = 0,
                                        SourceLocation location = SourceLocation::current());

/// x cut along an axis into that many equal parts. Throws Error if the size does not divide; for a symbolic size,
/// specialising the Program checks it.
[[nodiscard]] GRADLOOM_API std::vector<Tensor> split(const Operand& x, int parts, int axis = 0);

/// x cut along an axis into parts of the given sizes, which must add up to the axis's size.
[[nodiscard]] GRADLOOM_API std::vector<Tensor> split_sizes(const Operand& x, const Shape& sizes, int axis = 0);

}  // namespace gradloom::inline v0
