// The product of a matrix with one or a few vectors: g.n is at most kGemmVectors. Each element of the matrix is used so
// rarely that how it is read decides the speed.
#pragma once

#include <gradloom/ops/gemm.hpp>
#include <gradloom/ops/gemm_lanes_internal.hpp>
#include <gradloom/ops/gemm_microkernel_internal.hpp>
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

/// Columns of B, one behind the other, for sum_in_lanes(): each chunk of k fills whole vectors.
template <class T>
struct LaneVectors {
  /// Of one column; never shrinks when k grows.
  static int64_t most_elements(int64_t k) { return k + (k / kGemmChunk + 1) * kLanes<T>; }

  const T* begin;
  int64_t chunk, column;  // elements from one to the next

  LaneVectors(const GemmArgs<T>& g, const GemmChunks& chunks, T* memory)
      : begin(memory), chunk(round_up(chunks.size_of(0), kLanes<T>)), column(chunk * chunks.count) {
    for (int64_t v = 0; v < g.n; ++v) {
      for (int64_t c = 0; c < chunks.count; ++c) {
        const T* const from = g.b + chunks.begin_of(c) * g.b_row + v * g.b_col;
        T* const to = memory + v * column + c * chunk;
        const int64_t size = chunks.size_of(c);
        for (int64_t p = 0; p < chunk; ++p) to[p] = p < size ? from[p * g.b_row] : T{0};
      }
    }
  }
};

/// The products, lane for lane, of rows of A with columns of B, `column` apart. Those of row r and column v go to
/// sums + v * square + r * lanes. Each has two sums, of every other vector of k: enough in all to hide how long a
/// multiply-add takes, few enough for registers.
template <class T, int64_t Vectors, int64_t Rows>
[[gnu::always_inline]] inline void multiply_rows(const T* a, int64_t a_row, const T* b, int64_t column, int64_t k,
                                                 T* sums) {
  constexpr int64_t lanes = kLanes<T>, square = lanes * lanes;
  Batch<T> sum[Rows][Vectors][2];
#pragma GCC unroll 4
  for (int64_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int64_t v = 0; v < Vectors; ++v) sum[r][v][0] = sum[r][v][1] = Batch<T>(T{0});
  }
  const auto add = [&](int64_t which, int64_t at, auto load) {
    Batch<T> bv[Vectors];
#pragma GCC unroll 4
    for (int64_t v = 0; v < Vectors; ++v) bv[v] = Batch<T>::load_aligned(b + v * column + at);
#pragma GCC unroll 4
    for (int64_t r = 0; r < Rows; ++r) {
      const Batch<T> x = load(a + r * a_row + at);
#pragma GCC unroll 4
      for (int64_t v = 0; v < Vectors; ++v) sum[r][v][which] = fmadd(x, bv[v], sum[r][v][which]);
    }
  };
  const auto whole = [](const T* from) { return Batch<T>::load_unaligned(from); };
  int64_t p = 0;
  for (; p + 2 * lanes <= k; p += 2 * lanes) {
    add(0, p, whole);
    add(1, p + lanes, whole);
  }
  if (p + lanes <= k) {
    add(0, p, whole);
    p += lanes;
  }
  if (p < k) {
    const LaneMask<T> mask(k - p);
    add(1, p, [mask](const T* from) { return load_lanes(from, mask); });  // the other lanes add 0 times 0
  }
#pragma GCC unroll 4
  for (int64_t r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int64_t v = 0; v < Vectors; ++v) (sum[r][v][0] + sum[r][v][1]).store_aligned(sums + v * square + r * lanes);
  }
}

