// The matrix product C = A B: which orientation, what to pack, and the loops around the microkernel.
//
// The loop nest is that of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008). Two
// things differ. Packing is optional, since an operand that fits the caches is read in place at the same speed. And
// every dimension is cut into equal parts, never into full blocks and a small rest, which would run at the speed of the
// rest.
#pragma once

#include <gradloom/ops/gemm.hpp>
#include <gradloom/ops/gemm_pack_internal.hpp>
#include <gradloom/ops/gemm_rowwise_internal.hpp>
#include <gradloom/ops/gemm_strip_internal.hpp>
#include <gradloom/ops/gemm_vector_internal.hpp>
#include <gradloom/ops/second_cache_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// A block of packed A may take 512 KiB: it stays in an L2 cache of 1 MiB beside a panel of B, and where L2 is smaller,
/// a tile needs so little of it (8 rows for 48 columns) that L3 delivers it in time.
template <class T>
inline constexpr int64_t kRowBlock = 1024 / static_cast<int64_t>(sizeof(T));
inline constexpr int64_t kColBlock = 2048;
template <class T>
using TallStrip = Strip<T, kTallRows, kTallVectors>;
template <class T>
inline constexpr int64_t kPanel = TallStrip<T>::kCols;
/// Blocks of rows begin at multiples of this; where the rows are columns of the C that was asked for, an epilogue wants
/// its parts to begin at a multiple of two vectors.
inline constexpr int64_t kRowUnit = 32;

/// About how many cycles a product takes in the orientation given.
template <class T>
inline double estimated_cycles(const GemmArgs<T>& g) {
  constexpr int64_t lanes = kLanes<T>;
  const int64_t vectors = (g.n + lanes - 1) / lanes;
  const double m = static_cast<double>(g.m), n = static_cast<double>(g.n), k = static_cast<double>(g.k);
  const double transposing = 3.5 / lanes;  // per element, with register transposes; one by one takes 1.5
  // A single vector of columns means a load for every multiply-add.
  double cycles = m * k * static_cast<double>(vectors) * (vectors == 1 ? 0.65 : 0.5);
  if (g.b_col != 1) cycles += k * n * (g.b_row == 1 ? transposing : 1.5);
  if (g.a_row != 1 && g.a_col != 1) cycles += m * k * 1.5;
  // A tile of C written column by column touches a cache line for every few elements, and once for each chunk of k.
  if (g.c_col != 1)
    cycles += m * n * static_cast<double>((g.k + kGemmChunk - 1) / kGemmChunk) * (g.c_row == 1 ? 0.3 : 2);
  return cycles;
}

/// A panel of B: so many vectors of columns wide, the last of which may be ragged.
template <class T>
struct Panel {
  int64_t vectors = 0, col = 0, cols = 0;
  const T* b = nullptr;
  T* packed = nullptr;
};

/// Rows a multiple of a page apart share a set of the L1 cache, which has 8 ways and more: a tile that reads more of
/// them in place reads each line again and again.
template <class T>
inline bool rows_in_one_set(const GemmArgs<T>& g) {
  constexpr int64_t page = 4096, ways = 8;
  return kTallRows > ways && g.a_col == 1 && g.a_row * static_cast<int64_t>(sizeof(T)) % page == 0 && g.m > ways;
}

/// Has an earlier block packed the operand that begins at `block`?
template <class T>
inline bool holds(const GemmKept* kept, const T* block) {
  return kept != nullptr && kept->block == block && !kept->rowwise;
}

