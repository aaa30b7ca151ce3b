// What the matrix product needs of an instruction set beyond xsimd: loads and stores of the first few lanes, and the
// transposition of small blocks in registers.
#pragma once

#include <gradloom/ops/kernel_internal.hpp>

#include <utility>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

template <class T>
inline constexpr int64_t kLanes = static_cast<int64_t>(Batch<T>::size);

#if defined(__AVX512BW__)

/// AVX-512 masks cost nothing, so there the masked kernels serve full vectors too.
inline constexpr bool kMaskIsFree = true, kMaskIsSlow = false;

/// Selects the first `lanes` lanes of a vector, 0 < lanes <= size.
template <class T>
struct LaneMask {
  explicit LaneMask(int64_t lanes) : bits(static_cast<uint32_t>((uint32_t{1} << lanes) - 1)) {}
  uint32_t bits;
};

inline Batch<float> load_lanes(const float* p, LaneMask<float> mask) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask.bits), p);
}
inline Batch<double> load_lanes(const double* p, LaneMask<double> mask) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>(mask.bits), p);
}
inline void store_lanes(float* p, Batch<float> x, LaneMask<float> mask) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>(mask.bits), x);
}
inline void store_lanes(double* p, Batch<double> x, LaneMask<double> mask) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>(mask.bits), x);
}

#elif defined(__AVX2__)

inline constexpr bool kMaskIsFree = false, kMaskIsSlow = false;

template <class T>
struct LaneMask {
  explicit LaneMask(int64_t count) : bits{}, lanes(count) {
    if constexpr (sizeof(T) == 4) {
      bits = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    } else {
      bits = _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
    }
  }
  __m256i bits;
  int64_t lanes;
};

inline Batch<float> load_lanes(const float* p, LaneMask<float> mask) { return _mm256_maskload_ps(p, mask.bits); }
inline Batch<double> load_lanes(const double* p, LaneMask<double> mask) { return _mm256_maskload_pd(p, mask.bits); }

// In halves: masked stores, unlike masked loads, are microcode on AMD's cores, a dozen cycles each.
inline void store_lanes(float* p, Batch<float> x, LaneMask<float> mask) {
  if ((mask.lanes & 8) != 0) return x.store_unaligned(p);
  __m128 rest = _mm256_castps256_ps128(x);
  if ((mask.lanes & 4) != 0) {
    _mm_storeu_ps(p, rest);
    rest = _mm256_extractf128_ps(x, 1);
    p += 4;
  }
  if ((mask.lanes & 2) != 0) {
    _mm_storel_pd(static_cast<double*>(static_cast<void*>(p)), _mm_castps_pd(rest));
    rest = _mm_movehl_ps(rest, rest);
    p += 2;
  }
  if ((mask.lanes & 1) != 0) _mm_store_ss(p, rest);
}
inline void store_lanes(double* p, Batch<double> x, LaneMask<double> mask) {
  if ((mask.lanes & 4) != 0) return x.store_unaligned(p);
  __m128d rest = _mm256_castpd256_pd128(x);
  if ((mask.lanes & 2) != 0) {
    _mm_storeu_pd(p, rest);
    rest = _mm256_extractf128_pd(x, 1);
    p += 2;
  }
  if ((mask.lanes & 1) != 0) _mm_store_sd(p, rest);
}

#else

inline constexpr bool kMaskIsFree = false, kMaskIsSlow = true;  // there are none: element by element

template <class T>
struct LaneMask {
  explicit LaneMask(int64_t count) : lanes(count) {}
  int64_t lanes;
};

template <class T>
inline Batch<T> load_lanes(const T* p, LaneMask<T> mask) {
  alignas(16) T buffer[kLanes<T>] = {};
  for (int64_t i = 0; i < mask.lanes; ++i) buffer[i] = p[i];
  return Batch<T>::load_aligned(buffer);
}
template <class T>
inline void store_lanes(T* p, Batch<T> x, LaneMask<T> mask) {
  alignas(16) T buffer[kLanes<T>];
  x.store_aligned(buffer);
  for (int64_t i = 0; i < mask.lanes; ++i) p[i] = buffer[i];
}

#endif