/// sums[v * kVectorBlock + i] = row i of A times column v of B, for up to a vector of rows that are contiguous along k.
/// A few rows are read from end to end, as many streams as prefetchers follow. The lanes of each chunk of k are then
/// added in pairs half a vector apart, and so on.
template <class T, int64_t Vectors>
inline void sum_in_lanes(const T* a, int64_t a_row, const LaneVectors<T>& b, int64_t rows, const GemmChunks& chunks,
                         T* sums) {
  constexpr int64_t lanes = kLanes<T>, square = lanes * lanes, of_chunk = Vectors * square;
  constexpr int64_t registers = kTileVectors == 3 ? 20 : 12, fitting = registers / (2 * Vectors);
  constexpr int64_t most_chunks = 4, together = fitting >= 4 ? 4 : fitting >= 2 ? 2 : 1;
  alignas(64) T parts[most_chunks * of_chunk];
  for (int64_t first = 0; first < chunks.count; first += most_chunks) {
    const int64_t count = chunks.count - first < most_chunks ? chunks.count - first : most_chunks;
    const auto multiply = [&]<int64_t Rows>(int64_t begin, std::integral_constant<int64_t, Rows>) {
      for (int64_t chunk = 0; chunk < count; ++chunk) {
        const int64_t at = first + chunk;
        multiply_rows<T, Vectors, Rows>(a + begin * a_row + chunks.begin_of(at), a_row, b.begin + at * b.chunk,
                                        b.column, chunks.size_of(at), parts + chunk * of_chunk + begin * lanes);
      }
    };
    int64_t row = 0;
    for (; row + together <= rows; row += together) multiply(row, std::integral_constant<int64_t, together>());
    for (; row < rows; ++row) multiply(row, std::integral_constant<int64_t, 1>());
    for (int64_t chunk = 0; chunk < count; ++chunk) {
      for (int64_t v = 0; v < Vectors; ++v) {
        T* const part = parts + chunk * of_chunk + v * square;
        for (int64_t i = rows; i < lanes; ++i) Batch<T>(T{0}).store_aligned(part + i * lanes);
        Batch<T> x[lanes];
        ColumnReader<T>(part, lanes, lanes).read(0, x);
        for (int64_t width = lanes / 2; width > 0; width /= 2) {
          for (int64_t i = 0; i < width; ++i) x[i] = x[i] + x[i + width];
        }
        T* const to = sums + v * kVectorBlock<T>;
        if (first + chunk > 0) x[0] = Batch<T>::load_aligned(to) + x[0];
        x[0].store_aligned(to);
      }
    }
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
inline void multiply_columns(const GemmArgs<T>& g, int64_t begin, int64_t rows, const GemmChunks& chunks, T* total) {
  alignas(64) T sums[kVectorBlock<T>];
  for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
    const int64_t k0 = chunks.begin_of(chunk);
    combine_columns(g.a + begin * g.a_row + k0 * g.a_col, g.a_col, g.b + k0 * g.b_row, g.b_row, rows,
                    chunks.size_of(chunk), chunk == 0 ? total : sums);
    if (chunk > 0) add_sums(sums, rows, total);
  }
}

template <class T, int64_t Vectors>
inline void multiply_vectors(const GemmArgs<T>& g, bool flipped, T* workspace) {
  constexpr int64_t lanes = kLanes<T>, block = kVectorBlock<T>;
  const GemmChunks chunks(g.k);
  alignas(64) T total[Vectors * block];
  const auto for_each_block = [&](auto sum) {
    for (int64_t begin = 0; begin < g.m; begin += block) {
      const int64_t rows = g.m - begin < block ? g.m - begin : block;
      sum(begin, rows);
      pass_on_vectors(g, flipped, begin, rows, total);
    }
  };
  if (!g.sums_in_lanes)
    return for_each_block([&](int64_t begin, int64_t rows) { multiply_columns(g, begin, rows, chunks, total); });
  const LaneVectors<T> b(g, chunks, workspace);
  for_each_block([&](int64_t begin, int64_t rows) {
    for (int64_t i = 0; i < rows; i += lanes) {
      sum_in_lanes<T, Vectors>(g.a + (begin + i) * g.a_row, g.a_row, b, rows - i < lanes ? rows - i : lanes, chunks,
                               total + i);
    }
  });
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
