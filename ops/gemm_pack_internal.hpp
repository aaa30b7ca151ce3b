// Packing for the matrix product: copies of parts of A and B in the order in which the microkernel reads them. None of
// it is inlined: it is called from many places, once for thousands of elements.
#pragma once

#include <gradloom/ops/gemm_microkernel_internal.hpp>
#include <gradloom/ops/gemm_parts_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// Copies k rows x `cols` columns of B to `out`, row p at out + p * width; width is cols rounded up to whole vectors.
/// The padding holds zeros or copies of B: it only reaches lanes that are never stored.
template <class T>
[[gnu::noinline]] void pack_b(const T* b, int64_t b_row, int64_t b_col, int64_t k, int64_t cols, T* out) noexcept {
  constexpr int64_t lanes = kLanes<T>;
  const int64_t width = (cols + lanes - 1) / lanes * lanes;
  if (b_col == 1) {
    const int64_t full = cols / lanes * lanes;
    const LaneMask<T> mask(cols - full == 0 ? lanes : cols - full);
    for (int64_t p = 0; p < k; ++p, b += b_row, out += width) {
      for (int64_t j = 0; j < full; j += lanes) Batch<T>::load_unaligned(b + j).store_aligned(out + j);
      if (full < cols) load_lanes(b + full, mask).store_aligned(out + full);
    }
  } else if (b_row == 1) {
    for (int64_t j = 0; j < cols; j += lanes) {
      const int64_t rows = cols - j < lanes ? cols - j : lanes;
      for_each_column(b + j * b_col, b_col, rows, k,
                      [&](int64_t p, Batch<T> x) { x.store_aligned(out + p * width + j); });
    }
  } else {
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t j = 0; j < width; ++j) out[p * width + j] = j < cols ? b[p * b_row + j * b_col] : T{0};
    }
  }
}

/// Copies `rows` rows x k columns of A to `out`, element (i, p) at out[p * rows + i]. Whole vectors are stored: up to
/// one vector behind the end is overwritten, so panels are packed in rising order.
template <class T>
[[gnu::noinline]] void pack_a(const T* a, int64_t a_row, int64_t a_col, int64_t rows, int64_t k, T* out) noexcept {
  constexpr int64_t lanes = kLanes<T>;
  if (a_col == 1) {
    // The last vector first: it spills into the first rows of the next column, which the first vector then sets right.
    for (int64_t i = (rows - 1) / lanes * lanes; i >= 0; i -= lanes) {
      const int64_t count = rows - i < lanes ? rows - i : lanes;
      for_each_column(a + i * a_row, a_row, count, k,
                      [&](int64_t p, Batch<T> x) { x.store_unaligned(out + p * rows + i); });
    }
  } else {
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t i = 0; i < rows; ++i) out[p * rows + i] = a[i * a_row + p * a_col];
    }
  }
}

/// The same for all `tiles` of a block whose columns are contiguous: the tile that begins at row r goes to out + r * k.
/// A few columns at a time, because a tile's part of a column is less than a cache line: whole tiles one after the
/// other fetch each line as often as tiles share it, since of columns a page apart none survives until the next tile.
template <class T>
[[gnu::noinline]] void pack_a_columns(const T* a, int64_t a_col, const Parts& tiles, int64_t k, T* out) noexcept {
  constexpr int64_t lanes = kLanes<T>, page = 4096;
  const int64_t together = a_col * static_cast<int64_t>(sizeof(T)) >= page ? 8 : 16;
  for (int64_t begin = 0; begin < k; begin += together) {
    const int64_t end = k - begin < together ? k : begin + together;
    for (int64_t tile = 0; tile < tiles.count; ++tile) {
      const int64_t row = tiles.begin_of(tile), rows = tiles.size_of(tile);
      const int64_t full = kTallRows < lanes ? 0 : (rows - 1) / lanes * lanes;
      const LaneMask<T> mask(rows - full);
      const T* from = a + row + begin * a_col;
      T* to = out + row * k + begin * rows;
      // A whole vector reaches into the columns that follow, which come later; behind the last one is another tile.
      const int64_t whole = k - (full + lanes - 1) / rows;
      for (int64_t p = begin; p < end; ++p, from += a_col, to += rows) {
        for (int64_t i = 0; i < full; i += lanes) Batch<T>::load_unaligned(from + i).store_unaligned(to + i);
        const Batch<T> rest = load_lanes(from + full, mask);
        if (p < whole) {
          rest.store_unaligned(to + full);
        } else {
          store_lanes(to + full, rest, mask);
        }
      }
    }
  }
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
