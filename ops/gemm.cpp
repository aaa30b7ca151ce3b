// How a matrix product is cut into blocks.
#include <gradloom/ops/gemm.hpp>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

/// Multiply-adds that are worth a block: 5 us at the speed of two 512-bit FMA units, 10 at that of two 256-bit ones.
constexpr int64_t kBlockWork = int64_t{1} << 19;
/// What reading or writing an element costs, in multiply-adds: a product with a vector is bound by that.
constexpr int64_t kElementWork = 6;
constexpr int64_t kMostBlocks = 16;
/// Columns are cut at multiples of a cache line of floats: no block has ragged tiles inside C, and no two blocks of a
/// contiguous C write to one line. Rows are cut at multiples of 16 for the sake of epilogues: one that sums columns
/// adds groups of 16 rows in a fixed order.
constexpr int64_t kColUnit = 16, kRowUnit = 16;
constexpr int64_t kLeastCols = 48, kLeastRows = 32;
constexpr int64_t kLeastRun = 256;  // elements read in a row of a matrix that meets few vectors

constexpr int64_t units(int64_t size, int64_t unit) { return (size + unit - 1) / unit; }

/// `total` cut into equal ranges, the first total % parts of them one longer.
GemmRange equal_range(int64_t total, int64_t parts, int64_t i) {
  const int64_t each = total / parts, longer = total % parts;
  return {i * each + std::min(i, longer), each + (i < longer ? 1 : 0)};
}

/// The first units % parts ranges are one unit longer than the others.
GemmRange range_of(int64_t size, int64_t unit, int64_t parts, int64_t i) {
  const GemmRange range = equal_range(units(size, unit), parts, i);
  const int64_t begin = std::min(size, range.begin * unit), end = std::min(size, (range.begin + range.size) * unit);
  return {begin, end - begin};
}

/// gemm_combine() for one group of rows and columns, to rows of `tile`.
template <class T>
void combine_part(const GemmArgs<T>& g, const T* partials, GemmRange rows, GemmRange cols, T* tile, int64_t stride) {
  const int64_t chunks = gemm_chunks(g.k);
  for (int64_t i = 0; i < rows.size; ++i, tile += stride) {
    const T* sum = partials + (rows.begin + i) * g.n + cols.begin;
    std::copy_n(sum, cols.size, tile);
    for (int64_t chunk = 1; chunk < chunks; ++chunk) {
      sum += g.m * g.n;
      for (int64_t j = 0; j < cols.size; ++j) tile[j] += sum[j];
    }
  }
}

template <class T>
void combine(const GemmArgs<T>& g, const T* partials) {
  constexpr int64_t most_rows = 48, most_cols = 32;
  alignas(64) T tile[most_rows * most_cols] = {};
  for (int64_t i = 0; i < g.m; i += most_rows) {
    const GemmRange rows{i, std::min(most_rows, g.m - i)};
    for (int64_t j = 0; j < g.n; j += most_cols) {
      const GemmRange cols{j, std::min(most_cols, g.n - j)};
      combine_part(g, partials, rows, cols, tile, most_cols);
      if (g.epilogue != nullptr) {
        g.epilogue->run(g.epilogue->context, tile, most_cols, i + g.row_offset, j + g.col_offset, rows.size, cols.size);
        continue;
      }
      for (int64_t r = 0; r < rows.size; ++r) {
        T* const out = g.c + (i + r) * g.c_row + j * g.c_col;
        for (int64_t c = 0; c < cols.size; ++c) out[c * g.c_col] = tile[r * most_cols + c];
      }
    }
  }
}

}  // namespace

GemmGrid gemm_grid(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b) noexcept {
  GemmGrid grid{1, 1};
  if (m <= 0 || n <= 0 || k <= 0) return grid;
  // Doubling keeps the count a power of two. Cutting columns is better as long as blocks stay wide enough for whole
  // tiles: then no part of B is read (and packed) twice, and the panels of B serve many rows; A is mostly read in
  // place. Transposed it is packed, as B is: square blocks pack least. Cutting k, which costs a pass over the partial
  // sums, comes last, but for a matrix that meets few vectors: it is read once, and fastest from end to end.
  const int64_t preference = transpose_a ? 1 : 4;
  const bool streams_b = m <= kGemmVectors && !transpose_b, streams_a = n <= kGemmVectors && transpose_a;
  const int64_t least_cols = streams_b ? kLeastRun : kLeastCols, least_rows = streams_a ? kLeastRun : kLeastRows;
  const double dm = static_cast<double>(m), dn = static_cast<double>(n), dk = static_cast<double>(k);
  const double work = dm * dn * dk + static_cast<double>(kElementWork) * (dm * dk + dk * dn + dm * dn);
  for (int64_t parts = 2; parts <= kMostBlocks && work >= static_cast<double>(parts * kBlockWork); parts *= 2) {
    const bool rows_fit = m >= 2 * least_rows * grid.rows, cols_fit = n >= 2 * least_cols * grid.cols;
    const bool depths_fit = gemm_chunks(k) >= 2 * grid.depths;
    if (depths_fit && (streams_a || streams_b)) {
      grid.depths *= 2;
    } else if (cols_fit && (!rows_fit || preference * n * grid.rows >= m * grid.cols)) {
      grid.cols *= 2;
    } else if (rows_fit) {
      grid.rows *= 2;
    } else if (depths_fit) {
      grid.depths *= 2;
    } else {
      break;
    }
  }
  // What neighbours share is packed once: the operand that would take longer to pack again and again. Copying rows of B
  // costs least, and A is mostly read in place, unless its rows, along k, are a multiple of a page apart.
  constexpr int64_t copying = 1, gathering = 2, transposing = 3, page = 1024;
  const int64_t cost_a = transpose_a ? gathering : k % page == 0 ? transposing : 0;
  const int64_t cost_b = transpose_b ? transposing : copying;
  grid.by_columns = grid.rows > 1 && (grid.rows - 1) * n * cost_b >= (grid.cols - 1) * m * cost_a;
  return grid;
}

int64_t gemm_chunks(int64_t k) noexcept { return std::max<int64_t>(1, units(k, kGemmChunk)); }

GemmRange gemm_chunk_range(int64_t k, int64_t chunk) noexcept {
  return range_of(k, kGemmChunkUnit, gemm_chunks(k), chunk);
}

GemmRange gemm_grid_chunks(GemmGrid grid, int64_t k, int64_t i) noexcept {
  return equal_range(gemm_chunks(k), grid.depths, i);
}

void gemm_combine(const GemmArgs<float>& args, const float* partials) noexcept { combine(args, partials); }
void gemm_combine(const GemmArgs<double>& args, const double* partials) noexcept { combine(args, partials); }

GemmRange gemm_grid_rows(GemmGrid grid, int64_t m, int64_t i) noexcept { return range_of(m, kRowUnit, grid.rows, i); }

GemmRange gemm_grid_cols(GemmGrid grid, int64_t n, int64_t j) noexcept { return range_of(n, kColUnit, grid.cols, j); }

}  // namespace gradloom::inline v0