/// The product in the orientation given; `flipped` if that is the transpose of what was asked for.
template <class T>
inline void multiply(const GemmArgs<T>& g, bool flipped, T* workspace) {
  constexpr int64_t lanes = kLanes<T>, bytes = static_cast<int64_t>(sizeof(T));
  const GemmChunks chunks(g.k);
  const Parts row_blocks((g.m + kRowUnit - 1) / kRowUnit, kRowBlock<T> / kRowUnit);
  const Parts col_blocks((g.n + kPanel<T> - 1) / kPanel<T>, kColBlock / kPanel<T>);

  const int64_t largest_chunk = chunks.size_of(0);
  const bool big = (g.m * largest_chunk + largest_chunk * g.n + g.m * g.n) * bytes > (int64_t{3} << 20);
  const bool must_pack_a = (g.a_row != 1 && g.a_col != 1) || (rows_in_one_set(g) && g.n > lanes);
  // Packed panels are padded, so that only the tile has to be cut, once and not for each k.
  const bool must_pack_b = g.b_col != 1 || (kMaskIsSlow && g.n % lanes != 0);
  // In place, the lines that a tile reads of A, if contiguous along the rows, lie a whole row apart. Once there are
  // more than half an L1 cache of them, none survives until the next tile; and where a page has less than three of
  // them, they share a few sets, or no prefetcher follows from page to page.
  constexpr int64_t many = 192, page = 4096;
  const auto far_apart = [&](int64_t row) { return 2 * row * bytes >= page; };
  // What others share is packed whole, all chunks of k one after the other, unless it is there already.
  const bool has_a = holds(g.kept_a, g.a), has_b = holds(g.kept_b, g.b);
  // A that is contiguous along k is read in long runs: packing it pays where other blocks have it, too.
  const bool packs_a = has_a || must_pack_a ||
                       (g.n >= 4 * kPanel<T> && (big || (g.a_col == 1 ? g.kept_a != nullptr && far_apart(g.a_row)
                                                                      : largest_chunk >= many || far_apart(g.a_col))));
  // Those of B, too; a panel is asked for ahead, so it is read at full speed from L2 if it stays there.
  const auto panel_stays = [&] {
    constexpr int64_t lines = round_up(kPanel<T> * bytes, cache_line) / cache_line;
    return stays_in_second_cache(largest_chunk, lines, g.b_row * bytes);
  };
  const bool packs_b =
      has_b || must_pack_b || (g.m >= 3 * kTallRows && !panel_stays()) || (g.m >= 8 * kTallRows && big);
  GemmKept* const kept_a = packs_a && row_blocks.count == 1 ? g.kept_a : nullptr;
  GemmKept* const kept_b = packs_b && col_blocks.count == 1 ? g.kept_b : nullptr;
  for (GemmKept* const kept : {kept_a, kept_b}) {
    if (kept == nullptr) continue;
    kept->block = kept == kept_a ? g.a : g.b;
    kept->flipped = flipped;
    kept->rowwise = false;
  }

  const int64_t largest_rows = row_blocks.count == 1 ? g.m : row_blocks.size_of(0) * kRowUnit;
  T* const for_b = workspace + (packs_a ? round_up(largest_rows * largest_chunk + lanes, 64) : 0);
  // With a single block of rows each panel of B is used at once: two buffers, still warm, serve all.
  const bool keeps_panels = row_blocks.count > 1 || kept_b != nullptr;
  // A row of B is a line or two of a panel, and the next row far away: each panel is packed between the tiles of the
  // one before, which leave memory the time that it takes.
  const bool packs_ahead = packs_b && !has_b && g.b_col == 1;
  // What is read in place is asked for instead.
  const bool asks_for_b = !packs_b && g.m >= 8 * kTallRows;
  TallStrip<T> strip(g, flipped);
  Requests requests;
  const TileKernel<T>(*const kernels)[kTallRows][kTallVectors] =
      kTallTiles<T>.kernels[static_cast<int>(packs_a || g.a_col != 1 ? ALayout::along_rows : ALayout::along_k)];

  for (int64_t jc = 0; jc < col_blocks.count; ++jc) {
    const int64_t j0 = col_blocks.begin_of(jc) * kPanel<T>, j1 = j0 + col_blocks.size_of(jc) * kPanel<T>;
    const Parts panels(((g.n < j1 ? g.n : j1) - j0 + lanes - 1) / lanes, kTallVectors);
    for (int64_t pc = 0; pc < chunks.count; ++pc) {
      const int64_t k0 = chunks.begin_of(pc), k = chunks.size_of(pc);
      const bool final = pc == chunks.count - 1;
      const bool all_by_strip = g.c_col != 1 || (final && g.epilogue != nullptr);
      const int64_t panels_together = all_by_strip ? TallStrip<T>::panels_for(g.m) : 1;
      T* const packed_a = kept_a == nullptr ? workspace : static_cast<T*>(kept_a->room) + g.m * k0;
      T* const packed_b = kept_b == nullptr ? for_b : static_cast<T*>(kept_b->room) + round_up(g.n, lanes) * k0;
      for (int64_t ic = 0; ic < row_blocks.count; ++ic) {
        const int64_t i0 = row_blocks.begin_of(ic) * kRowUnit, i1 = i0 + row_blocks.size_of(ic) * kRowUnit;
        const Parts tiles((g.m < i1 ? g.m : i1) - i0, kTallRows);
        const bool packs_now = packs_a && !has_a && (kept_a == nullptr || jc == 0);
        if (packs_now && g.a_row == 1) {
          pack_a_columns(g.a + i0 + k0 * g.a_col, g.a_col, tiles, k, packed_a);
        } else if (packs_now) {
          for (int64_t ir = 0; ir < tiles.count; ++ir) {
            const int64_t row = tiles.begin_of(ir);
            pack_a(g.a + (i0 + row) * g.a_row + k0 * g.a_col, g.a_row, g.a_col, tiles.size_of(ir), k,
                   packed_a + row * k);
          }
        }
        const auto panel_at = [&](int64_t jr) {
          const int64_t vectors = panels.size_of(jr), col = j0 + panels.begin_of(jr) * lanes;
          const int64_t to = (keeps_panels ? panels.begin_of(jr) : jr % 2 * panels.size_of(0)) * lanes * k;
          return Panel<T>{vectors, col, g.n - col < vectors * lanes ? g.n - col : vectors * lanes,
                          g.b + k0 * g.b_row + col * g.b_col, packed_b + to};
        };
        for (int64_t jr = 0; jr < panels.count; ++jr) {
          const auto [vectors, col, cols, b, panel] = panel_at(jr);
          if (packs_b && ic == 0 && !has_b && (jr == 0 || !packs_ahead)) pack_b(b, g.b_row, g.b_col, k, cols, panel);
          if (asks_for_b && ic == 0 && jr == 0) {  // at once: no tile comes before the first panel
            requests.clear();
            requests.add(reinterpret_cast<const std::byte*>(b), g.b_row * bytes, k, cols * bytes);
            requests.make_all();
          }
          const bool has_next = (packs_ahead || asks_for_b) && ic == 0 && jr + 1 < panels.count;
          const Panel<T> next = has_next ? panel_at(jr + 1) : Panel<T>{};

          const bool ragged = cols < vectors * lanes;
          const bool by_strip = all_by_strip || (kMaskIsSlow && ragged);
          const bool adds = pc > 0 && g.c_col == 1 && !(kMaskIsSlow && by_strip);  // else the strip does
          if (by_strip && jr % panels_together == 0) strip.begin(i0, col, panels_together);
          Tile<T> tile;
          tile.k = k;
          tile.b = packs_b ? panel : b;
          tile.b_row = packs_b ? vectors * lanes : g.b_row;
          tile.last_lanes = packs_b && by_strip && !adds ? lanes : cols - (vectors - 1) * lanes;
          tile.stored_lanes = by_strip ? lanes : tile.last_lanes;
          tile.c_row = by_strip ? strip.stride() : g.c_row;
          tile.old_row = g.c_row;
          const bool asks = final && strip.asks();
          tile.requests = has_next || asks ? &requests : nullptr;
          const TileKernel<T>(*const by_rows)[kTallVectors] = kernels[tile.last_lanes < lanes];
          for (int64_t ir = 0; ir < tiles.count; ++ir) {
            const int64_t row = i0 + tiles.begin_of(ir), rows = tiles.size_of(ir);
            if (packs_a) {
              tile.a = packed_a + tiles.begin_of(ir) * k;
              tile.a_stride = rows;
            } else {
              tile.a = g.a + row * g.a_row + k0 * g.a_col;
              tile.a_stride = g.a_col == 1 ? g.a_row : g.a_col;
            }
            T* const c = by_strip && !adds ? nullptr : g.c + row * g.c_row + col * g.c_col;
            tile.c = by_strip ? strip.at(row, col) : c;
            tile.old = adds ? c : nullptr;
            const int64_t from = has_next ? k * ir / tiles.count : 0, to = has_next ? k * (ir + 1) / tiles.count : 0;
            if (tile.requests != nullptr) {
              requests.clear();
              requests.add(reinterpret_cast<const std::byte*>(next.b + from * g.b_row), g.b_row * bytes, to - from,
                           next.cols * bytes);
              if (asks) strip.add_requests(requests, row, col, rows, cols);
            }
            by_rows[rows - 1][vectors - 1](tile);
            if (packs_ahead && from < to)
              pack_b(next.b + from * g.b_row, g.b_row, 1, to - from, next.cols,
                     next.packed + from * next.vectors * lanes);
            if (by_strip) {
              const bool last_panel = (jr + 1) % panels_together == 0 || jr == panels.count - 1;
              strip.pass_on(row + rows, col + cols, final, pc > 0 && !adds, last_panel && ir == tiles.count - 1);
            }
          }
        }
      }
    }
  }
}

