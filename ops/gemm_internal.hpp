// The matrix product C = A B: which orientation, what to pack, and the loops around the microkernel.
//
// The loop nest is that of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008). Two
// things differ. Packing is optional, since an operand that fits the caches is read in place at the same speed. And
// every dimension is cut into equal parts, never into full blocks and a small rest, which would run at the speed of the
// rest.
#pragma once

#include <gradloom/ops/gemm.hpp>
#include <gradloom/ops/gemm_microkernel_internal.hpp>
#include <gradloom/ops/gemm_pack_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// `total` cut into parts of at most `most`, the first `longer` of them one longer than the others.
struct Parts {
  int64_t count, size, longer;

  Parts(int64_t total, int64_t most) : count(1), size(total), longer(0) {
    if (total <= most) return;  // spares tiny products two divisions
    count = (total + most - 1) / most;
    size = total / count;
    longer = total % count;
  }
  int64_t begin_of(int64_t i) const { return i * size + (i < longer ? i : longer); }
  int64_t size_of(int64_t i) const { return size + (i < longer ? 1 : 0); }
};

/// The only constant that results depend on: k is cut into ceil(k / kChunk) equal chunks, each summed on its own.
inline constexpr int64_t kChunk = 512;
/// A block of packed A may take 512 KiB: it stays in an L2 cache of 1 MiB beside a panel of B, and where L2 is smaller,
/// a tile needs so little of it (8 rows for 48 columns) that L3 delivers it in time.
template <class T>
inline constexpr int64_t kRowBlock = 1024 / static_cast<int64_t>(sizeof(T));
inline constexpr int64_t kColBlock = 2048;

template <class T>
inline constexpr int64_t kPanel = kTileVectors* kLanes<T>;

inline int64_t round_up(int64_t x, int64_t step) { return (x + step - 1) / step * step; }

template <class T>
inline GemmArgs<T> transposed(const GemmArgs<T>& g) {  // C^T = B^T A^T
  return {g.n, g.m, g.k, g.b, g.b_col, g.b_row, g.a, g.a_col, g.a_row, g.c, g.c_col, g.c_row};
}

/// About how many cycles a product takes in the orientation given.
template <class T>
inline double estimated_cycles(const GemmArgs<T>& g) {
  constexpr int64_t lanes = kLanes<T>;
  const int64_t vectors = (g.n + lanes - 1) / lanes;
  const double m = static_cast<double>(g.m), n = static_cast<double>(g.n), k = static_cast<double>(g.k);
  const double transposing = 3.5 / lanes;  // per element, with register transposes; one by one takes 1.5
  // A single vector of columns means a load for every multiply-add.
  double cycles = m * k * static_cast<double>(vectors) * (vectors == 1 ? 0.8 : 0.5);
  if (g.b_col != 1) cycles += k * n * (g.b_row == 1 ? transposing : 1.5);
  if (g.a_row != 1 && g.a_col != 1) cycles += m * k * 1.5;
  // A tile of C written column by column touches a cache line for every few elements, and once for each chunk of k.
  if (g.c_col != 1) cycles += m * n * static_cast<double>((g.k + kChunk - 1) / kChunk) * (g.c_row == 1 ? 1 : 2);
  return cycles;
}

/// Rows times one vector, A contiguous along k. Transposing in registers gives every row a lane, so that its sum is the
/// same chain as in a tile.
template <class T>
inline void multiply_vector(const GemmArgs<T>& g) {
  constexpr int64_t lanes = kLanes<T>, groups = 2;  // chains enough to cover part of the latency
  const Parts chunks(g.k, kChunk);
  for (int64_t i = 0; i < g.m; i += groups * lanes) {
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
    for (int64_t group = 0; group < groups; ++group) {
      alignas(64) T out[lanes];
      total[group].store_aligned(out);
      for (int64_t r = 0; r < lanes && i + group * lanes + r < g.m; ++r)
        g.c[(i + group * lanes + r) * g.c_row] = out[r];
    }
  }
}

