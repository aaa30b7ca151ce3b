// The matrix product whose right-hand side was packed beforehand: for weights that serve many products, in the steps of
// a loop or for the whole life of a Program. Plain declarations; the kernels are in packed_loop_internal.hpp.
//
// Packed B is a row of panels, each as wide as the microkernel and as high as B: how wide depends on the instruction
// set.
#pragma once

#include <gradloom/graph/bfloat16.hpp>
#include <gradloom/ops/bf16_pair_internal.hpp>
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
  /// The same where both operands are pairs of bf16: `a` of `args` points to them, and k, a_row count them. Chunks of k
  /// are as for so many floats; a pair adds its second product and then its first, each rounded. Null but for f32 with
  /// AVX-512, and for CPUs with AVX512_BF16 only.
  void (*multiply_pairs)(const GemmArgs<T>& args, const BFloat16Pair* b) noexcept;
};

/// An operand whose terms are to be paired: term p of line j (a column of B, or a row of A) at data[p * term + j *
/// line], where one of these strides is 1.
struct TermMatrix {
  const void* data;
  bool is_bf16;  ///< else f32, which is rounded
  int64_t terms, term, line;
};

/// Pairs `begin` to `end` of an operand, and some of its lines. Of the pairs, `begin` is a multiple of kPairUnit, and
/// so is `end`, unless it is the last.
struct PairBlock {
  int64_t begin, end, first_line, last_line;
};
inline constexpr int64_t kPairUnit = 16;

/// How operands of PackedGemm::multiply_pairs are made. Null but for AVX-512; any CPU with that runs them.
struct PairPacking {
  /// Panels as those of PackedGemm::pack; first_line is a multiple of kPackedUnit, and so is last_line, unless it is
  /// that of the last column. `to` is where all of B begins.
  void (*pack_panels)(const TermMatrix& b, const PairBlock& block, BFloat16Pair* to) noexcept;
  /// Rows: pair p of line i at to[i * pairs_for(terms) + p].
  void (*pack_rows)(const TermMatrix& a, const PairBlock& block, BFloat16Pair* to) noexcept;
};

/// Where the panel begins that begins with that column, a multiple of kPackedUnit.
template <class TB>
[[nodiscard]] constexpr const TB* packed_panel(const TB* packed, int64_t k, int64_t column) noexcept {
  return packed + column * k;
}

template <class T>
[[nodiscard]] const PackedGemm<T>& packed_gemm(Isa isa);

}  // namespace gradloom::inline v0
