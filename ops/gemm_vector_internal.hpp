// The product of a matrix with one or a few vectors: g.n is at most kMostVectors. Each element of the matrix is used so
// rarely that how it is read decides the speed.
#pragma once

#include <gradloom/ops/gemm.hpp>
#include <gradloom/ops/gemm_lanes_internal.hpp>
#include <gradloom/ops/gemm_parts_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// Columns of B up to which rows that are contiguous along k are transposed in registers. A tile of so few columns
/// would leave most lanes idle.
inline constexpr int64_t kMostVectors = 4;

/// Rows that are done at once. Their sums stay in the L1 cache, and they are long enough runs of a column.
template <class T>
inline constexpr int64_t kVectorBlock = 4096 / static_cast<int64_t>(sizeof(T));

/// sums[i] = row i of A times b, for `rows` rows that are contiguous along the columns: the sums run through the
/// columns of A, eight at a time, each of which is read from end to end.
template <class T>
inline void combine_columns(const T* a, int64_t a_col, const T* b, int64_t b_row, int64_t rows, int64_t k, T* sums) {
  constexpr int64_t lanes = kLanes<T>, together = 8;
  const int64_t full = rows / lanes * lanes;
  const LaneMask<T> mask(rows == full ? lanes : rows - full);
  const auto add = [&](int64_t p, auto count) {
    Batch<T> bv[count.value];
    for (int64_t r = 0; r < count.value; ++r) bv[r] = Batch<T>(b[(p + r) * b_row]);
    const T* const column = a + p * a_col;
    for (int64_t i = 0; i < full; i += lanes) {
      Batch<T> sum = p == 0 ? Batch<T>(T{0}) : Batch<T>::load_aligned(sums + i);
#pragma GCC unroll 8
      for (int64_t r = 0; r < count.value; ++r) {
        sum = fmadd(Batch<T>::load_unaligned(column + r * a_col + i), bv[r], sum);
      }
      sum.store_aligned(sums + i);
    }
    if (full == rows) return;
    Batch<T> sum = p == 0 ? Batch<T>(T{0}) : Batch<T>::load_aligned(sums + full);
    for (int64_t r = 0; r < count.value; ++r) sum = fmadd(load_lanes(column + r * a_col + full, mask), bv[r], sum);
    sum.store_aligned(sums + full);
  };
  int64_t p = 0;
  for (; p + together <= k; p += together) add(p, std::integral_constant<int64_t, together>());
  for (; p < k; ++p) add(p, std::integral_constant<int64_t, 1>());
}

/// sums[v * kVectorBlock + i] = row i of A times column v of B, for up to two vectors of rows that are contiguous along
/// k. Transposing in registers gives every row a lane, so that its sum is the same chain as in a tile.
template <class T, int64_t Vectors>
inline void sum_rows(const T* a, int64_t a_row, const T* b, int64_t b_row, int64_t b_col, int64_t rows, int64_t k,
                     T* sums) {
  // Two chains at a time: with more, the rows would not find room in the few sets that a stride of 2 KiB leaves them.
  constexpr int64_t lanes = kLanes<T>;
  const int64_t second = rows > lanes ? lanes : 0;  // with one group left, it is done twice
  const ColumnReader<T> reader0(a, a_row, rows), reader1(a + second * a_row, a_row, rows - second);
  Batch<T> sum0[Vectors], sum1[Vectors];
#pragma GCC unroll 4
  for (int64_t v = 0; v < Vectors; ++v) sum0[v] = sum1[v] = Batch<T>(T{0});
  int64_t p = 0;
  const auto add = [&](const Batch<T>* x, Batch<T>* sum) {
#pragma GCC unroll 16
    for (int64_t r = 0; r < lanes; ++r) {
#pragma GCC unroll 4
      for (int64_t v = 0; v < Vectors; ++v) sum[v] = fmadd(x[r], Batch<T>(b[(p + r) * b_row + v * b_col]), sum[v]);
    }
  };
  for (; p + lanes <= k; p += lanes) {
    Batch<T> x[lanes];
    reader0.read(p, x);
    add(x, sum0);
    reader1.read(p, x);
    add(x, sum1);
  }
  if (p < k) {
    Batch<T> x0[lanes], x1[lanes];
    reader0.read_rest(p, k - p, x0);
    reader1.read_rest(p, k - p, x1);
    for (int64_t r = 0; r < k - p; ++r) {
#pragma GCC unroll 4
      for (int64_t v = 0; v < Vectors; ++v) {
        const Batch<T> bv(b[(p + r) * b_row + v * b_col]);
        sum0[v] = fmadd(x0[r], bv, sum0[v]);
        sum1[v] = fmadd(x1[r], bv, sum1[v]);
      }
    }
  }
#pragma GCC unroll 4
  for (int64_t v = 0; v < Vectors; ++v) {
    sum0[v].store_aligned(sums + v * kVectorBlock<T>);
    if (second != 0) sum1[v].store_aligned(sums + v * kVectorBlock<T> + lanes);
  }
}

