// The innermost part of the matrix product: one tile of C in registers.
#pragma once

#include <gradloom/ops/bf16_pair_internal.hpp>
#include <gradloom/ops/gemm_lanes_internal.hpp>
#include <gradloom/ops/load_store_internal.hpp>
#include <gradloom/ops/requests_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// The largest tile: rows x vectors of columns. AVX-512 has 32 registers: 8 x 3 accumulators, 3 of B, 1 of A; 8 rows
/// are no more than the ways of an L1 cache, so that A can be read in place at any row stride, and have each a pointer
/// of its own in a register where that is needed. AVX2 and SSE have 16.
///
/// The tall tile reads a third less from the L2 cache for as many multiply-adds, 13 bytes a cycle instead of 19 on a
/// core with two 512-bit FMA units, which runs faster where panels of B do not fit L1: products of many rows use it.
/// Its rows are more than an L1 cache has ways, so what it asks for early of C goes to L2: rows a page apart share a
/// set.
#if defined(__AVX512BW__)
inline constexpr int64_t kTileRows = 8, kTileVectors = 3;
inline constexpr int64_t kTallRows = 14, kTallVectors = 2;
#elif defined(__FMA__)
inline constexpr int64_t kTileRows = 6, kTileVectors = 2;
inline constexpr int64_t kTallRows = kTileRows, kTallVectors = kTileVectors;
#else
inline constexpr int64_t kTileRows = 4, kTileVectors = 2;  // one register more for the product before it is added
inline constexpr int64_t kTallRows = kTileRows, kTallVectors = kTileVectors;
#endif

/// One chunk of k of one tile. Elements of A lie at a[row * a_stride + p] or a[row + p * a_stride], those of B at
/// b[p * b_row + column], those of the result at c[row * c_row + column], those of `old`, what it is added to,
/// likewise. B may be bf16 where T is float; or both are pairs of bf16, those of A behind a pointer to float, and k
/// counts pairs.
template <class T, class TB = T>
struct Tile {
  int64_t k;
  const T* a;
  int64_t a_stride;
  const TB* b;
  int64_t b_row;
  T* c;
  int64_t c_row;
  const T* old;  // null: nothing to add to; may be c
  int64_t old_row;
  int64_t last_lanes;    // columns of B and `old` in the last vector
  int64_t stored_lanes;  // those of the result
  Requests* requests = nullptr;
};

/// Where consecutive elements of A lie: along a row of A (k), or along a column (also the packed form).
enum class ALayout { along_k, along_rows };

/// A vector of B. What is bf16 is packed, so there are whole ones only.
template <class T>
inline Batch<T> load_b(const T* from) {
  return Batch<T>::load_unaligned(from);
}
inline Batch<float> load_b(const BFloat16* from) { return load_bf16(from); }
inline Batch<float> load_b(const BFloat16Pair* from) {
  return Batch<float>::load_unaligned(reinterpret_cast<const float*>(from));
}

/// a * b + sum.
template <class TB, class T>
inline Batch<T> multiply_add(Batch<T> a, Batch<T> b, Batch<T> sum) {
#if defined(__AVX512BW__)
  if constexpr (std::is_same_v<TB, BFloat16Pair>) {
    // As text: the intrinsic would have all of this source compiled for CPUs that have it.
    __m512 result = sum;
    asm("vdpbf16ps %2, %1, %0" : "+v"(result) : "v"(static_cast<__m512>(a)), "v"(static_cast<__m512>(b)));
    return result;
  }
#endif
  return fmadd(a, b, sum);
}

