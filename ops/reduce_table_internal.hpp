// What connects a reduction's kernels, compiled per instruction set, with its OpDef. Included by both sides, so it
// includes nothing heavy.
#pragma once

#include <cstdint>

namespace gradloom::inline v0 {

/// Some axes of the input, outermost first: how many positions they have and where, in elements, each one lies.
struct AxisWalk {
  const int64_t* sizes = nullptr;
  const int64_t* strides = nullptr;
  int count = 0;
};

/// A reduction in its normal form. Axes of size 1 are gone, neighbours that are reduced alike are one axis. The innermost
/// axis, which is contiguous, is `inner` long; all others are either kept (`rows` positions) or reduced (`terms`).
/// If inner is reduced, the result has one element a row, else `inner` elements a row.
struct ReduceParams {
  int64_t rows = 1;
  int64_t terms = 1;
  int64_t inner = 1;
  /// Long reductions are cut into parts, whose results are combined by a second step. What is cut is `inner` if that is
  /// reduced and terms == 1, else the terms.
  int64_t parts = 1;
  int64_t part_length = 1;
  AxisWalk kept{};
  AxisWalk reduced{};
};

/// Elements of `inner` that one work item of a reduction over columns takes: short enough for the stack and the first cache.
inline constexpr int64_t reduce_tile = 256;

/// Reduces work items [begin, end) into results: (row, part) if inner is reduced, (row, part, tile of inner) otherwise.
using ReduceLoop = void (*)(const ReduceParams& params, const void* input, void* results, int64_t begin, int64_t end);
/// Combines the results of parts, [rows, parts, width], into the output, [rows, width]; overwrites them.
using ReduceCombine = void (*)(const ReduceParams& params, void* results, void* output, int64_t width);

struct ReduceLoops {
  ReduceLoop inner_reduced = nullptr;
  ReduceLoop inner_kept = nullptr;
  ReduceCombine combine = nullptr;
};

/// The loops of one reduction for one instruction set, by the dtype (as a number) of the input.
struct ReduceKernels {
  ReduceLoops loops[6] = {};
};

}  // namespace gradloom::inline v0
