// Products of windows where every channel is a group of one column: channels are the lanes of vectors.
//
// Each row of data meets few multiply-adds, so loads decide. Where a window's elements along the last axis are
// neighbours, up to seven of them, a vector of data is loaded once for all positions that see it. Other shapes go by
// tables of pointers, as products of windows with matrices do. Windows of 3 x 3 without strides have blocks of their
// own (depthwise_block_internal.hpp).
#pragma once

#include <gradloom/ops/depthwise_block_internal.hpp>
#include <gradloom/ops/window_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

// ---- by tables of pointers

/// Some positions of all channels, or taps of their gradient.
template <class T>
struct DepthwiseTile {
  const T* const* rows;  // of the first tap and position
  int64_t row_step;      // pointers from one row of the tile to the next
  int64_t step, count;   // from one term of the sums to the next, and how many there are
  int64_t channel;       // of a row of data
  const T* factors;      // of the first term: weights, or the gradient of the result
  int64_t factor_row, channels;
  T* c;
  int64_t c_row;
};

/// `Gradient`: sums are added to those at c.
template <class T, int Rows, bool Gradient>
void depthwise_tile(const DepthwiseTile<T>& t) noexcept {
  for_each_vector<T, true>(t.channels, [&](int64_t channel, auto lanes) {
    Batch<T> sum[Rows];
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) sum[i] = Gradient ? lanes(t.c + i * t.c_row + channel) : Batch<T>(T{0});
    const T* factors = t.factors + channel;
    const T* const* rows = t.rows;
    for (int64_t term = 0; term < t.count; ++term, factors += t.factor_row, rows += t.step) {
      const Batch<T> factor = lanes(factors);
#pragma GCC unroll 8
      for (int i = 0; i < Rows; ++i) sum[i] = fmadd(lanes(rows[i * t.row_step] + t.channel + channel), factor, sum[i]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) lanes.store(t.c + i * t.c_row + channel, sum[i]);
  });
}

// ---- by rows of positions

inline constexpr int kDepthwiseTaps = 7;                               // along the last axis
inline constexpr int kDepthwisePositions = kTileVectors == 3 ? 6 : 4;  // at once
inline constexpr int kDepthwiseRows = 32;                              // of a window: all other axes together
inline constexpr int kGradientRows = 3;                                // of a window at once

/// Positions side by side, all channels, the rows of the window that see data there.
template <class T>
struct DepthwiseRun {
  int64_t rows;
  const T* data[kDepthwiseRows];     // at the first tap of the first position
  const T* weights[kDepthwiseRows];  // of the first tap; of the gradient: null
  T* results[kDepthwiseRows];        // of the gradient: of the first tap
  int64_t pixel;                     // elements from one element of the data to the next
  int64_t tap_step;                  // from one tap's weights to the next
  int64_t channels;
  T* out;
  int64_t out_row;
  const T* gradient;
  int64_t gradient_row, positions;
};

template <class T, int Positions, int Taps, int Step>
void depthwise_run(const DepthwiseRun<T>& run) noexcept {
  // Stores of vectors may alias anything, also what `run` holds.
  const int64_t rows = run.rows, pixel = run.pixel, tap_step = run.tap_step, out_row = run.out_row;
  T* const out = run.out;
  for_each_vector<T, false>(run.channels, [&](int64_t c, auto lanes) {
    Batch<T> sum[Positions];
#pragma GCC unroll 8
    for (int i = 0; i < Positions; ++i) sum[i] = Batch<T>(T{0});
    for (int64_t r = 0; r < rows; ++r) {
      Batch<T> w[Taps];
#pragma GCC unroll 8
      for (int k = 0; k < Taps; ++k) w[k] = Batch<T>::load_unaligned(run.weights[r] + k * tap_step + c);
      const T* x = run.data[r] + c;
#pragma GCC unroll 20
      for (int p = 0; p < (Positions - 1) * Step + Taps; ++p, x += pixel) {
        const Batch<T> v = lanes(x);
#pragma GCC unroll 8
        for (int k = 0; k < Taps; ++k) {
          const int i = (p - k) / Step;
          if (p >= k && (p - k) % Step == 0 && i < Positions) sum[i] = fmadd(v, w[k], sum[i]);
        }
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < Positions; ++i) lanes.store(out + i * out_row + c, sum[i]);
  });
}

template <class T, int Rows, int Taps>
void depthwise_gradient_run(const DepthwiseRun<T>& run, int64_t first_row, int64_t step) noexcept {
  const int64_t pixel = run.pixel, tap_step = run.tap_step, positions = run.positions, gradient_row = run.gradient_row;
  const T* const gradient = run.gradient;
  for_each_vector<T, false>(run.channels, [&](int64_t c, auto lanes) {
    Batch<T> sum[Rows][Taps];
    const T* x[Rows];
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      x[r] = run.data[first_row + r] + c;
#pragma GCC unroll 8
      for (int k = 0; k < Taps; ++k) sum[r][k] = Batch<T>(T{0});
    }
    const T* g = gradient + c;
    for (int64_t p = 0; p < positions; ++p, g += gradient_row) {
      const Batch<T> gv = lanes(g);
#pragma GCC unroll 4
      for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
        for (int k = 0; k < Taps; ++k) sum[r][k] = fmadd(lanes(x[r] + k * pixel), gv, sum[r][k]);
        x[r] += step;
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int k = 0; k < Taps; ++k) {
        T* const to = run.results[first_row + r] + k * tap_step + c;
        lanes.store(to, lanes(to) + sum[r][k]);
      }
    }
  });
}

