// The transforms of Winograd's convolution, and the loops around them.
#pragma once

#include <gradloom/ops/window_loop_internal.hpp>
#include <gradloom/ops/winograd_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// The points are 0, +-a, +-b and infinity. With a b = 1 no entry of the three matrices is larger than 2.83 (b^3),
/// where the usual 1 and 2 have an 8: a quarter of the error on the layers of winograd_test.cpp.
struct Points {
  static constexpr double a2 = 0.5, b2 = 2, a = 0.70710678118654752440, b = 1.41421356237309504880;
};

/// B' d along one dimension: six elements to six.
[[gnu::always_inline]] inline void transform_data(const Batch<float> (&d)[kWinogradSide],
                                                  Batch<float> (&v)[kWinogradSide]) {
  const Batch<float> a(static_cast<float>(Points::a)), a2(static_cast<float>(Points::a2)),
      b(static_cast<float>(Points::b)), b2(static_cast<float>(Points::b2)),
      both(static_cast<float>(Points::a2 + Points::b2));
  v[0] = fnmadd(both, d[2], d[0] + d[4]);  // a^2 b^2 = 1
  v[5] = fnmadd(both, d[3], d[1] + d[5]);
  const Batch<float> even1 = fnmadd(b2, d[2], d[4]), odd1 = fnmadd(b2, d[1], d[3]);
  v[1] = fmadd(a, odd1, even1);
  v[2] = fnmadd(a, odd1, even1);
  const Batch<float> even2 = fnmadd(a2, d[2], d[4]), odd2 = fnmadd(a2, d[1], d[3]);
  v[3] = fmadd(b, odd2, even2);
  v[4] = fnmadd(b, odd2, even2);
}

/// The rows of G for +-a and +-b: powers of the point over its distances to the others.
struct WeightFactors {
  Batch<float> a[kWinogradTaps], b[kWinogradTaps];

  [[gnu::always_inline]] WeightFactors() {
    double of_a = 1 / (2 * Points::a2 * (Points::a2 - Points::b2)),
           of_b = 1 / (2 * Points::b2 * (Points::b2 - Points::a2));
#pragma GCC unroll 5
    for (int i = 0; i < kWinogradTaps; ++i, of_a *= Points::a, of_b *= Points::b) {
      a[i] = Batch<float>(static_cast<float>(of_a));
      b[i] = Batch<float>(static_cast<float>(of_b));
    }
  }
};

/// G g: the taps to six elements.
template <int Taps>
[[gnu::always_inline]] inline void transform_weights(const Batch<float> (&g)[Taps], Batch<float> (&u)[kWinogradSide]) {
  const WeightFactors f;
  Batch<float> even_a = f.a[0] * g[0], even_b = f.b[0] * g[0], odd_a = f.a[1] * g[1], odd_b = f.b[1] * g[1];
#pragma GCC unroll 5
  for (int i = 2; i < Taps; ++i) {
    Batch<float>&at_a = i % 2 == 0 ? even_a : odd_a, &at_b = i % 2 == 0 ? even_b : odd_b;
    at_a = fmadd(f.a[i], g[i], at_a);
    at_b = fmadd(f.b[i], g[i], at_b);
  }
  u[0] = g[0];
  u[1] = even_a + odd_a;
  u[2] = even_a - odd_a;
  u[3] = even_b + odd_b;
  u[4] = even_b - odd_b;
  u[5] = g[Taps - 1];
}

/// The entries of A: powers of the points.
struct ResultFactors {
  Batch<float> a = Batch<float>(static_cast<float>(Points::a)), a2 = Batch<float>(static_cast<float>(Points::a2)),
               a3 = Batch<float>(static_cast<float>(Points::a * Points::a2)),
               b = Batch<float>(static_cast<float>(Points::b)), b2 = Batch<float>(static_cast<float>(Points::b2)),
               b3 = Batch<float>(static_cast<float>(Points::b * Points::b2));
};

