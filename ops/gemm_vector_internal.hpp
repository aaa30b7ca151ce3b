// The product of a matrix with one or a few vectors: g.n is at most kGemmVectors. Each element of the matrix is used so
// rarely that how it is read decides the speed.
#pragma once

#include <gradloom/ops/gemm.hpp>
#include <gradloom/ops/gemm_lanes_internal.hpp>
#include <gradloom/ops/gemm_parts_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

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

/// The products, lane for lane, of rows of A with columns of B, both contiguous along k, to parts[v * lanes + r], rows
/// of lanes. Enough sums at a time to keep the units busy, few enough to stay in registers.
template <class T, int64_t Vectors, int64_t Rows>
inline void multiply_rows(const T* const* a, const T* b, int64_t b_col, int64_t k, T* parts) {
  constexpr int64_t lanes = kLanes<T>;
  Batch<T> sum[Rows][Vectors];
#pragma GCC unroll 8
  for (int64_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int64_t v = 0; v < Vectors; ++v) sum[r][v] = Batch<T>(T{0});
  }
  const auto add = [&](auto load) {
    Batch<T> bv[Vectors];
#pragma GCC unroll 4
    for (int64_t v = 0; v < Vectors; ++v) bv[v] = load(b + v * b_col);
#pragma GCC unroll 8
    for (int64_t r = 0; r < Rows; ++r) {
      const Batch<T> x = load(a[r]);
#pragma GCC unroll 4
      for (int64_t v = 0; v < Vectors; ++v) sum[r][v] = fmadd(x, bv[v], sum[r][v]);
    }
  };
  int64_t p = 0;
  for (; p + lanes <= k; p += lanes) add([p](const T* from) { return Batch<T>::load_unaligned(from + p); });
  if (p < k) {
    const LaneMask<T> mask(k - p);
    add([p, mask](const T* from) { return load_lanes(from + p, mask); });  // the other lanes add 0 times 0
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int64_t v = 0; v < Vectors; ++v) sum[r][v].store_aligned(parts + (v * lanes + r) * lanes);
  }
}

/// sums[v * kVectorBlock + i] = row i of A times column v of B, for up to a vector of rows that are contiguous along k:
/// each lane is a chain of its own, and the lanes are added in pairs half a vector apart, and so on.
template <class T, int64_t Vectors>
inline void sum_in_lanes(const T* a, int64_t a_row, const T* b, int64_t b_col, int64_t rows, int64_t k, T* sums) {
  constexpr int64_t lanes = kLanes<T>, most = Vectors == 1 ? 8 : Vectors == 2 ? 4 : 2;
  constexpr int64_t at_once = most < lanes ? most : lanes;
  const T* row[lanes];
  for (int64_t i = 0; i < lanes; ++i) row[i] = a + (i < rows ? i : rows - 1) * a_row;
  alignas(64) T parts[Vectors * lanes * lanes];
  for (int64_t r = 0; r < lanes; r += at_once)
    multiply_rows<T, Vectors, at_once>(row + r, b, b_col, k, parts + r * lanes);
  for (int64_t v = 0; v < Vectors; ++v) {
    Batch<T> x[lanes];
    ColumnReader<T>(parts + v * lanes * lanes, lanes, lanes).read(0, x);
    for (int64_t width = lanes / 2; width > 0; width /= 2) {
      for (int64_t i = 0; i < width; ++i) x[i] = x[i] + x[i + width];
    }
    x[0].store_aligned(sums + v * kVectorBlock<T>);
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
  constexpr int64_t stride = (kGemmVectors + lanes - 1) / lanes * lanes;
  for (int64_t i = 0; i < rows; i += most) {
    const int64_t count = rows - i < most ? rows - i : most;
    alignas(64) T tile[most * stride] = {};
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t v = 0; v < g.n; ++v) tile[r * stride + v] = sums[v * kVectorBlock<T> + i + r];
    }
    epilogue.run(epilogue.context, tile, stride, begin + i + g.row_offset, g.col_offset, count, g.n);
  }
}