/// Tiny products are over before the better orientation, what to pack and the blocks are found. In place, or with B as
/// a panel on the stack: one row of tiles, whose results lie in one part for an epilogue.
inline constexpr int64_t kTinyWork = 8192, kTinySum = 64;
template <class T>
inline bool suits_tiny(const GemmArgs<T>& g) {
  const int64_t work = g.m * g.n * g.k;
  return work > 0 && work <= kTinyWork && g.m <= TallStrip<T>::kRows && g.n <= kPanel<T> && g.k <= kTinySum &&
         g.c_col == 1 && (g.a_col == 1 || g.a_row == 1) && (2 * g.n >= kLanes<T> || work < kTinyWork / 4) &&
         !(kMaskIsSlow && g.n % kLanes<T> != 0) && !g.sums_in_lanes && g.kept_a == nullptr && g.kept_b == nullptr;
}

template <class T>
inline void multiply_tiny(const GemmArgs<T>& g, bool flipped) {
  constexpr int64_t lanes = kLanes<T>, panel = kPanel<T>;
  const int64_t vectors = (g.n + lanes - 1) / lanes, last = g.n - (vectors - 1) * lanes;
  alignas(64) T packed[kTinySum * panel];
  alignas(64) T part[TallStrip<T>::kRows * panel];
  const bool packs = g.b_col != 1, stores = g.epilogue == nullptr;
  if (packs) pack_b(g.b, g.b_row, g.b_col, g.k, g.n, packed);
  Tile<T> tile;
  tile.k = g.k;
  tile.a_stride = g.a_col == 1 ? g.a_row : g.a_col;
  tile.b = packs ? packed : g.b;
  tile.b_row = packs ? vectors * lanes : g.b_row;
  tile.c_row = stores ? g.c_row : panel;
  tile.old = nullptr;
  tile.last_lanes = packs ? lanes : last;
  tile.stored_lanes = stores ? last : lanes;
  const ALayout layout = g.a_col == 1 ? ALayout::along_k : ALayout::along_rows;
  const TileKernel<T>(*const by_rows)[kTallVectors] = kTallTiles<T>.kernels[static_cast<int>(layout)][last < lanes];
  const Parts tiles(g.m, kTallRows);
  for (int64_t i = 0; i < tiles.count; ++i) {
    const int64_t row = tiles.begin_of(i);
    tile.a = g.a + row * g.a_row;
    tile.c = stores ? g.c + row * g.c_row : part + row * panel;
    by_rows[tiles.size_of(i) - 1][vectors - 1](tile);
  }
  if (!stores) EpilogueCall<T>(g, flipped)(part, panel, 0, 0, g.m, g.n, false);
}