/// A piece is 128 bits of a row. Transposing works on one piece of each of `size` rows: vector r gathers the pieces of
/// rows r, r + kPiece, r + 2 kPiece, ..., so that an in-lane transposition (the cheap kind) leaves whole columns in
/// order. Gathering from memory halves the shuffles of the usual log2(size) rounds, and masked broadcasts, unlike
/// inserts, leave the shuffle units alone.
template <class T>
inline constexpr int64_t kPiece = 16 / static_cast<int64_t>(sizeof(T));

/// Loads whole pieces.
struct WholePiece {
  __m128 operator()(const float* p) const { return _mm_loadu_ps(p); }
  __m128d operator()(const double* p) const { return _mm_loadu_pd(p); }
};

/// Loads the first `count` elements of a piece, 0 < count < kPiece, without touching memory behind them.
struct PieceStart {
  int64_t count;
  __m128 operator()(const float* p) const {
#if defined(__AVX512BW__)
    return _mm_maskz_loadu_ps(static_cast<__mmask8>((1U << count) - 1), p);
#else
    return _mm_setr_ps(p[0], count > 1 ? p[1] : 0.0F, count > 2 ? p[2] : 0.0F, 0.0F);
#endif
  }
  __m128d operator()(const double* p) const { return _mm_load_sd(p); }
};

template <class Load>
inline Batch<float> gather_pieces(const float* const* rows, int64_t col, Load load) {
#if defined(__AVX512BW__)
  __m512 x = _mm512_castps128_ps512(load(rows[0] + col));
  x = _mm512_mask_broadcast_f32x4(x, 0x00f0, load(rows[4] + col));
  x = _mm512_mask_broadcast_f32x4(x, 0x0f00, load(rows[8] + col));
  return _mm512_mask_broadcast_f32x4(x, 0xf000, load(rows[12] + col));
#elif defined(__AVX2__)
  return _mm256_insertf128_ps(_mm256_castps128_ps256(load(rows[0] + col)), load(rows[4] + col), 1);
#else
  return load(rows[0] + col);
#endif
}

template <class Load>
inline Batch<double> gather_pieces(const double* const* rows, int64_t col, Load load) {
#if defined(__AVX512BW__)
  __m512d x = _mm512_castpd128_pd512(load(rows[0] + col));
  x = _mm512_mask_broadcast_f64x2(x, 0x0c, load(rows[2] + col));
  x = _mm512_mask_broadcast_f64x2(x, 0x30, load(rows[4] + col));
  return _mm512_mask_broadcast_f64x2(x, 0xc0, load(rows[6] + col));
#elif defined(__AVX2__)
  return _mm256_insertf128_pd(_mm256_castpd128_pd256(load(rows[0] + col)), load(rows[2] + col), 1);
#else
  return load(rows[0] + col);
#endif
}

/// Takes elements in groups of `Group` alternately from x and y, within each 128-bit lane: the lower halves of the
/// lanes or the upper ones. Vector built-ins, because g++ 12 warns of uninitialized variables inside the AVX-512
/// intrinsics.
template <class T, int Group, bool Upper, class Register, size_t... I>
inline Register interleave_in_lanes(Register x, Register y, std::index_sequence<I...>) {
  constexpr size_t piece = static_cast<size_t>(kPiece<T>), size = sizeof...(I);
  return __builtin_shufflevector(x, y,
                                 (I / piece * piece + (Upper ? piece / 2 : 0) + I % piece / (2 * Group) * Group +
                                  I % Group + (I / Group % 2) * size)...);
}

template <class T, int Group, bool Upper>
inline Batch<T> interleave_in_lanes(Batch<T> x, Batch<T> y) {
  using Register = typename Batch<T>::register_type;
  return interleave_in_lanes<T, Group, Upper>(static_cast<Register>(x), static_cast<Register>(y),
                                              std::make_index_sequence<static_cast<size_t>(kLanes<T>)>());
}

inline void transpose_in_lanes(Batch<float> (&x)[4]) {
  const Batch<float> a = interleave_in_lanes<float, 1, false>(x[0], x[1]);
  const Batch<float> b = interleave_in_lanes<float, 1, true>(x[0], x[1]);
  const Batch<float> c = interleave_in_lanes<float, 1, false>(x[2], x[3]);
  const Batch<float> d = interleave_in_lanes<float, 1, true>(x[2], x[3]);
  x[0] = interleave_in_lanes<float, 2, false>(a, c);
  x[1] = interleave_in_lanes<float, 2, true>(a, c);
  x[2] = interleave_in_lanes<float, 2, false>(b, d);
  x[3] = interleave_in_lanes<float, 2, true>(b, d);
}