/// A' m: six elements to those of a tile.
template <int Size>
[[gnu::always_inline]] inline void transform_result(const Batch<float> (&m)[kWinogradSide], Batch<float> (&y)[Size]) {
  const ResultFactors f;
  const Batch<float> sum1 = m[1] + m[2], sum2 = m[3] + m[4], difference1 = m[1] - m[2], difference2 = m[3] - m[4];
  y[0] = m[0] + sum1 + sum2;
  if constexpr (Size == 2) {
    y[1] = fmadd(f.a, difference1, fmadd(f.b, difference2, m[5]));
  } else {
    y[1] = fmadd(f.a, difference1, f.b * difference2);
    y[2] = fmadd(f.a2, sum1, f.b2 * sum2);
    y[3] = fmadd(f.a3, difference1, fmadd(f.b3, difference2, m[5]));
  }
}

/// A transform along both dimensions of From x From elements: load(y, x) of each, to store(y, x, element) of To x To.
template <int From, int To, class Load, class Transform, class Store>
[[gnu::always_inline]] inline void transform_both(Load load, Transform transform, Store store) {
  Batch<float> half[From][To];  // [column][row of the transformed]
#pragma GCC unroll 6
  for (int64_t x = 0; x < From; ++x) {
    Batch<float> column[From];
#pragma GCC unroll 6
    for (int64_t y = 0; y < From; ++y) column[y] = load(y, x);
    transform(column, half[x]);
  }
#pragma GCC unroll 6
  for (int64_t y = 0; y < To; ++y) {
    Batch<float> row[From], result[To];
#pragma GCC unroll 6
    for (int64_t x = 0; x < From; ++x) row[x] = half[x][y];
    transform(row, result);
#pragma GCC unroll 6
    for (int64_t x = 0; x < To; ++x) store(y, x, result[x]);
  }
}

inline constexpr int64_t kWidestPanel = kTileVectors * kLanes<float>;

/// Tiles of a block: as many rows of tiles as have about so many. Their transformed data stays in an L2 cache of 512
/// KiB if they have 64 channels; fewer would read the weights too often.
inline constexpr int64_t kWinogradTiles = 28;

inline int64_t winograd_rows_together(const WinogradShape& s) {
  const int64_t rows = kWinogradTiles / s.tiles_of_row();
  return rows < 1 ? 1 : rows;
}

/// From one of the 36 elements to the next, if each takes so many floats: an odd number of cache lines, else they would
/// share a few sets of the L1 cache.
inline int64_t winograd_apart(int64_t elements) { return round_up(elements, 32) + 16; }

/// Floats of a workspace that the table of pointers takes.
inline int64_t winograd_window_elements(const WinogradShape& s) {
  return round_up(static_cast<int64_t>(WindowWorkspace<float>::bytes(s.tiles)) / 4, 16);
}

/// What a block works with.
struct WinogradWorkspace {
  WindowWorkspace<float> window;
  float *data, *products, *results;
  int64_t tiles;         // at most
  int64_t data_element;  // from one of the 36 elements to the next
  int64_t product_element;

  static int64_t most_tiles(const WinogradShape& s) { return winograd_rows_together(s) * s.tiles_of_row(); }
  static int64_t data_element_size(const WinogradShape& s) { return winograd_apart(most_tiles(s) * s.tiles.channels); }
  static int64_t product_element_size(const WinogradShape& s) { return winograd_apart(most_tiles(s) * kWidestPanel); }
  static size_t bytes(const WinogradShape& s) {
    const int64_t results = winograd_rows_together(s) * s.tile() * s.width * kWidestPanel;
    return static_cast<size_t>(winograd_window_elements(s) +
                               kWinogradElements * (data_element_size(s) + product_element_size(s)) + results) *
           sizeof(float);
  }
  WinogradWorkspace(const WinogradShape& s, void* memory)
      : window(s.tiles, memory),
        data(static_cast<float*>(memory) + winograd_window_elements(s)),
        tiles(most_tiles(s)),
        data_element(data_element_size(s)),
        product_element(product_element_size(s)) {
    products = data + kWinogradElements * data_element;
    results = products + kWinogradElements * product_element;
  }
};

