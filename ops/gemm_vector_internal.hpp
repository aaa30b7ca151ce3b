// The product of a matrix with one vector, where the matrix is contiguous along k.
#pragma once

#include <gradloom/ops/gemm.hpp>
#include <gradloom/ops/gemm_lanes_internal.hpp>
#include <gradloom/ops/gemm_parts_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// Rows that multiply_vector() sums together: chains enough to cover part of the latency.
template <class T>
inline constexpr int64_t kVectorRows = 2 * kLanes<T>;

/// Rows i to i + kVectorRows - 1 of A times b, to `out`. Transposing in registers gives every row a lane, so that its
/// sum is the same chain as in a tile.
template <class T>
inline void multiply_rows(const GemmArgs<T>& g, int64_t i, T* out) {
  constexpr int64_t lanes = kLanes<T>, groups = kVectorRows<T> / lanes;
  const Parts chunks(g.k, kGemmChunk);
  Batch<T> total[groups];
  for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
    const int64_t k = chunks.size_of(chunk);
    const T* a = g.a + chunks.begin_of(chunk);
    const T* b = g.b + chunks.begin_of(chunk) * g.b_row;
    const int64_t i1 = i + lanes < g.m ? i + lanes : i;  // with one group left, it is done twice
    const ColumnReader<T> readers[groups] = {{a + i * g.a_row, g.a_row, g.m - i},
                                             {a + i1 * g.a_row, g.a_row, g.m - i1}};
    Batch<T> sum[groups] = {Batch<T>(T{0}), Batch<T>(T{0})}, x[lanes];
    int64_t p = 0;
    for (; p + lanes <= k; p += lanes) {
#pragma GCC unroll 2
      for (int64_t group = 0; group < groups; ++group) {
        readers[group].read(p, x);
#pragma GCC unroll 16
        for (int64_t r = 0; r < lanes; ++r) sum[group] = fmadd(x[r], Batch<T>(b[(p + r) * g.b_row]), sum[group]);
      }
    }
    for (int64_t group = 0; group < groups && p < k; ++group) {
      readers[group].read_rest(p, k - p, x);
      for (int64_t r = 0; r < k - p; ++r) sum[group] = fmadd(x[r], Batch<T>(b[(p + r) * g.b_row]), sum[group]);
    }
    for (int64_t group = 0; group < groups; ++group) {
      total[group] = chunk == 0 ? sum[group] : total[group] + sum[group];
    }
  }
  for (int64_t group = 0; group < groups; ++group) total[group].store_aligned(out + group * lanes);
}

/// Rows times one vector, g.n = 1.
template <class T>
inline void multiply_vector(const GemmArgs<T>& g, bool flipped) {
  constexpr int64_t most = 64;  // rows that an epilogue gets at once
  alignas(64) T sums[most];
  for (int64_t begin = 0; begin < g.m; begin += most) {
    const int64_t rows = g.m - begin < most ? g.m - begin : most;
    for (int64_t i = 0; i < rows; i += kVectorRows<T>) multiply_rows(g, begin + i, sums + i);
    if (g.epilogue == nullptr) {
      for (int64_t i = 0; i < rows; ++i) g.c[(begin + i) * g.c_row] = sums[i];
    } else if (flipped) {
      // A column that is meant as a row needs no turning.
      g.epilogue->run(g.epilogue->context, sums, most, g.row_offset, begin + g.col_offset, 1, rows);
    } else {
      alignas(64) T column[most * kLanes<T>];
      for (int64_t i = 0; i < rows; ++i) Batch<T>(sums[i]).store_aligned(column + i * kLanes<T>);
      g.epilogue->run(g.epilogue->context, column, kLanes<T>, begin + g.row_offset, g.col_offset, rows, 1);
    }
  }
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