/// Rows of a window whose sums fit in registers.
constexpr int64_t gradient_rows(int64_t taps) {
  constexpr int64_t registers = kTileVectors == 3 ? 16 : 12;
  return registers / taps < kGradientRows ? registers / taps : kGradientRows;
}

template <class T>
struct DepthwiseTables {
  void (*tile[2][kTileRows])(const DepthwiseTile<T>&) noexcept;  // of the result, of the gradient
  void (*run[2][kDepthwiseTaps][kDepthwisePositions])(const DepthwiseRun<T>&) noexcept;
  void (*gradient_run[kGradientRows][kDepthwiseTaps])(const DepthwiseRun<T>&, int64_t, int64_t) noexcept;

  template <int Rows = 1>
  constexpr void fill_tiles() {
    tile[0][Rows - 1] = depthwise_tile<T, Rows, false>;
    tile[1][Rows - 1] = depthwise_tile<T, Rows, true>;
    if constexpr (Rows < kTileRows) fill_tiles<Rows + 1>();
  }
  template <int Taps = 1, int Positions = 1>
  constexpr void fill_runs() {
    run[0][Taps - 1][Positions - 1] = depthwise_run<T, Positions, Taps, 1>;
    run[1][Taps - 1][Positions - 1] = depthwise_run<T, Positions, Taps, 2>;
    if constexpr (Positions <= gradient_rows(Taps))
      gradient_run[Positions - 1][Taps - 1] = depthwise_gradient_run<T, Positions, Taps>;
    if constexpr (Positions < kDepthwisePositions) {
      fill_runs<Taps, Positions + 1>();
    } else if constexpr (Taps < kDepthwiseTaps) {
      fill_runs<Taps + 1, 1>();
    }
  }
  constexpr DepthwiseTables() : tile{}, run{}, gradient_run{} {
    fill_tiles();
    fill_runs();
  }
};

template <class T>
inline constexpr DepthwiseTables<T> kDepthwise{};

/// Sees the taps of a window as rows of neighbours along the last axis, if they are.
struct DepthwiseRows {
  int64_t taps = 0;   // of a row
  int64_t first = 0;  // of the lowest tap: where it lies from its position
  bool falling = false;
  bool fits = false;

  template <class T>
  static DepthwiseRows of(const WindowShape& s, T) {
    constexpr int last = kWindowAxes - 1;
    DepthwiseRows rows;
    const auto same_row = [&](int64_t tap) {
      return s.taps[tap].at[0] == s.taps[0].at[0] && s.taps[tap].at[1] == s.taps[0].at[1];
    };
    while (rows.taps < s.tap_count && same_row(rows.taps)) ++rows.taps;
    if (rows.taps == 0 || rows.taps > kDepthwiseTaps || s.tap_count / rows.taps > kDepthwiseRows) return rows;
    const int64_t step = rows.taps == 1 ? 1 : s.taps[1].at[last] - s.taps[0].at[last];
    rows.falling = step < 0;
    rows.first = s.taps[rows.falling ? rows.taps - 1 : 0].at[last];
    rows.fits = (step == 1 || step == -1) && s.axes[last].step <= 2 && fills_vectors<T>(s);
    return rows;
  }

  /// Which taps, counted along the axis, see data from position x, and how many positions from x on see the same.
  struct Seen {
    int64_t begin, end, positions;
  };
  Seen seen_from(const WindowAxis& axis, int64_t x, int64_t most) const {
    const int64_t at = x * axis.step + first, rest = axis.size - at;
    Seen seen{at < 0 ? -at : 0, rest < taps ? rest : taps, 1};
    if (seen.begin == 0 && seen.end == taps) {
      const int64_t same = (rest - taps) / axis.step + 1;
      seen.positions = same < most ? same : most;
    }
    return seen;
  }
};