/// The product in the orientation given.
template <class T>
inline void multiply(const GemmArgs<T>& g, T* workspace) {
  constexpr int64_t lanes = kLanes<T>, bytes = static_cast<int64_t>(sizeof(T));
  const Parts chunks(g.k, kChunk), row_blocks(g.m, kRowBlock<T>);
  const Parts col_blocks((g.n + lanes - 1) / lanes, kColBlock / lanes);

  const bool big = (g.m * g.k + g.k * g.n + g.m * g.n) * bytes > (int64_t{3} << 20);
  const bool must_pack_a = g.a_row != 1 && g.a_col != 1;
  // Packed panels are padded, so that only the tile has to be cut, once and not for each k.
  const bool must_pack_b = g.b_col != 1 || (kMaskIsSlow && g.n % lanes != 0);
  const int64_t page = 4096;  // rows this far apart share a set of the L1 cache
  const bool packs_a = must_pack_a || (g.n >= 4 * kPanel<T> && (big || (g.a_col != 1 && g.a_col * bytes >= page)));
  const bool packs_b = must_pack_b || (g.m >= 8 * kTileRows && (big || g.b_row * bytes >= page));

  T* const packed_a = workspace;
  const int64_t largest_rows = row_blocks.size_of(0), largest_chunk = chunks.size_of(0);
  T* const packed_b = workspace + (packs_a ? round_up(largest_rows * largest_chunk + lanes, 64) : 0);
  // With a single block of rows each panel of B is used at once: one buffer, still warm, serves all.
  const bool keeps_panels = row_blocks.count > 1;
  alignas(64) T scratch[kTileRows * kPanel<T>];
  const TileKernel<T>(*const kernels)[kTileRows][kTileVectors] =
      kTiles<T>.kernels[static_cast<int>(packs_a || g.a_col != 1 ? ALayout::along_rows : ALayout::along_k)];

  for (int64_t jc = 0; jc < col_blocks.count; ++jc) {
    const int64_t first_vector = col_blocks.begin_of(jc);
    const Parts panels(col_blocks.size_of(jc), kTileVectors);
    for (int64_t pc = 0; pc < chunks.count; ++pc) {
      const int64_t k0 = chunks.begin_of(pc), k = chunks.size_of(pc);
      for (int64_t ic = 0; ic < row_blocks.count; ++ic) {
        const int64_t i0 = row_blocks.begin_of(ic);
        const Parts tiles(row_blocks.size_of(ic), kTileRows);
        if (packs_a) {
          for (int64_t ir = 0; ir < tiles.count; ++ir) {
            const int64_t row = tiles.begin_of(ir);
            pack_a(g.a + (i0 + row) * g.a_row + k0 * g.a_col, g.a_row, g.a_col, tiles.size_of(ir), k,
                   packed_a + row * k);
          }
        }
        for (int64_t jr = 0; jr < panels.count; ++jr) {
          const int64_t vectors = panels.size_of(jr), col = (first_vector + panels.begin_of(jr)) * lanes;
          const int64_t cols = g.n - col < vectors * lanes ? g.n - col : vectors * lanes;
          const T* const b = g.b + k0 * g.b_row + col * g.b_col;
          T* const panel = packed_b + (keeps_panels ? panels.begin_of(jr) * lanes * k : 0);
          if (packs_b && ic == 0) pack_b(b, g.b_row, g.b_col, k, cols, panel);

          const bool ragged = cols < vectors * lanes;
          const bool scatters = g.c_col != 1 || (kMaskIsSlow && ragged);
          Tile<T> tile;
          tile.k = k;
          tile.b = packs_b ? panel : b;
          tile.b_row = packs_b ? vectors * lanes : g.b_row;
          tile.last_lanes = packs_b && scatters ? lanes : cols - (vectors - 1) * lanes;
          tile.c_row = scatters ? vectors * lanes : g.c_row;
          tile.add = pc > 0 && !scatters;
          const TileKernel<T>(*const by_rows)[kTileVectors] = kernels[ragged && !(packs_b && scatters)];
          for (int64_t ir = 0; ir < tiles.count; ++ir) {
            const int64_t row = tiles.begin_of(ir), rows = tiles.size_of(ir);
            if (packs_a) {
              tile.a = packed_a + row * k;
              tile.a_stride = rows;
            } else {
              tile.a = g.a + (i0 + row) * g.a_row + k0 * g.a_col;
              tile.a_stride = g.a_col == 1 ? g.a_row : g.a_col;
            }
            T* const c = g.c + (i0 + row) * g.c_row + col * g.c_col;
            tile.c = scatters ? scratch : c;
            by_rows[rows - 1][vectors - 1](tile);
            if (scatters) scatter_tile(scratch, vectors * lanes, rows, cols, pc > 0, c, g.c_row, g.c_col);
          }
        }
      }
    }
  }
}

template <class T>
inline void gemm(const GemmArgs<T>& args, void* workspace) {
  GemmArgs<T> g = args;
  if (g.m <= 0 || g.n <= 0) return;
  if (g.k <= 0) {
    for (int64_t i = 0; i < g.m; ++i) {
      for (int64_t j = 0; j < g.n; ++j) g.c[i * g.c_row + j * g.c_col] = T{0};
    }
    return;
  }
  // The stride of a dimension of size 1 is never used: choose what makes the operand look contiguous.
  if (g.m == 1) g.a_row = g.c_row = 1;
  if (g.n == 1) g.b_col = g.c_col = 1;
  if (g.n == 1 && g.a_row != 1 && g.a_col == 1) return multiply_vector(g);
  if (g.m == 1 && g.b_col != 1 && g.b_row == 1) return multiply_vector(transposed(g));
  // Tiny products are over before the better orientation is found.
  const bool natural = g.c_col == 1 && ((g.b_col == 1 && g.n > 3 * kLanes<T>) || g.m * g.n * g.k < 2048);
  if (!natural) {
    const GemmArgs<T> t = transposed(g);
    if (estimated_cycles(t) < estimated_cycles(g)) g = t;
  }
  multiply(g, static_cast<T*>(workspace));
}

/// Largest need of either orientation, with both operands packed.
template <class T>
inline size_t gemm_workspace_elements(int64_t m, int64_t n, int64_t k) {
  const int64_t chunk = k < kChunk ? k : kChunk;
  const int64_t rows = m < kRowBlock<T> ? m : kRowBlock<T>;
  const int64_t cols = round_up(n < kColBlock ? n : kColBlock, kLanes<T>);
  const int64_t kept = m > kRowBlock<T> || cols < kPanel<T> ? cols : kPanel<T>;
  return static_cast<size_t>(round_up(rows * chunk + kLanes<T>, 64) + kept * chunk);
}

inline size_t gemm_workspace_bytes(int64_t m, int64_t n, int64_t k, size_t element_size) noexcept {
  if (m <= 0 || n <= 0 || k <= 0) return 0;
  const bool is_float = element_size == sizeof(float);
  const size_t one = is_float ? gemm_workspace_elements<float>(m, n, k) : gemm_workspace_elements<double>(m, n, k);
  const size_t other = is_float ? gemm_workspace_elements<float>(n, m, k) : gemm_workspace_elements<double>(n, m, k);
  return (one > other ? one : other) * element_size;
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