template <class T, int Rows, int Vectors, ALayout Layout, bool Masked, class TB = T>
void compute_tile(const Tile<T, TB>& t) noexcept {
  constexpr int64_t lanes = kLanes<T>;
  // Copies: as far as the compiler knows, what is stored may change `t`.
  const LaneMask<T> mask(t.last_lanes), stored(t.stored_lanes);
  const T* a = t.a;
  const TB* b = t.b;
  const T* const old = t.old;
  T* const c = t.c;
  const int64_t a_stride = t.a_stride, b_row = t.b_row, old_row = t.old_row, c_row = t.c_row;
  // C is not needed before the whole chunk is summed: time enough to fetch it.
  constexpr bool is_tall = Rows > kTileRows;
  const T* const needed = old != nullptr ? old : c;
  const int64_t needed_row = old != nullptr ? old_row : c_row;
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < Vectors; ++j) {
      if constexpr (is_tall) {
        __builtin_prefetch(needed + i * needed_row + j * lanes, 0, 2);
      } else {
        __builtin_prefetch(needed + i * needed_row + j * lanes, 1);
      }
    }
  }
  Batch<T> sum[Rows][Vectors];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < Vectors; ++j) sum[i][j] = Batch<T>(T{0});
  }
  // Where the result's rows or other panels push B out of L2, no prefetcher brings it back in time.
  constexpr int64_t rows_ahead = 8;
  const int64_t ahead = rows_ahead * b_row;
  const int64_t step = t.requests == nullptr ? t.k : t.requests->step_of(t.k);
  for (int64_t left = t.k; left > 0; left -= step) {
    if (t.requests != nullptr) t.requests->make();
    const int64_t steps = left < step ? left : step;
#pragma GCC unroll 4
    for (int64_t p = 0; p < steps; ++p) {
      Batch<T> bv[Vectors];
#pragma GCC unroll 16
      for (int j = 0; j < Vectors; ++j) {
        if constexpr (Masked && std::is_same_v<T, TB>) {
          bv[j] = j == Vectors - 1 ? load_lanes(b + j * lanes, mask) : load_b(b + j * lanes);
        } else {
          bv[j] = load_b(b + j * lanes);
        }
      }
      if constexpr (is_tall) {
#pragma GCC unroll 16
        for (int j = 0; j < Vectors; ++j) __builtin_prefetch(reinterpret_cast<const std::byte*>(b + ahead + j * lanes));
      }
      b += b_row;
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        const Batch<T> av(Layout == ALayout::along_k ? a[i * a_stride] : a[i]);
#pragma GCC unroll 16
        for (int j = 0; j < Vectors; ++j) sum[i][j] = multiply_add<TB>(av, bv[j], sum[i][j]);
      }
      a += Layout == ALayout::along_k ? 1 : a_stride;
    }
  }
  if (old != nullptr) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < Vectors; ++j) {
        const T* const from = old + i * old_row + j * lanes;
        sum[i][j] = (Masked && j == Vectors - 1 ? load_lanes(from, mask) : Batch<T>::load_unaligned(from)) + sum[i][j];
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < Vectors; ++j) {
      T* const out = c + i * c_row + j * lanes;
      if (Masked && j == Vectors - 1) {
        store_lanes(out, sum[i][j], stored);
      } else {
        sum[i][j].store_unaligned(out);
      }
    }
  }
}

template <class T, class TB = T>
using TileKernel = void (*)(const Tile<T, TB>&) noexcept;

/// All tiles up to the largest.
template <class T, class TB, int64_t MostRows, int64_t MostVectors>
struct TileTable {
  TileKernel<T, TB> kernels[2][2][MostRows][MostVectors];  // [layout][masked][rows - 1][vectors - 1]

  template <ALayout Layout, bool Masked, int Rows, int Vectors = 1>
  constexpr void fill() {
    constexpr int layout = static_cast<int>(Layout);
    kernels[layout][Masked][Rows - 1][Vectors - 1] = compute_tile < T, Rows, Vectors, Layout, Masked || kMaskIsFree,
                                                TB > ;
    if constexpr (Vectors < MostVectors) {
      fill<Layout, Masked, Rows, Vectors + 1>();
    } else if constexpr (Rows < MostRows) {
      fill<Layout, Masked, Rows + 1>();
    }
  }

  constexpr TileTable() : kernels{} {
    fill<ALayout::along_k, false, 1>();
    fill<ALayout::along_k, true, 1>();
    if constexpr (std::is_same_v<T, TB>) {
      fill<ALayout::along_rows, false, 1>();
      fill<ALayout::along_rows, true, 1>();
    }
  }
};

template <class T, class TB = T>
inline constexpr TileTable<T, TB, kTileRows, kTileVectors> kTiles{};
template <class T>
inline constexpr TileTable<T, T, kTallRows, kTallVectors> kTallTiles{};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