/// Hands the sums of rows begin to begin + rows - 1 to where they belong.
template <class T>
inline void pass_on_vectors(const GemmArgs<T>& g, bool flipped, int64_t begin, int64_t rows, T* sums) {
  constexpr int64_t lanes = kLanes<T>, most = 64;  // rows that an epilogue gets at once
  if (g.epilogue == nullptr) {
    for (int64_t v = 0; v < g.n; ++v) {
      const T* const from = sums + v * kVectorBlock<T>;
      T* const to = g.c + begin * g.c_row + v * g.c_col;
      for (int64_t i = 0; i < rows; ++i) to[i * g.c_row] = from[i];
    }
    return;
  }
  const GemmEpilogue<T>& epilogue = *g.epilogue;
  if (flipped) {  // columns that are meant as rows need no turning
    return epilogue.run(epilogue.context, sums, kVectorBlock<T>, g.row_offset, begin + g.col_offset, g.n, rows);
  }
  constexpr int64_t stride = (kMostVectors + lanes - 1) / lanes * lanes;
  for (int64_t i = 0; i < rows; i += most) {
    const int64_t count = rows - i < most ? rows - i : most;
    alignas(64) T tile[most * stride] = {};
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t v = 0; v < g.n; ++v) tile[r * stride + v] = sums[v * kVectorBlock<T> + i + r];
    }
    epilogue.run(epilogue.context, tile, stride, begin + i + g.row_offset, g.col_offset, count, g.n);
  }
}

template <class T, int64_t Vectors>
inline void multiply_vectors(const GemmArgs<T>& g, bool flipped) {
  constexpr int64_t block = kVectorBlock<T>, at_once = 2 * kLanes<T>;
  const Parts chunks(g.k, kGemmChunk);
  alignas(64) T total[Vectors * block], sums[Vectors * block];
  for (int64_t begin = 0; begin < g.m; begin += block) {
    const int64_t rows = g.m - begin < block ? g.m - begin : block;
    for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
      const int64_t k0 = chunks.begin_of(chunk), k = chunks.size_of(chunk);
      const T *const a = g.a + begin * g.a_row + k0 * g.a_col, *const b = g.b + k0 * g.b_row;
      T* const out = chunk == 0 ? total : sums;
      if (Vectors == 1 && g.a_row == 1) {
        combine_columns(a, g.a_col, b, g.b_row, rows, k, out);
      } else {
        for (int64_t i = 0; i < rows; i += at_once) {
          sum_rows<T, Vectors>(a + i * g.a_row, g.a_row, b, g.b_row, g.b_col, rows - i < at_once ? rows - i : at_once,
                               k, out + i);
        }
      }
      for (int64_t v = 0; chunk > 0 && v < Vectors; ++v) {
        for (int64_t i = 0; i < rows; i += kLanes<T>) {
          T* const t = total + v * block + i;
          (Batch<T>::load_aligned(t) + Batch<T>::load_aligned(sums + v * block + i)).store_aligned(t);
        }
      }
    }
    pass_on_vectors(g, flipped, begin, rows, total);
  }
}

/// Whether multiply_vectors() takes the product, and does so faster than tiles: one vector, or rows contiguous along k.
template <class T>
inline bool suits_vectors(const GemmArgs<T>& g) {
  return (g.n == 1 && (g.a_row == 1 || g.a_col == 1)) || (g.n <= kMostVectors && g.a_col == 1 && g.m > kLanes<T>);
}

template <class T>
inline void multiply_vectors(const GemmArgs<T>& g, bool flipped) {
  switch (g.n) {
    case 1:
      return multiply_vectors<T, 1>(g, flipped);
    case 2:
      return multiply_vectors<T, 2>(g, flipped);
    case 3:
      return multiply_vectors<T, 3>(g, flipped);
    default:
      return multiply_vectors<T, 4>(g, flipped);
  }
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
