// The tables that connect a pointwise op's kernels, compiled per instruction set, with its OpDef. Included by both
// sides, so it includes nothing heavy.
#pragma once

#include <cstdint>

namespace gradloom::inline v0 {

/// Applies a pointwise op to n elements; output may be one of the inputs.
using PointwiseLoop = void (*)(const void* const* inputs, void* output, int64_t n);

/// The loops of one op for one instruction set, by the dtype (as a number) of its last input; null if not supported.
struct PointwiseKernels {
  PointwiseLoop loops[6] = {};
};

/// One set of loops per instruction set, in the order of Isa.
struct PointwiseTable {
  const PointwiseKernels* isa[3] = {};
};

}  // namespace gradloom::inline v0