/// Calls `use(run, seen, row of positions)` for every stretch of positions of [begin, begin + count) whose windows see
/// the same taps. `use` gets the rows of the window that see data, from the first tap seen.
template <class T, class Use>
inline void for_each_run(const WindowShape& s, const DepthwiseRows& rows, const T* data, int64_t begin, int64_t count,
                         Use use) {
  constexpr int last = kWindowAxes - 1;
  const WindowAxis& axis = s.axes[last];
  PositionWalk walk(s, begin);
  DepthwiseRun<T> run{};
  run.pixel = axis.data_stride;
  for (int64_t i = 0; i < count;) {
    const int64_t x = walk.at[last], here = axis.count - x < count - i ? axis.count - x : count - i;
    walk.at[last] = 0;
    const int64_t row_begin = walk.data();
    int64_t tap_of[kDepthwiseRows];
    const T* row_data[kDepthwiseRows];
    run.rows = 0;
    for (int64_t tap = 0; tap < s.tap_count; tap += rows.taps) {
      WindowTap row = s.taps[tap];
      row.at[last] = 0;
      bool inside = true;
      for (int a = 0; a < last; ++a) {
        const int64_t index = walk.at[a] * s.axes[a].step + row.at[a];
        inside = inside && index >= 0 && index < s.axes[a].size;
      }
      if (!inside) continue;
      tap_of[run.rows] = tap;
      row_data[run.rows++] = data + row_begin + tap_offset(s, row);
    }
    for (int64_t done = 0; done < here;) {
      const typename DepthwiseRows::Seen seen = rows.seen_from(axis, x + done, here - done);
      const bool nothing = seen.begin >= seen.end;
      const int64_t found = run.rows;
      if (nothing) run.rows = 0;
      for (int64_t r = 0; r < run.rows; ++r)
        run.data[r] = row_data[r] + ((x + done) * axis.step + rows.first + seen.begin) * run.pixel;
      use(run, seen, tap_of, i + done);
      run.rows = found;
      done += seen.positions;
    }
    i += here;
    walk.at[last] = axis.count - 1;
    walk.next();
  }
}

/// The tap that is number k along the axis, in the row of taps from `tap`.
inline int64_t tap_along(const DepthwiseRows& rows, int64_t tap, int64_t k) {
  return tap + (rows.falling ? rows.taps - 1 - k : k);
}

template <class T>
inline void pack_depthwise(const WindowShape& s, const T* weights, T* packed) {
  for (int64_t tap = 0; tap < s.tap_count; ++tap) {
    pack_b(weights + s.taps[tap].weights, 0, 1, 1, s.columns, packed + tap * depthwise_width<T>(s));
  }
}

/// Channels `column` to `column + columns - 1` of some positions, to rows at `out`.
template <class T>
inline void run_depthwise_part(const WindowBlock<T>& block, const DepthwiseRows& rows, WindowWorkspace<T>& work,
                               int64_t row, int64_t count, int64_t column, int64_t columns, T* out, int64_t out_row) {
  const WindowShape& s = *block.shape;
  const int64_t width = depthwise_width<T>(s);
  if (rows.fits) {
    for_each_run(s, rows, block.data, row, count,
                 [&](DepthwiseRun<T>& run, const DepthwiseRows::Seen& seen, const int64_t* tap_of, int64_t at) {
                   const int64_t taps = seen.end > seen.begin ? seen.end - seen.begin : 1;
                   run.tap_step = rows.falling ? -width : width;
                   run.channels = columns;
                   run.out_row = out_row;
                   for (int64_t r = 0; r < run.rows; ++r) {
                     run.weights[r] = block.packed + tap_along(rows, tap_of[r], seen.begin) * width + column;
                     run.data[r] += column;
                   }
                   const Parts tiles(seen.positions, kDepthwisePositions);
                   const int64_t step = s.axes[kWindowAxes - 1].step;
                   for (int64_t t = 0; t < tiles.count; ++t) {
                     run.out = out + (at + tiles.begin_of(t)) * out_row;
                     kDepthwise<T>.run[step - 1][taps - 1][tiles.size_of(t) - 1](run);
                     for (int64_t r = 0; r < run.rows; ++r) run.data[r] += tiles.size_of(t) * step * run.pixel;
                   }
                 });
    return;
  }
  work.find_rows(s, block.data, row, count);
  const Parts tiles(count, kTileRows);
  for (int64_t t = 0; t < tiles.count; ++t) {
    kDepthwise<T>.tile[0][tiles.size_of(t) - 1]({.rows = work.rows + tiles.begin_of(t),
                                                 .row_step = 1,
                                                 .step = kWindowRows,
                                                 .count = s.tap_count,
                                                 .channel = column,
                                                 .factors = block.packed + column,
                                                 .factor_row = width,
                                                 .channels = columns,
                                                 .c = out + tiles.begin_of(t) * out_row,
                                                 .c_row = out_row});
  }
}

