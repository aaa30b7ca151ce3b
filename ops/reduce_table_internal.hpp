// What connects a reduction's kernels, compiled per instruction set, with its OpDef. Included by both sides, so it
// includes nothing heavy.
#pragma once

#include <gradloom/graph/dtype.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

/// Some axes of the input, outermost first: how many positions they have and where, in elements, each one lies.
struct AxisWalk {
  const int64_t* sizes = nullptr;
  const int64_t* strides = nullptr;
  int count = 0;
};

/// A reduction in its normal form. Axes of size 1 are gone, neighbours that are reduced alike are one axis. What is
/// left are `rows` positions that are kept, `terms` positions that are reduced, and at each of them a run: `length`
/// lines, `stride` apart, of `width` contiguous elements, that are reduced to one line. If the innermost axis is
/// reduced it is the run, of lines of a single element; else it is the line, and the innermost reduced axis the run.
struct ReduceParams {
  int64_t rows = 1;
  int64_t terms = 1;
  int64_t length = 1;
  int64_t stride = 1;
  int64_t width = 1;
  /// Long reductions are cut into parts, whose results are combined by a second step. What is cut is the run if there
  /// is one term, else the terms.
  int64_t parts = 1;
  int64_t part_length = 1;
  AxisWalk kept{};
  AxisWalk reduced{};
};

/// Wide lines are worked on in tiles of this many elements: short enough for the stack and the first cache.
inline constexpr int64_t reduce_tile = 256;

/// The leaves of the tree in which elements are combined: reduce_loop_internal.hpp.
inline constexpr int64_t reduce_leaf_elements = 4096, reduce_leaf_lines = 16;

/// Reduces work items [begin, end), which are (row, part, tile), into results, [rows, parts, width].
using ReduceLoop = void (*)(const ReduceParams& params, const void* input, void* results, int64_t begin, int64_t end);
/// Combines the results of parts, [rows, parts, width], into the output, [rows, width]; overwrites them. Columns begin
/// to end of the width only.
using ReduceCombine = void (*)(const ReduceParams& params, void* results, void* output, int64_t begin, int64_t end);

struct ReduceLoops {
  ReduceLoop reduce = nullptr;
  ReduceCombine combine = nullptr;
};

/// The loops of one reduction for one instruction set, by the dtype (as a number) of the input.
struct ReduceKernels {
  ReduceLoops loops[dtype_count] = {};
};

namespace baseline {
extern const ReduceKernels sum_kernels, prod_kernels, max_kernels, min_kernels;
}
namespace avx2 {
extern const ReduceKernels sum_kernels, prod_kernels, max_kernels, min_kernels;
}
namespace avx512 {
extern const ReduceKernels sum_kernels, prod_kernels, max_kernels, min_kernels;
}

}  // namespace gradloom::inline v0
