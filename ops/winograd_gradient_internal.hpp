// The gradient of the weights of a convolution by Winograd's algorithm: some tiles at a time, their data and gradients
// are transformed, and for each of the 36 elements multiplied into a sum that stays in the workspace.
#pragma once

#include <gradloom/ops/winograd_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// A y: the elements of a tile to six.
template <int Size>
[[gnu::always_inline]] inline void transform_gradient(const Batch<float> (&y)[Size], Batch<float> (&u)[kWinogradSide]) {
  const ResultFactors f;
  Batch<float> even_a = y[0], even_b = y[0], odd_a = f.a * y[1], odd_b = f.b * y[1];
  if constexpr (Size == 4) {
    even_a = fmadd(f.a2, y[2], even_a);
    even_b = fmadd(f.b2, y[2], even_b);
    odd_a = fmadd(f.a3, y[3], odd_a);
    odd_b = fmadd(f.b3, y[3], odd_b);
  }
  u[0] = y[0];
  u[1] = even_a + odd_a;
  u[2] = even_a - odd_a;
  u[3] = even_b + odd_b;
  u[4] = even_b - odd_b;
  u[5] = y[Size - 1];
}

/// G' m: six elements to the taps.
template <int Taps>
[[gnu::always_inline]] inline void transform_sums(const Batch<float> (&m)[kWinogradSide], Batch<float> (&g)[Taps]) {
  const WeightFactors f;
  const Batch<float> sum_a = m[1] + m[2], sum_b = m[3] + m[4], difference_a = m[1] - m[2], difference_b = m[3] - m[4];
#pragma GCC unroll 5
  for (int i = 0; i < Taps; ++i) {
    const Batch<float>&of_a = i % 2 == 0 ? sum_a : difference_a, &of_b = i % 2 == 0 ? sum_b : difference_b;
    g[i] = i == 0 ? fmadd(f.b[i], of_b, m[0]) : i == Taps - 1 ? fmadd(f.b[i], of_b, m[5]) : f.b[i] * of_b;
    g[i] = fmadd(f.a[i], of_a, g[i]);
  }
}

/// What a part works with.
struct WinogradGradientWorkspace {
  WindowWorkspace<float> window;
  int64_t channels, columns;                            // the latter in whole vectors
  int64_t rows_together;                                // of tiles
  int64_t data_element, gradient_element, sum_element;  // from one of the 36 to the next
  float *data, *gradient, *sums;  // [36][tiles][channels], [36][tiles][columns], [36][channels][columns]

  /// About so many tiles at a time: each product adds to its sums, so that it should be long.
  static int64_t rows_of(const WinogradShape& s) {
    constexpr int64_t tiles = 64;
    static_assert(tiles <= kWindowRows);
    return tiles < s.tiles_of_row() ? 1 : tiles / s.tiles_of_row();
  }
  WinogradGradientWorkspace(const WinogradShape& s, int64_t of_channels, void* memory)
      : window(s.tiles, memory),
        channels(of_channels),
        columns(round_up(s.tiles.columns, kLanes<float>)),
        rows_together(rows_of(s)),
        data_element(winograd_apart(rows_together * s.tiles_of_row() * channels)),
        gradient_element(winograd_apart(rows_together * s.tiles_of_row() * columns)),
        sum_element(winograd_apart(channels * columns)),
        data(static_cast<float*>(memory) + winograd_window_elements(s)),
        gradient(data + kWinogradElements * data_element),
        sums(gradient + kWinogradElements * gradient_element) {}
  static size_t bytes(const WinogradShape& s, int64_t channels) {
    const int64_t tiles = rows_of(s) * s.tiles_of_row(), columns = round_up(s.tiles.columns, kLanes<float>);
    return static_cast<size_t>(winograd_window_elements(s) +
                               kWinogradElements * (winograd_apart(tiles * channels) + winograd_apart(tiles * columns) +
                                                    winograd_apart(channels * columns))) *
           sizeof(float);
  }
};

/// A dy A' of one tile, of which `height` x `width` positions lie in the image.
template <int Size, bool Whole>
inline void transform_gradient_tile(const WinogradShape& s, const float* from, int64_t height, int64_t width,
                                    int64_t columns, float* out, int64_t element) {
  constexpr int64_t lanes = kLanes<float>, side = kWinogradSide;
  for (int64_t j = 0; j < columns; j += lanes) {
    const LaneMask<float> mask(s.tiles.columns - j < lanes ? s.tiles.columns - j : lanes);
    transform_both<Size, side>(
        [&](int64_t y, int64_t x) __attribute__((always_inline)) {
          const bool inside = Whole || (y < height && x < width);
          return inside ? load_lanes(from + (y * s.width + x) * s.tiles.columns + j, mask) : Batch<float>(0.0F);
        },
        [](const auto& y, auto& u) __attribute__((always_inline)) { transform_gradient(y, u); },
        [&](int64_t y, int64_t x, Batch<float> u)
            __attribute__((always_inline)) { u.store_unaligned(out + (y * side + x) * element + j); });
  }
}