/// The epilogue of an empty sum.
template <class T>
inline void pass_on_zeros(const GemmArgs<T>& g) {
  constexpr int64_t strip_rows = TallStrip<T>::kRows;
  alignas(64) T tile[strip_rows * kPanel<T>];
  for (int64_t j = 0; j < g.n; j += kPanel<T>) {
    for (int64_t i = 0; i < g.m; i += strip_rows) {
      for (T& x : tile) x = T{0};
      EpilogueCall<T>(g, false)(tile, kPanel<T>, i, j, g.m - i < strip_rows ? g.m - i : strip_rows,
                                g.n - j < kPanel<T> ? g.n - j : kPanel<T>, false);
    }
  }
}

template <class T>
inline void gemm(const GemmArgs<T>& args, void* workspace) {
  if (suits_tiny(args)) return multiply_tiny(args, false);
  GemmArgs<T> g = args;
  if (g.m <= 0 || g.n <= 0) return;
  if (g.k <= 0) {
    if (g.epilogue != nullptr) return pass_on_zeros(g);
    for (int64_t i = 0; i < g.m; ++i) {
      for (int64_t j = 0; j < g.n; ++j) g.c[i * g.c_row + j * g.c_col] = T{0};
    }
    return;
  }
  // The stride of a dimension of size 1 is never used: choose what makes the operand look contiguous.
  if (g.m == 1) g.a_row = g.c_row = 1;
  if (g.n == 1) g.b_col = g.c_col = 1;
  if (suits_tiny(g)) return multiply_tiny(g, false);
  if (const GemmArgs<T> t = transposed(g); suits_tiny(t)) return multiply_tiny(t, true);
  T* const elements = static_cast<T*>(workspace);
  if (suits_vectors(g)) return multiply_vectors(g, false, elements);
  if (const GemmArgs<T> t = transposed(g); suits_vectors(t)) return multiply_vectors(t, true, elements);
  const bool natural = g.c_col == 1 && g.b_col == 1 && g.n > 3 * kLanes<T>;
  bool flipped = false;
  if (holds(g.kept_a, g.a)) {
    flipped = g.kept_a->flipped;
  } else if (holds(g.kept_b, g.b)) {
    flipped = g.kept_b->flipped;
  } else if (!natural) {
    flipped = estimated_cycles(transposed(g)) < estimated_cycles(g);
  }
  const GemmArgs<T> oriented = flipped ? transposed(g) : g;
  const bool in_place = oriented.a_col == 1 && !rows_in_one_set(oriented);
  if ((oriented.epilogue == nullptr || !flipped) && RowwiseProduct<T>::suits(oriented, in_place))
    return RowwiseProduct<T>(oriented, in_place, elements).run();
  multiply(oriented, flipped, elements);
}

