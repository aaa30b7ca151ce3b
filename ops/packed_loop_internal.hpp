// The loops around the microkernel where B is packed already and A is read in place.
#pragma once

#include <gradloom/ops/gemm_pack_internal.hpp>
#include <gradloom/ops/gemm_strip_internal.hpp>
#include <gradloom/ops/packed_gemm_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

template <class T>
using PackedStrip = Strip<T, kTileRows, kTileVectors>;
template <class T>
inline constexpr int64_t kPackedPanel = PackedStrip<T>::kCols;

template <class T>
inline void pack_columns(const T* b, int64_t b_row, int64_t b_col, int64_t k, int64_t begin, int64_t end,
                         T* to) noexcept {
  static_assert(kPackedUnit % kPackedPanel<T> == 0);
  for (int64_t col = begin; col < end; col += kPackedPanel<T>) {
    pack_b(b + col * b_col, b_row, b_col, k, end - col < kPackedPanel<T> ? end - col : kPackedPanel<T>, to + col * k);
  }
}

/// A, of which rows are contiguous, times packed B.
template <class T, class TB>
inline void multiply_packed(const GemmArgs<T>& g, const TB* b) noexcept {
  constexpr int64_t lanes = kLanes<T>;
  const GemmChunks chunks(g.k);
  const Parts tiles(g.m, kTileRows);
  PackedStrip<T> strip(g, false);
  Requests requests;
  const TileKernel<T, TB>(*const kernels)[kTileRows][kTileVectors] =
      kTiles<T, TB>.kernels[static_cast<int>(ALayout::along_k)];
  Tile<T, TB> tile;
  tile.a_stride = g.a_row;
  for (int64_t pc = 0; pc < chunks.count; ++pc) {
    const int64_t k0 = chunks.begin_of(pc);
    const bool final = pc == chunks.count - 1, all_by_strip = final && g.epilogue != nullptr;
    const int64_t panels_together = all_by_strip ? PackedStrip<T>::panels_for(g.m) : 1;
    tile.k = chunks.size_of(pc);
    for (int64_t col = 0, jr = 0; col < g.n; col += kPackedPanel<T>, ++jr) {
      const int64_t cols = g.n - col < kPackedPanel<T> ? g.n - col : kPackedPanel<T>,
                    vectors = (cols + lanes - 1) / lanes;
      const bool ragged = cols < vectors * lanes;
      const bool by_strip = all_by_strip || (kMaskIsSlow && ragged);
      const bool adds = pc > 0 && !(kMaskIsSlow && by_strip);  // else the strip does
      if (by_strip && jr % panels_together == 0) strip.begin(0, col, panels_together);
      tile.b_row = vectors * lanes;
      tile.b = b + col * g.k + k0 * tile.b_row;
      tile.last_lanes = by_strip && !adds ? lanes : cols - (vectors - 1) * lanes;
      tile.stored_lanes = by_strip ? lanes : tile.last_lanes;
      tile.c_row = by_strip ? strip.stride() : g.c_row;
      tile.old_row = g.c_row;
      tile.requests = final && strip.asks() ? &requests : nullptr;
      const TileKernel<T, TB>(*const by_rows)[kTileVectors] = kernels[tile.last_lanes < lanes];
      for (int64_t ir = 0; ir < tiles.count; ++ir) {
        const int64_t row = tiles.begin_of(ir), rows = tiles.size_of(ir);
        tile.a = g.a + row * g.a_row + k0;
        T* const c = by_strip && !adds ? nullptr : g.c + row * g.c_row + col;
        tile.c = by_strip ? strip.at(row, col) : c;
        tile.old = adds ? c : nullptr;
        if (tile.requests != nullptr) {
          requests.clear();
          strip.add_requests(requests, row, col, rows, cols);
        }
        by_rows[rows - 1][vectors - 1](tile);
        if (by_strip) {
          const bool last_panel = (jr + 1) % panels_together == 0 || col + cols == g.n;
          strip.pass_on(row + rows, col + cols, final, pc > 0 && !adds, last_panel && ir == tiles.count - 1);
        }
      }
    }
  }
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