/// Many channels of few positions at once: the rows of data that the next ones see stay in the L1 cache, of which
/// neighbours, often a multiple of 512 bytes apart, would share a few sets.
template <class T>
inline void run_depthwise_block(const WindowBlock<T>& block, void* memory) {
  const WindowShape& s = *block.shape;
  if (s.square_windows && fills_vectors<T>(s)) return run_rectangles(block, memory);
  WindowWorkspace<T> work(s, memory);
  const DepthwiseRows rows = DepthwiseRows::of(s, T{});
  constexpr int64_t few_rows = kWindowRows / 8 / 4 * 4, most_columns = 8 * kTileVectors * kLanes<T>;
  const bool in_place = block.epilogue == nullptr && s.result_is_dense();
  const int64_t together = in_place ? s.columns : most_columns;
  const int64_t most_rows = in_place && rows.fits ? block.rows : few_rows;
  for (int64_t row = block.row; row < block.row + block.rows; row += most_rows) {
    const int64_t left = block.row + block.rows - row, count = left < most_rows ? left : most_rows;
    for (int64_t column = 0; column < s.columns; column += together) {
      const int64_t columns = s.columns - column < together ? s.columns - column : together;
      if (in_place) {
        run_depthwise_part(block, rows, work, row, count, column, columns, block.result + row * s.columns, s.columns);
        continue;
      }
      const int64_t width = round_up(columns, kLanes<T>);
      request_part(block, row, count, column, columns);
      run_depthwise_part(block, rows, work, row, count, column, columns, work.strip, width);
      work.find_results(s, row, count);
      pass_on_strip(block, work, row, count, column, columns, width);
    }
  }
}

template <class T>
inline void run_depthwise_gradient(const WindowGradientBlock<T>& block, void* memory) {
  const WindowShape& s = block.shape->window;
  if (s.square_windows && fills_vectors<T>(s)) return run_gradient_rectangles(block, memory);
  WindowWorkspace<T> work(s, memory);
  const DepthwiseRows window = DepthwiseRows::of(s, T{});
  const bool by_rows = window.fits && block.rows == s.tap_count;
  const int64_t of_chunk = block.shape->positions_of_chunk, positions = s.positions();
  const int64_t last = (block.chunk + block.chunks) * of_chunk, end = last < positions ? last : positions;
  const int64_t most = by_rows ? positions : kDepthwiseChunk;  // of pointers, as many as there is place for
  const Parts tiles(block.rows, kTileRows);
  for (int64_t i = 0; i < block.rows * s.columns; ++i) block.result[block.row * s.columns + i] = T{0};
  for (int64_t begin = block.chunk * of_chunk; begin < end; begin += most) {
    const int64_t count = end - begin < most ? end - begin : most;
    if (by_rows) {
      for_each_run(s, window, block.data, begin, count,
                   [&](DepthwiseRun<T>& run, const DepthwiseRows::Seen& seen, const int64_t* tap_of, int64_t at) {
                     run.tap_step = window.falling ? -s.columns : s.columns;
                     run.channels = run.gradient_row = s.columns;
                     run.gradient = block.gradient + (begin + at) * s.columns;
                     run.positions = seen.positions;
                     for (int64_t r = 0; r < run.rows; ++r)
                       run.results[r] = block.result + tap_along(window, tap_of[r], seen.begin) * s.columns;
                     const int64_t step = s.axes[kWindowAxes - 1].step * run.pixel;
                     const int64_t taps = seen.end - seen.begin;
                     for (int64_t r = 0; r < run.rows; r += gradient_rows(taps)) {
                       const int64_t left = run.rows - r, most_rows = gradient_rows(taps);
                       kDepthwise<T>.gradient_run[(left < most_rows ? left : most_rows) - 1][taps - 1](run, r, step);
                     }
                   });
      continue;
    }
    work.find_rows(s, block.data, begin, count);
    for (int64_t t = 0; t < tiles.count; ++t) {
      const int64_t row = block.row + tiles.begin_of(t);
      kDepthwise<T>.tile[1][tiles.size_of(t) - 1]({.rows = work.rows + row * kWindowRows,
                                                   .row_step = kWindowRows,
                                                   .step = 1,
                                                   .count = count,
                                                   .channel = 0,
                                                   .factors = block.gradient + begin * s.columns,
                                                   .factor_row = s.columns,
                                                   .channels = s.columns,
                                                   .c = block.result + row * s.columns,
                                                   .c_row = s.columns});
    }
  }
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
