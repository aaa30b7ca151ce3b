// Elements picked by indices that are values of the graph. Indices are i32 or i64 and count from 0; a run whose indices
// are negative or too large ends in an Error that names the op, the user's line, the index and where it stands, before
// anything in the State changes.
#pragma once

#include <gradloom/graph/dim.hpp>
#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef gather_def;
GRADLOOM_API extern const OpDef scatter_add_def;
GRADLOOM_API extern const OpDef take_along_axis_def;
GRADLOOM_API extern const OpDef add_along_axis_def;
GRADLOOM_API extern const OpDef one_hot_def;
GRADLOOM_API extern const OpDef slice_start_def;
GRADLOOM_API extern const OpDef update_slice_def;

/// The slices of x that the indices name: x's shape with `axis` replaced by the shape of the indices.
///   gather(table, words)  // [vocabulary, width], [batch, time] -> [batch, time, width]
[[nodiscard]] GRADLOOM_API Tensor gather(const Operand& x, const Tensor& indices, int axis = 0);

/// Zeros of that size along `axis`, with the slices of `updates` added where the indices say: the gradient of gather.
/// `updates` has the shape of gather's result. What falls on one element is added in the order of the indices, whatever
/// the number of threads. Numbers only.
[[nodiscard]] GRADLOOM_API Tensor scatter_add(const Operand& updates, const Tensor& indices, const Dim& size,
                                              int axis = 0);

/// One element of x for each index: result[.., i, ..] = x[.., indices[.., i, ..], ..], i along `axis`. The indices have
/// x's shape but for that axis, and give the result theirs.
///   take_along_axis(log_probabilities, expand_dims(labels, -1))  // [n, classes], [n, 1] -> [n, 1]
[[nodiscard]] GRADLOOM_API Tensor take_along_axis(const Operand& x, const Tensor& indices, int axis = -1);

/// Zeros of that size along `axis`, with each element of `updates` added where its index says: the gradient of
/// take_along_axis. `updates` and `indices` have one shape. Additions to one element keep the order of the indices.
[[nodiscard]] GRADLOOM_API Tensor add_along_axis(const Operand& updates, const Tensor& indices, const Dim& size,
                                                 int axis = -1);

/// 1 at the index, 0 elsewhere, along a new last axis of `classes`: [n] -> [n, classes]. Of any dtype. An index that is
/// no class is an Error, as above.
[[nodiscard]] GRADLOOM_API Tensor one_hot(const Operand& indices, const Dim& classes, DType dtype = DType::f32);

/// x with `update` in the place of as many of its slices along `axis`, those from `start` on, an i32 or i64 scalar. The
/// shapes are the same but for that axis. A start that is negative, or leaves too few slices, is an Error, as above. As
/// the update of a parameter that nobody else reads, it writes these slices and nothing else.
///   update_slice(cache, keys, position)  // [capacity, width], [tokens, width], [] -> [capacity, width]
[[nodiscard]] GRADLOOM_API Tensor update_slice(const Operand& x, const Tensor& update, const Tensor& start,
                                               int axis = 0);

}  // namespace gradloom::inline v0