/// Largest need of either orientation, with both operands packed.
template <class T>
inline size_t gemm_workspace_elements(int64_t m, int64_t n, int64_t k) {
  const int64_t chunk = k < kGemmChunk ? k : kGemmChunk;
  const int64_t rows = m < kRowBlock<T> ? m : kRowBlock<T>;
  const int64_t cols = round_up(n < kColBlock ? n : kColBlock, kLanes<T>);
  const int64_t kept = m > kRowBlock<T> || cols < 2 * kPanel<T> ? cols : 2 * kPanel<T>;
  const int64_t blocks = round_up(rows * chunk + kLanes<T>, 64) + kept * chunk,
                vectors = kGemmVectors * LaneVectors<T>::most_elements(k);
  const int64_t rowwise = RowwiseProduct<T>::workspace_elements(m, n, k), most = blocks > vectors ? blocks : vectors;
  return static_cast<size_t>(most > rowwise ? most : rowwise);
}

inline size_t gemm_workspace_bytes(int64_t m, int64_t n, int64_t k, size_t element_size) noexcept {
  if (m <= 0 || n <= 0 || k <= 0) return 0;
  const bool is_float = element_size == sizeof(float);
  const size_t one = is_float ? gemm_workspace_elements<float>(m, n, k) : gemm_workspace_elements<double>(m, n, k);
  const size_t other = is_float ? gemm_workspace_elements<float>(n, m, k) : gemm_workspace_elements<double>(n, m, k);
  return (one > other ? one : other) * element_size;
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
