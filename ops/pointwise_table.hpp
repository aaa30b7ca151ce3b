// The tables that connect a pointwise op's kernels, compiled per instruction set, with its OpDef. Included by both
// sides, so it includes nothing heavy.
#pragma once

#include <gradloom/graph/dtype.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

/// Applies a pointwise op to n elements; output may be one of the inputs.
using PointwiseLoop = void (*)(const void* const* inputs, void* output, int64_t n);

/// An op's handlers in fused programs: fused_internal.hpp has their type.
struct FusedHandlers {
  const void* handlers = nullptr;
  bool of_masks = false;  ///< the last input is a mask, not a vector of numbers
};

/// The kernels of one op for one instruction set.
struct PointwiseKernels {
  PointwiseLoop loops[dtype_count] = {};  ///< by the dtype (as a number) of the op's last input; null if not supported
  bool cheap = false;           ///< its work is an instruction or a few: as cheap to do again as to store and load
  FusedHandlers fused[2] = {};  ///< in programs of f32 and of f64; without them a program calls the loop
  FusedHandlers fused_bf16{};   ///< in programs of f32, of an input that is bf16
};

/// One set of loops per instruction set, in the order of Isa.
struct PointwiseTable {
  const PointwiseKernels* isa[3] = {};
};

}  // namespace gradloom::inline v0
