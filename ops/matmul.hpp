#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;
GRADLOOM_API extern const OpDef matmul_def;

/// Which operands stand transposed, that is with their last two axes swapped. Costs no copy.
struct MatmulOptions {
  bool transpose_a = false;
  bool transpose_b = false;
};

/// The matrix product [..., m, k] x [..., k, n] -> [..., m, n], with `transpose_a` of [..., k, m], with `transpose_b`
/// of
/// [..., n, k]. Batch axes broadcast as in NumPy; so do vectors: [k] on the left stands for [1, k], on the right for
/// [k, 1], without that axis in the result and whatever the flags. dtypes i32, i64 (which wrap around), f32, f64;
/// different ones are promoted. Each element is summed in rising k with fused multiply-adds where the CPU has them, see
/// GemmKernels in ops/gemm.hpp. k = 0 gives zeros. Throws Error if the inner dimensions or the batch axes differ.
[[nodiscard]] GRADLOOM_API Tensor matmul(const Operand& a, const Operand& b, const MatmulOptions& options = {});

}  // namespace gradloom::inline v0
