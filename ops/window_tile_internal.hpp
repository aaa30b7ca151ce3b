// The innermost part of products of windows: tiles of the result in registers, summed over pieces of data that lie
// apart.
#pragma once

#include <gradloom/ops/gemm_microkernel_internal.hpp>
#include <gradloom/ops/window_product_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// The accumulators of a tile.
template <class T, int Rows, int Vectors>
struct TileSums {
  static constexpr int64_t lanes = kLanes<T>;
  Batch<T> sum[Rows][Vectors];

  [[gnu::always_inline]] TileSums() {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
      for (int j = 0; j < Vectors; ++j) sum[i][j] = Batch<T>(T{0});
    }
  }

  /// One step: element(i) of the left operand times a row of the right one.
  template <class Element>
  [[gnu::always_inline]] void add(Element element, const T* b) {
    Batch<T> bv[Vectors];
#pragma GCC unroll 16
    for (int j = 0; j < Vectors; ++j) bv[j] = Batch<T>::load_unaligned(b + j * lanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const Batch<T> av(element(i));
#pragma GCC unroll 16
      for (int j = 0; j < Vectors; ++j) sum[i][j] = fmadd(av, bv[j], sum[i][j]);
    }
  }

  /// To c, or added to what is there; of the last vector only some lanes.
  [[gnu::always_inline]] void store(T* c, int64_t c_row, bool adds, int64_t last_lanes) {
    const LaneMask<T> mask(last_lanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i, c += c_row) {
#pragma GCC unroll 16
      for (int j = 0; j < Vectors; ++j) {
        T* const out = c + j * lanes;
        if (j < Vectors - 1 || last_lanes == lanes) {
          if (adds) sum[i][j] = Batch<T>::load_unaligned(out) + sum[i][j];
          sum[i][j].store_unaligned(out);
        } else {
          if (adds) sum[i][j] = load_lanes(out, mask) + sum[i][j];
          store_lanes(out, sum[i][j], mask);
        }
      }
    }
  }
};

/// Memory that a later tile reads: each run of this one asks for as many bytes, from `begin` on.
struct WantedMemory {
  const std::byte* begin = nullptr;
  int64_t bytes_of_run = 0;

  [[gnu::always_inline]] void ask(int64_t run) const {
    constexpr int64_t line = 64;
    for (int64_t at = 0; at < bytes_of_run; at += line) __builtin_prefetch(begin + run * bytes_of_run + at, 0, 2);
  }
};

/// Rows of a tile that are rows of data, each behind a pointer of its own for every tap.
template <class T>
struct WindowTile {
  const WindowRun* runs;
  int64_t run_count;
  const T* const* rows;  // of tap 0
  int64_t tap_stride;    // pointers from one tap to the next
  int64_t channel;       // added to those of the runs
  const T* b;
  T* c;
  int64_t c_row;
  bool adds;
  WantedMemory wanted = {};
};

template <class T, int Rows, int Vectors>
void window_tile(const WindowTile<T>& t) noexcept {
  TileSums<T, Rows, Vectors> sums;
  const T* b = t.b;
  for (int64_t r = 0; r < t.run_count; ++r) {
    const WindowRun& run = t.runs[r];
    const T* const* const rows = t.rows + run.tap * t.tap_stride;
    t.wanted.ask(r);
    const T* a[Rows];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) a[i] = rows[i] + t.channel + run.channel;
#pragma GCC unroll 4
    for (int64_t p = 0; p < run.channels; ++p, b += Vectors * kLanes<T>) {
      sums.add([&](int i) { return a[i][p]; }, b);
    }
  }
  sums.store(t.c, t.c_row, t.adds, kLanes<T>);
}

/// Neighbouring positions: the first one's data, and which row of the packed gradient is theirs.
template <class T>
struct PositionRow {
  const T* data;
  int64_t position, count;
};

/// Rows of a tile that are channels of data, summed over positions.
template <class T>
struct GradientTile {
  const PositionRow<T>* rows;
  int64_t row_count;
  int64_t data_offset, data_step;  // the first channel; from one position to the next
  const T* b;                      // the panel of the gradient
  T* c;
  int64_t c_row;
  bool adds;
  int64_t last_lanes;
  const std::byte* wanted = nullptr;  // memory that the next chunk reads: a line of it is asked for at each position
};

template <class T, int Rows, int Vectors>
void gradient_tile(const GradientTile<T>& t) noexcept {
  TileSums<T, Rows, Vectors> sums;
  const std::byte* wanted = t.wanted == nullptr ? reinterpret_cast<const std::byte*>(t.b) : t.wanted;
  const int64_t wanted_step = t.wanted == nullptr ? 0 : 64;
  for (int64_t r = 0; r < t.row_count; ++r) {
    const T* a = t.rows[r].data + t.data_offset;
    const T* b = t.b + t.rows[r].position * Vectors * kLanes<T>;
#pragma GCC unroll 4
    for (int64_t p = t.rows[r].count; p > 0; --p, a += t.data_step, b += Vectors * kLanes<T>) {
      __builtin_prefetch(wanted, 0, 2);
      wanted += wanted_step;
      sums.add([&](int i) { return a[i]; }, b);
    }
  }
  sums.store(t.c, t.c_row, t.adds, t.last_lanes);
}

/// All tiles up to the largest, by rows and vectors.
template <class T>
struct WindowTiles {
  void (*window[kTileRows][kTileVectors])(const WindowTile<T>&) noexcept;
  void (*gradient[kTileRows][kTileVectors])(const GradientTile<T>&) noexcept;

  template <int Rows = 1, int Vectors = 1>
  constexpr void fill() {
    window[Rows - 1][Vectors - 1] = window_tile<T, Rows, Vectors>;
    gradient[Rows - 1][Vectors - 1] = gradient_tile<T, Rows, Vectors>;
    if constexpr (Vectors < kTileVectors) {
      fill<Rows, Vectors + 1>();
    } else if constexpr (Rows < kTileRows) {
      fill<Rows + 1, 1>();
    }
  }
  constexpr WindowTiles() : window{}, gradient{} { fill(); }
};

template <class T>
inline constexpr WindowTiles<T> kWindowTiles{};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
