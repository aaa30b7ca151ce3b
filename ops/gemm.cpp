// How a matrix product is cut into blocks.
#include <gradloom/ops/gemm.hpp>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

/// Multiply-adds that are worth a block: 15 us at the speed of two 512-bit FMA units, 30 at that of two 256-bit ones.
constexpr int64_t kBlockWork = int64_t{1} << 21;
constexpr int64_t kMostBlocks = 16;
/// Columns are cut at multiples of a cache line of floats: no block has ragged tiles inside C, and no two blocks of a
/// contiguous C write to one line. Rows are cut at multiples of 16 for the sake of epilogues: one that sums columns
/// adds groups of 16 rows in a fixed order.
constexpr int64_t kColUnit = 16, kRowUnit = 16;
constexpr int64_t kLeastCols = 48, kLeastRows = 32;

constexpr int64_t units(int64_t size, int64_t unit) { return (size + unit - 1) / unit; }

/// The first units % parts ranges are one unit longer than the others.
GemmRange range_of(int64_t size, int64_t unit, int64_t parts, int64_t i) {
  const int64_t all = units(size, unit), each = all / parts, longer = all % parts;
  const int64_t begin = std::min(size, (i * each + std::min(i, longer)) * unit);
  const int64_t end = std::min(size, ((i + 1) * each + std::min(i + 1, longer)) * unit);
  return {begin, end - begin};
}

}  // namespace

GemmGrid gemm_grid(int64_t m, int64_t n, int64_t k) noexcept {
  GemmGrid grid{1, 1};
  if (m <= 0 || n <= 0 || k <= 0) return grid;
  // Doubling keeps the count a power of two. Cutting columns is better as long as blocks stay wide enough for whole
  // tiles: then no part of B is read (and packed) twice, and the panels of B serve many rows.
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  while (2 * grid.rows * grid.cols <= kMostBlocks) {
    if (work < static_cast<double>(2 * grid.rows * grid.cols * kBlockWork)) break;
    const bool rows_fit = m >= 2 * kLeastRows * grid.rows, cols_fit = n >= 2 * kLeastCols * grid.cols;
    if (!rows_fit && !cols_fit) break;
    if (cols_fit && (!rows_fit || 4 * n * grid.rows >= m * grid.cols)) {
      grid.cols *= 2;
    } else {
      grid.rows *= 2;
    }
  }
  return grid;
}

GemmRange gemm_grid_rows(GemmGrid grid, int64_t m, int64_t i) noexcept { return range_of(m, kRowUnit, grid.rows, i); }

GemmRange gemm_grid_cols(GemmGrid grid, int64_t n, int64_t j) noexcept { return range_of(n, kColUnit, grid.cols, j); }

}  // namespace gradloom::inline v0