/// Those of rows of tiles.
template <int Size>
inline void transform_gradients(const WinogradGradientBlock& block, const WinogradGradientWorkspace& work, int64_t row,
                                int64_t rows) {
  const WinogradShape& s = *block.shape;
  float* out = work.gradient;
  for (int64_t r = row; r < row + rows; ++r) {
    const int64_t y = r % s.tiles.axes[1].count * Size, height = s.height - y;
    const float* from = block.gradient + s.first_position(r) * s.tiles.columns;
    for (int64_t width = s.width; width > 0; width -= Size, out += work.columns) {
      if (height >= Size && width >= Size) {
        transform_gradient_tile<Size, true>(s, from, height, width, work.columns, out, work.gradient_element);
      } else {
        transform_gradient_tile<Size, false>(s, from, height, width, work.columns, out, work.gradient_element);
      }
      from += Size * s.tiles.columns;
    }
  }
}

/// The 36 products over the tiles.
inline void sum_tiles(const WinogradGradientWorkspace& work, int64_t tiles, bool adds) {
  constexpr int64_t lanes = kLanes<float>;
  const Parts rows(work.channels, kTallRows), panels(work.columns / lanes, kTallVectors);
  const auto& kernels = kTallTiles<float>.kernels[static_cast<int>(ALayout::along_rows)][0];
  Tile<float> tile;
  tile.k = tiles;
  tile.a_stride = work.channels;
  tile.b_row = tile.c_row = tile.old_row = work.columns;
  tile.last_lanes = tile.stored_lanes = lanes;
  for (int64_t element = 0; element < kWinogradElements; ++element) {
    for (int64_t p = 0; p < panels.count; ++p) {
      const int64_t column = panels.begin_of(p) * lanes;
      tile.b = work.gradient + element * work.gradient_element + column;
      for (int64_t r = 0; r < rows.count; ++r) {
        tile.a = work.data + element * work.data_element + rows.begin_of(r);
        tile.c = work.sums + element * work.sum_element + rows.begin_of(r) * work.columns + column;
        tile.old = adds ? tile.c : nullptr;
        kernels[rows.size_of(r) - 1][panels.size_of(p) - 1](tile);
      }
    }
  }
}

/// G' m G of the sums.
template <int Taps>
inline void store_weights(const WinogradGradientBlock& block, const WinogradGradientWorkspace& work) {
  constexpr int64_t lanes = kLanes<float>, side = kWinogradSide;
  const WinogradShape& s = *block.shape;
  for (int64_t c = 0; c < work.channels; ++c) {
    for (int64_t j = 0; j < s.tiles.columns; j += lanes) {
      const float* const from = work.sums + c * work.columns + j;
      const LaneMask<float> mask(s.tiles.columns - j < lanes ? s.tiles.columns - j : lanes);
      float* const to = block.result + (block.channel + c) * s.tiles.columns + j;
      transform_both<side, Taps>(
          [&](int64_t y, int64_t x) __attribute__((always_inline)) {
            return Batch<float>::load_unaligned(from + (y * side + x) * work.sum_element);
          },
          [](const auto& m, auto& g) __attribute__((always_inline)) { transform_sums(m, g); },
          [&](int64_t y, int64_t x, Batch<float> g)
              __attribute__((always_inline)) { store_lanes(to + s.weights[y * Taps + x], g, mask); });
    }
  }
}

template <int Taps>
inline void run_winograd_gradient(const WinogradGradientBlock& block, void* memory) {
  const WinogradShape& s = *block.shape;
  WinogradGradientWorkspace work(s, block.channels, memory);
  const int64_t end = block.tile_row + block.tile_rows;
  for (int64_t row = block.tile_row; row < end; row += work.rows_together) {
    const int64_t rows = end - row < work.rows_together ? end - row : work.rows_together;
    const int64_t tiles = rows * s.tiles_of_row();
    work.window.find_rows(s.tiles, block.data, row * s.tiles_of_row(), tiles);
    transform_tiles(work.window.rows, tiles, block.channel, block.channels, work.data, work.data_element);
    transform_gradients<winograd_tile(Taps)>(block, work, row, rows);
    sum_tiles(work, tiles, row > block.tile_row);
  }
  store_weights<Taps>(block, work);
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