/// B' d B of some channels of `tiles` tiles, [36][tiles][channels], the 36 `element` apart.
inline void transform_tiles(const float* const* rows, int64_t tiles, int64_t channel, int64_t channels, float* out,
                            int64_t element) {
  constexpr int64_t lanes = kLanes<float>, side = kWinogradSide;
  for (int64_t tile = 0; tile < tiles; ++tile, ++rows, out += channels) {
    for (int64_t c = 0; c < channels; c += lanes) {
      transform_both<side, side>(
          [&](int64_t y, int64_t x) __attribute__((always_inline)) {
            return Batch<float>::load_unaligned(rows[(y * side + x) * kWindowRows] + channel + c);
          },
          [](const auto& d, auto& v) __attribute__((always_inline)) { transform_data(d, v); },
          [&](int64_t y, int64_t x, Batch<float> v)
              __attribute__((always_inline)) { v.store_unaligned(out + (y * side + x) * element + c); });
    }
  }
}

/// The 36 products of a panel.
inline void multiply_tiles(const WinogradShape& s, const WinogradWorkspace& work, const float* packed, int64_t tiles,
                           int64_t width, NextData& next) {
  constexpr int64_t lanes = kLanes<float>;
  const int64_t channels = s.tiles.channels;
  const Parts rows(tiles, kTileRows), chunks(channels, kGemmChunk);
  const auto& kernels = kTiles<float>.kernels[static_cast<int>(ALayout::along_k)][0];
  for (int64_t element = 0; element < kWinogradElements; ++element) {
    next.take(1).ask(0);
    for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
      Tile<float> tile;
      tile.k = chunks.size_of(chunk);
      tile.a_stride = channels;
      tile.b = packed + (element * channels + chunks.begin_of(chunk)) * width;
      tile.b_row = tile.c_row = tile.old_row = width;
      tile.last_lanes = tile.stored_lanes = lanes;
      for (int64_t r = 0; r < rows.count; ++r) {
        tile.a = work.data + element * work.data_element + rows.begin_of(r) * channels + chunks.begin_of(chunk);
        tile.c = work.products + element * work.product_element + rows.begin_of(r) * width;
        tile.old = chunk == 0 ? nullptr : tile.c;
        kernels[rows.size_of(r) - 1][width / lanes - 1](tile);
      }
    }
  }
}

/// A' m A of one tile, to `rows` x `cols` results, `out_x` and `out_y` apart.
template <int Size>
inline void transform_products(const float* products, int64_t element, int64_t vectors, int64_t last_lanes, float* out,
                               int64_t out_x, int64_t out_y, int64_t rows, int64_t cols) {
  constexpr int64_t lanes = kLanes<float>, side = kWinogradSide;
  const LaneMask<float> mask(last_lanes);
  for (int64_t j = 0; j < vectors; ++j) {
    transform_both<side, Size>(
        [&](int64_t y, int64_t x) __attribute__((always_inline)) {
          return Batch<float>::load_unaligned(products + (y * side + x) * element + j * lanes);
        },
        [](const auto& m, auto& y) __attribute__((always_inline)) { transform_result(m, y); },
        [&](int64_t y, int64_t x, Batch<float> result) __attribute__((always_inline)) {
          if (y >= rows || x >= cols) return;
          float* const to = out + y * out_y + x * out_x + j * lanes;
          if (j == vectors - 1 && last_lanes < lanes) {
            store_lanes(to, result, mask);
          } else {
            result.store_unaligned(to);
          }
        });
  }
}

