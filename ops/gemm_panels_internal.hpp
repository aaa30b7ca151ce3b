// Products of small blocks whose right-hand side is packed once and used many times, for kernels that are made of
// several products in a row: no choice of orientation, no packing of A, one call of the microkernel per tile.
#pragma once

#include <gradloom/ops/gemm_microkernel_internal.hpp>
#include <gradloom/ops/gemm_pack_internal.hpp>
#include <gradloom/ops/gemm_parts_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// A packed [rows, cols] matrix: panels of up to kTileVectors vectors of columns, one after the other.
template <class T>
struct Panels {
  const T* data;
  int64_t rows, cols;
};

template <class T>
inline int64_t panels_elements(int64_t rows, int64_t cols) {
  return rows * round_up(cols, kLanes<T>);
}

/// Packs element (i, j) from b[i * b_row + j * b_col] to `to`, which has room for panels_elements(rows, cols).
template <class T>
inline Panels<T> pack_panels(const T* b, int64_t b_row, int64_t b_col, int64_t rows, int64_t cols, T* to) {
  constexpr int64_t lanes = kLanes<T>;
  const Parts panels((cols + lanes - 1) / lanes, kTileVectors);
  for (int64_t j = 0; j < panels.count; ++j) {
    const int64_t begin = panels.begin_of(j) * lanes, width = panels.size_of(j) * lanes;
    pack_b(b + begin * b_col, b_row, b_col, rows, cols - begin < width ? cols - begin : width, to + begin * rows);
  }
  return {to, rows, cols};
}

/// What is written beyond the columns asked for.
enum class Tail {
  exact,   ///< nothing
  padded,  ///< rows of C have room for whole panels, and their ends hold anything afterwards
};

/// C[rows, cols] = A[rows, k] B[k, cols], or C += A B: each element is one chain of multiply-adds in rising k. B may
/// have more rows than k and more columns than `cols`. An element of A lies at a[i * a_stride + p] or a[i + p *
/// a_stride].
template <ALayout Layout, Tail End, class T>
inline void multiply_panels(const T* a, int64_t a_stride, int64_t rows, int64_t k, const Panels<T>& b, int64_t cols,
                            T* c, int64_t c_row, bool add) {
  constexpr int64_t lanes = kLanes<T>;
  const Parts panels((b.cols + lanes - 1) / lanes, kTileVectors), tiles(rows, kTileRows);
  Tile<T> tile;
  tile.k = k;
  tile.a_stride = a_stride;
  tile.c_row = tile.old_row = c_row;
  for (int64_t j = 0; j < panels.count; ++j) {
    const int64_t begin = panels.begin_of(j) * lanes, all = panels.size_of(j);
    if (begin >= cols) break;
    const int64_t needed = (cols - begin + lanes - 1) / lanes, vectors = needed < all ? needed : all;
    const int64_t last = cols - begin - (vectors - 1) * lanes;
    const bool masked = End == Tail::exact && last < lanes;
    tile.b = b.data + begin * b.rows;
    tile.b_row = all * lanes;
    tile.last_lanes = tile.stored_lanes = masked ? last : lanes;
    const TileKernel<T>(*const by_rows)[kTileVectors] = kTiles<T>.kernels[static_cast<int>(Layout)][masked];
    for (int64_t i = 0; i < tiles.count; ++i) {
      const int64_t row = tiles.begin_of(i);
      tile.a = a + (Layout == ALayout::along_k ? row * a_stride : row);
      tile.c = c + row * c_row + begin;
      tile.old = add ? tile.c : nullptr;
      by_rows[tiles.size_of(i) - 1][vectors - 1](tile);
    }
  }
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
