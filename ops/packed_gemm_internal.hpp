// The matrix product whose right-hand side was packed beforehand: for weights that serve many products, in the steps of
// a loop or for the whole life of a Program. Plain declarations; the kernels are in packed_loop_internal.hpp.
//
// Packed B is a row of panels, each as wide as the microkernel and as high as B: how wide depends on the instruction
// set.
#pragma once

#include <gradloom/graph/bfloat16.hpp>
#include <gradloom/ops/gemm.hpp>
#include <gradloom/ops/kernel.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

/// Blocks of columns begin at multiples of this, which begin a panel for every instruction set and dtype.
inline constexpr int64_t kPackedUnit = 48;

/// Room for k x n elements, packed for any instruction set.
[[nodiscard]] constexpr int64_t packed_elements(int64_t k, int64_t n) noexcept {
  constexpr int64_t most_lanes = 16;
  return k * ((n + most_lanes - 1) / most_lanes * most_lanes);
}

/// The kernels of one instruction set, for one dtype.
template <class T>
struct PackedGemm {
  /// Packs columns `begin` to `end` of B; `begin` is a multiple of kPackedUnit, and so is `end`, unless it is n. `to`
  /// is where all of B begins, aligned to 64 bytes.
  void (*pack)(const T* b, int64_t b_row, int64_t b_col, int64_t k, int64_t begin, int64_t end, T* to) noexcept;
  /// A product like that of GemmKernels, with its bits, where `b` is the panel of the block's first column and the rows
  /// of A are contiguous; b, b_row, b_col and a_col of `args` are not used. k is that of all of B.
  void (*multiply)(const GemmArgs<T>& args, const T* b) noexcept;
  /// The same where B was rounded to bf16 after it was packed; null for f64.
  void (*multiply_bf16)(const GemmArgs<T>& args, const BFloat16* b) noexcept;
};

/// Where the panel begins that begins with that column, a multiple of kPackedUnit.
template <class TB>
[[nodiscard]] constexpr const TB* packed_panel(const TB* packed, int64_t k, int64_t column) noexcept {
  return packed + column * k;
}

template <class T>
[[nodiscard]] const PackedGemm<T>& packed_gemm(Isa isa);

}  // namespace gradloom::inline v0