inline void transpose_in_lanes(Batch<double> (&x)[2]) {
  const Batch<double> low = interleave_in_lanes<double, 1, false>(x[0], x[1]);
  x[1] = interleave_in_lanes<double, 1, true>(x[0], x[1]);
  x[0] = low;
}

/// Reads blocks of `rows` rows, rows <= lanes, as columns: lane i of a vector is row i. Lanes from `rows` on repeat the
/// last row, which spares masks: nobody looks at them.
template <class T>
struct ColumnReader {
  static constexpr int64_t pieces = kLanes<T> / kPiece<T>;
  const T* row[kLanes<T>];

  ColumnReader(const T* src, int64_t src_row, int64_t rows) {
    for (int64_t i = 0; i < kLanes<T>; ++i) row[i] = src + (i < rows ? i : rows - 1) * src_row;
  }

  /// Columns col to col + lanes - 1. All pieces of a row are read together: with rows a multiple of 4 KiB apart, which
  /// share one set of the L1 cache, a row's cache line would be gone before its next piece.
  [[gnu::always_inline]] void read(int64_t col, Batch<T> (&x)[kLanes<T>]) const {
    Batch<T> y[pieces][kPiece<T>];
#pragma GCC unroll 4
    for (int64_t r = 0; r < kPiece<T>; ++r) {
#pragma GCC unroll 4
      for (int64_t q = 0; q < pieces; ++q) y[q][r] = gather_pieces(row + r, col + q * kPiece<T>, WholePiece());
    }
#pragma GCC unroll 4
    for (int64_t q = 0; q < pieces; ++q) {
      transpose_in_lanes(y[q]);
#pragma GCC unroll 4
      for (int64_t r = 0; r < kPiece<T>; ++r) x[q * kPiece<T> + r] = y[q][r];
    }
  }

  /// Columns col to col + count - 1, count < lanes, without touching memory behind them; of the others, nothing is
  /// said.
  void read_rest(int64_t col, int64_t count, Batch<T> (&x)[kLanes<T>]) const {
    for (int64_t q = 0; q * kPiece<T> < count; ++q) {
      const int64_t begin = q * kPiece<T>, left = count - begin;
      if (left >= kPiece<T>) {
        read_piece(col + begin, WholePiece(), x + begin);
      } else {
        read_piece(col + begin, PieceStart{left}, x + begin);
      }
    }
  }

 private:
  template <class Load>
  void read_piece(int64_t col, Load load, Batch<T>* x) const {
    Batch<T> y[kPiece<T>];
#pragma GCC unroll 4
    for (int64_t r = 0; r < kPiece<T>; ++r) y[r] = gather_pieces(row + r, col, load);
    transpose_in_lanes(y);
#pragma GCC unroll 4
    for (int64_t r = 0; r < kPiece<T>; ++r) x[r] = y[r];
  }
};

/// Hands the columns of a block of rows x cols, rows <= lanes, to `use(column, vector)` in rising order.
template <class T, class Use>
inline void for_each_column(const T* src, int64_t src_row, int64_t rows, int64_t cols, Use use) {
  constexpr int64_t lanes = kLanes<T>;
  const ColumnReader<T> reader(src, src_row, rows);
  Batch<T> x[lanes];
  int64_t col = 0;
  constexpr int64_t ahead = 4 * lanes;
  for (; col + lanes <= cols; col += lanes) {
    // So many rows at once are more streams than a prefetcher follows.
    const int64_t wanted = col + ahead < cols ? col + ahead : col + ahead - cols + lanes * src_row;
#pragma GCC unroll 16
    for (int64_t r = 0; r < lanes; ++r) __builtin_prefetch(reader.row[r] + wanted);
    reader.read(col, x);
#pragma GCC unroll 16
    for (int64_t r = 0; r < lanes; ++r) use(col + r, x[r]);
  }
  if (col == cols) return;
  reader.read_rest(col, cols - col, x);
  for (int64_t r = 0; r < cols - col; ++r) use(col + r, x[r]);
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