template <int Taps>
inline void run_winograd_block(const WinogradBlock& block, void* memory) {
  constexpr int64_t size = winograd_tile(Taps);
  const WinogradShape& s = *block.shape;
  const WindowPanels<float> panels(s.tiles);
  WinogradWorkspace work(s, memory);
  const int64_t together = winograd_rows_together(s), tiles_of_row = s.tiles_of_row(),
                end = block.tile_row + block.tile_rows;
  for (int64_t row = block.tile_row; row < end; row += together) {
    const int64_t rows = end - row < together ? end - row : together, tiles = rows * tiles_of_row;
    work.window.find_rows(s.tiles, block.data, row * tiles_of_row, tiles);
    transform_tiles(work.window.rows, tiles, 0, s.tiles.channels, work.data, work.data_element);
    const int64_t first = s.first_position(row);
    // The last row of tiles of an image may reach beyond it.
    const int64_t last_y = (row + rows - 1) % s.tiles.axes[1].count * size;
    const int64_t last_height = s.height - last_y < size ? s.height - last_y : size;
    const int64_t positions = s.first_position(row + rows - 1) + last_height * s.width - first;
    const int64_t next_rows = end - row - rows < together ? end - row - rows : together;
    NextData next(s.tiles, block.data, work.window.range[1], (row + rows) * tiles_of_row,
                  (row + rows + next_rows) * tiles_of_row, kWinogradElements * block.panels);
    for (int64_t panel = block.panel; panel < block.panel + block.panels; ++panel) {
      const int64_t width = panels.width(panel), column = panels.begin(panel), columns = panels.columns(panel, s.tiles);
      multiply_tiles(s, work, block.packed + panels.packed(0, panel, kWinogradElements * s.tiles.channels), tiles,
                     width, next);
      const bool stores = block.epilogue == nullptr;
      const int64_t out_x = stores ? s.tiles.columns : width;
      float* const out = stores ? block.result + first * out_x + column : work.results;
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t y = (row + r) % s.tiles.axes[1].count * size;
        const int64_t height = s.height - y < size ? s.height - y : size;
        for (int64_t t = 0; t < tiles_of_row; ++t) {
          const int64_t x = t * size, left = s.width - x;
          transform_products<size>(work.products + (r * tiles_of_row + t) * width, work.product_element,
                                   width / kLanes<float>, stores ? panels.last_lanes(panel, s.tiles) : kLanes<float>,
                                   out + (s.first_position(row + r) - first + x) * out_x, out_x, s.width * out_x,
                                   height, left < size ? left : size);
        }
      }
      for (int64_t i = 0; !stores && i < positions; i += kWindowRows) {
        block.epilogue->run(block.epilogue->context, work.results + i * width, width, first + i, column,
                            positions - i < kWindowRows ? positions - i : kWindowRows, columns);
      }
    }
  }
}

/// Channels that are packed together.
inline constexpr int64_t kWinogradPacked = 32;

/// G g G' of some panels. Elements are written [36][channels][width]; the taps lie in the workspace before.
template <int Taps>
inline void pack_winograd_panels(const WinogradShape& s, const float* weights, int64_t panel, int64_t count,
                                 float* packed, void* memory) {
  constexpr int64_t lanes = kLanes<float>, side = kWinogradSide;
  const WindowPanels<float> panels(s.tiles);
  const int64_t channels = s.tiles.channels;
  float* const taps = static_cast<float*>(memory);  // [taps][some channels][width]
  constexpr int64_t some = kWinogradPacked;
  for (int64_t i = panel; i < panel + count; ++i) {
    const int64_t width = panels.width(i), columns = panels.columns(i, s.tiles);
    float* const out = packed + panels.packed(0, i, kWinogradElements * channels);
    for (int64_t begin = 0; begin < channels; begin += some) {
      const int64_t depth = channels - begin < some ? channels - begin : some;
      for (int64_t tap = 0; tap < Taps * Taps; ++tap) {
        pack_b(weights + s.weights[tap] + begin * s.tiles.weight_row + panels.begin(i) * s.tiles.weight_col,
               s.tiles.weight_row, s.tiles.weight_col, depth, columns, taps + tap * depth * width);
      }
      for (int64_t at = 0; at < depth * width; at += lanes) {
        transform_both<Taps, side>(
            [&](int64_t y, int64_t x) __attribute__((always_inline)) {
              return Batch<float>::load_aligned(taps + (y * Taps + x) * depth * width + at);
            },
            [](const auto& g, auto& u) __attribute__((always_inline)) { transform_weights(g, u); },
            [&](int64_t y, int64_t x, Batch<float> u) __attribute__((always_inline)) {
              u.store_aligned(out + ((y * side + x) * channels + begin) * width + at);
            });
      }
    }
  }
}

inline size_t winograd_workspace_bytes(const WinogradShape& s) {
  const size_t taps = static_cast<size_t>(s.taps * s.taps * kWinogradPacked * kWidestPanel) * sizeof(float);
  const size_t block = WinogradWorkspace::bytes(s);
  return block > taps ? block : taps;
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