/// Adds what a further chunk of k gives.
template <class T>
inline void add_sums(const T* sums, int64_t rows, T* total) {
  for (int64_t i = 0; i < rows; i += kLanes<T>)
    (Batch<T>::load_aligned(total + i) + Batch<T>::load_aligned(sums + i)).store_aligned(total + i);
}

/// `rows` rows of a vector that are contiguous along the columns.
template <class T>
inline void multiply_columns(const GemmArgs<T>& g, int64_t begin, int64_t rows, const Parts& chunks, T* total) {
  alignas(64) T sums[kVectorBlock<T>];
  for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
    const int64_t k0 = chunks.begin_of(chunk);
    combine_columns(g.a + begin * g.a_row + k0 * g.a_col, g.a_col, g.b + k0 * g.b_row, g.b_row, rows,
                    chunks.size_of(chunk), chunk == 0 ? total : sums);
    if (chunk > 0) add_sums(sums, rows, total);
  }
}

/// `rows` rows that are contiguous along k, each read from end to end. `b`: the columns, `b_col` apart, contiguous.
template <class T, int64_t Vectors>
inline void multiply_lanes(const GemmArgs<T>& g, int64_t begin, int64_t rows, const Parts& chunks, const T* b,
                           int64_t b_col, T* total) {
  constexpr int64_t lanes = kLanes<T>, block = kVectorBlock<T>;
  alignas(64) T sums[Vectors * block];
  for (int64_t i = 0; i < rows; i += lanes) {
    const T* const a = g.a + (begin + i) * g.a_row;
    for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
      const int64_t k0 = chunks.begin_of(chunk);
      sum_in_lanes<T, Vectors>(a + k0, g.a_row, b + k0, b_col, rows - i < lanes ? rows - i : lanes,
                               chunks.size_of(chunk), (chunk == 0 ? total : sums) + i);
      for (int64_t v = 0; chunk > 0 && v < Vectors; ++v) add_sums(sums + v * block + i, 1, total + v * block + i);
    }
  }
}

template <class T, int64_t Vectors>
inline void multiply_vectors(const GemmArgs<T>& g, bool flipped, T* workspace) {
  constexpr int64_t block = kVectorBlock<T>;
  const Parts chunks(g.k, kGemmChunk);
  const T* b = g.b;
  int64_t b_col = g.b_col;
  if (g.sums_in_lanes && g.b_row != 1) {
    for (int64_t v = 0; v < Vectors; ++v) {
      for (int64_t p = 0; p < g.k; ++p) workspace[v * g.k + p] = g.b[p * g.b_row + v * g.b_col];
    }
    b = workspace;
    b_col = g.k;
  }
  alignas(64) T total[Vectors * block];
  for (int64_t begin = 0; begin < g.m; begin += block) {
    const int64_t rows = g.m - begin < block ? g.m - begin : block;
    if (g.sums_in_lanes) {
      multiply_lanes<T, Vectors>(g, begin, rows, chunks, b, b_col, total);
    } else {
      multiply_columns(g, begin, rows, chunks, total);
    }
    pass_on_vectors(g, flipped, begin, rows, total);
  }
}

/// Whether multiply_vectors() takes the product, in this orientation.
template <class T>
inline bool suits_vectors(const GemmArgs<T>& g) {
  return g.sums_in_lanes ? g.n <= kGemmVectors && g.a_col == 1 : g.n == 1 && g.a_row == 1;
}

template <class T>
inline void multiply_vectors(const GemmArgs<T>& g, bool flipped, T* workspace) {
  switch (g.n) {
    case 1:
      return multiply_vectors<T, 1>(g, flipped, workspace);
    case 2:
      return multiply_vectors<T, 2>(g, flipped, workspace);
    case 3:
      return multiply_vectors<T, 3>(g, flipped, workspace);
    default:
      return multiply_vectors<T, 4>(g, flipped, workspace);
  }
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
