// Depthwise windows of 3 x 3 neighbours: blocks of a few rows of positions at once.
//
// A row of data that is loaded once meets up to three rows of positions, and a vector of it up to nine sums, all in
// registers: so multiply-adds decide, and not loads.
#pragma once

#include <gradloom/ops/window_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// Loads and stores a vector of channels, or as many of them as the mask says.
template <class T, bool Masked>
struct Channels {
  LaneMask<T> mask;
  [[gnu::always_inline]] Batch<T> operator()(const T* from) const {
    return Masked ? load_lanes(from, mask) : Batch<T>::load_unaligned(from);
  }
  [[gnu::always_inline]] void store(T* to, Batch<T> v) const {
    if constexpr (Masked) {
      store_lanes(to, v, mask);
    } else {
      v.store_unaligned(to);
    }
  }
};

/// Calls `use(first channel, Channels)` for one vector of channels after the other. Unless masks are free, only with
/// `Ragged` need the last one not be full.
template <class T, bool Ragged, class Use>
[[gnu::always_inline]] inline void for_each_vector(int64_t channels, Use use) {
  constexpr int64_t vector = kLanes<T>;
  int64_t c = 0;
  if constexpr (!kMaskIsFree) {
    for (; c + vector <= channels; c += vector) use(c, Channels<T, false>{LaneMask<T>(vector)});
  }
  if constexpr (kMaskIsFree || Ragged) {
    for (; c < channels; c += vector)
      use(c, Channels<T, true>{LaneMask<T>(channels - c < vector ? channels - c : vector)});
  }
}

/// Do channels fill vectors, as far as that matters?
template <class T>
inline bool fills_vectors(const WindowShape& s) {
  return kMaskIsFree || s.columns % kLanes<T> == 0;
}

/// Rows and columns of positions in a block; with 16 registers fewer rows.
inline constexpr int kBlockRows = kTileVectors == 3 ? 4 : 2, kBlockColumns = 3;
inline constexpr int kWindowSide = 3, kWindowTaps = kWindowSide * kWindowSide;

template <class T>
struct DepthwiseBlock {
  /// Rows of data from where the first position sees them; zeros for those outside.
  const T* data[kBlockRows + kWindowSide - 1];
  int64_t pixel;                     // elements from one column to the next
  int64_t first_column, end_column;  // of an edge: the columns within the data, counted from the first tap
  const T* wanted;                   // the data below that, asked for in time; null: the caches may hold it
  int64_t wanted_row;                // elements from one row to the next
  const T* weights;                  // of the tap that is lowest along both axes
  T* sums;                           // of the gradient, likewise
  int64_t tap_step;                  // elements from one tap's to the next
  T* out;
  const T* gradient;
  int64_t out_row, out_pixel;  // of `out` or `gradient`
  bool to_strip;               // there is nothing below `out`
  int64_t channels;
};

/// Asks for what the block below will see or write, `there` being this one's part of the other array.
template <class T, int Rows, int Columns, class Element>
[[gnu::always_inline]] inline void request_next(const DepthwiseBlock<T>& t, int64_t channel, Element* there) {
  if (t.wanted == nullptr) return;
  const T* row = t.wanted + channel;
  if (!t.to_strip) there += Rows * t.out_row + channel;
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i, row += t.wanted_row, there += t.out_row) {
#pragma GCC unroll 4
    for (int j = 0; j < Columns; ++j) {
      __builtin_prefetch(row + j * t.pixel);
      if (!t.to_strip) __builtin_prefetch(there + j * t.out_pixel);
    }
  }
}

/// Calls `use(vector of data, row, column, tap)` for every position of the block that sees the vector through a tap.
template <class T, int Rows, int Columns, class Load, class Use>
[[gnu::always_inline]] inline void for_each_product(const DepthwiseBlock<T>& t, int64_t channel, Load load, Use use) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows + kWindowSide - 1; ++r) {
    const T* from = t.data[r] + channel;
#pragma GCC unroll 8
    for (int p = 0; p < Columns + kWindowSide - 1; ++p, from += t.pixel) {
      const Batch<T> v = load(from);
#pragma GCC unroll 4
      for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
        for (int j = 0; j < Columns; ++j) {
          const int tap_row = r - i, tap_column = p - j;
          if (tap_row >= 0 && tap_row < kWindowSide && tap_column >= 0 && tap_column < kWindowSide)
            use(v, i, j, tap_row * kWindowSide + tap_column);
        }
      }
    }
  }
}

template <class T, int Rows, int Columns, bool Masked>
[[gnu::always_inline]] inline void sum_block(const DepthwiseBlock<T>& t, int64_t channel, Channels<T, Masked> lanes) {
  request_next<T, Rows, Columns>(t, channel, t.out);
  Batch<T> sum[Rows][Columns], weights[kWindowTaps];
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Columns; ++j) sum[i][j] = Batch<T>(T{0});
  }
#pragma GCC unroll 9
  for (int k = 0; k < kWindowTaps; ++k) weights[k] = Batch<T>::load_unaligned(t.weights + k * t.tap_step + channel);
  for_each_product<T, Rows, Columns>(
      t, channel, lanes, [&](Batch<T> v, int i, int j, int tap) { sum[i][j] = fmadd(v, weights[tap], sum[i][j]); });
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Columns; ++j) lanes.store(t.out + i * t.out_row + j * t.out_pixel + channel, sum[i][j]);
  }
}

/// Adds the products of data and gradient at the block's positions to the sum of each tap.
template <class T, int Rows, int Columns, bool Masked>
[[gnu::always_inline]] inline void sum_gradient(const DepthwiseBlock<T>& t, int64_t channel,
                                                Channels<T, Masked> lanes) {
  request_next<T, Rows, Columns>(t, channel, t.gradient);
  Batch<T> gradient[Rows][Columns], sum[kWindowTaps];
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Columns; ++j) gradient[i][j] = lanes(t.gradient + i * t.out_row + j * t.out_pixel + channel);
  }
#pragma GCC unroll 9
  for (int k = 0; k < kWindowTaps; ++k) sum[k] = lanes(t.sums + k * t.tap_step + channel);
  for_each_product<T, Rows, Columns>(
      t, channel, lanes, [&](Batch<T> v, int i, int j, int tap) { sum[tap] = fmadd(v, gradient[i][j], sum[tap]); });
#pragma GCC unroll 9
  for (int k = 0; k < kWindowTaps; ++k) lanes.store(t.sums + k * t.tap_step + channel, sum[k]);
}

/// A column of positions some of whose columns of data are outside.
template <class T, int Rows, bool Masked>
[[gnu::always_inline]] inline void sum_edge(const DepthwiseBlock<T>& t, int64_t channel, Channels<T, Masked> lanes) {
  Batch<T> sum[Rows];
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) sum[i] = Batch<T>(T{0});
#pragma GCC unroll 8
  for (int r = 0; r < Rows + kWindowSide - 1; ++r) {
    for (int64_t p = t.first_column; p < t.end_column; ++p) {
      const Batch<T> v = lanes(t.data[r] + (p - t.first_column) * t.pixel + channel);
#pragma GCC unroll 4
      for (int i = 0; i < Rows; ++i) {
        const int tap_row = r - i;
        if (tap_row < 0 || tap_row >= kWindowSide) continue;
        const T* const weight = t.weights + (tap_row * kWindowSide + p) * t.tap_step + channel;
        sum[i] = fmadd(v, Batch<T>::load_unaligned(weight), sum[i]);
      }
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) lanes.store(t.out + i * t.out_row + channel, sum[i]);
}

template <class T, int Rows, bool Masked>
[[gnu::always_inline]] inline void sum_gradient_edge(const DepthwiseBlock<T>& t, int64_t channel,
                                                     Channels<T, Masked> lanes) {
  for (int64_t p = t.first_column; p < t.end_column; ++p) {
    T* const to = t.sums + p * t.tap_step + channel;
    Batch<T> sum[kWindowSide];
#pragma GCC unroll 4
    for (int k = 0; k < kWindowSide; ++k) sum[k] = lanes(to + k * kWindowSide * t.tap_step);
#pragma GCC unroll 8
    for (int r = 0; r < Rows + kWindowSide - 1; ++r) {
      const Batch<T> v = lanes(t.data[r] + (p - t.first_column) * t.pixel + channel);
#pragma GCC unroll 4
      for (int i = 0; i < Rows; ++i) {
        const int tap_row = r - i;
        if (tap_row < 0 || tap_row >= kWindowSide) continue;
        sum[tap_row] = fmadd(v, lanes(t.gradient + i * t.out_row + channel), sum[tap_row]);
      }
    }
#pragma GCC unroll 4
    for (int k = 0; k < kWindowSide; ++k) lanes.store(to + k * kWindowSide * t.tap_step, sum[k]);
  }
}

/// `Columns` is 0 for an edge.
template <class T, int Rows, int Columns, bool Gradient>
void run_block(const DepthwiseBlock<T>& block) noexcept {
  const DepthwiseBlock<T> t = block;  // stores of vectors may alias anything, also what `block` holds
  for_each_vector<T, false>(t.channels, [&](int64_t c, auto lanes) {
    if constexpr (Gradient) {
      if constexpr (Columns == 0) {
        sum_gradient_edge<T, Rows>(t, c, lanes);
      } else {
        sum_gradient<T, Rows, Columns>(t, c, lanes);
      }
    } else {
      if constexpr (Columns == 0) {
        sum_edge<T, Rows>(t, c, lanes);
      } else {
        sum_block<T, Rows, Columns>(t, c, lanes);
      }
    }
  });
}

/// By rows (1, 2 or 4: [0] to [2]) and columns.
template <class T>
struct DepthwiseBlocks {
  using Kernel = void (*)(const DepthwiseBlock<T>&) noexcept;
  Kernel run[3][kBlockColumns + 1], gradient[3][kBlockColumns + 1];

  template <int Rows = 1, int Columns = 0>
  constexpr void fill() {
    run[Rows / 2][Columns] = run_block<T, Rows, Columns, false>;
    gradient[Rows / 2][Columns] = run_block<T, Rows, Columns, true>;
    if constexpr (Columns < kBlockColumns) {
      fill<Rows, Columns + 1>();
    } else if constexpr (Rows < kBlockRows) {
      fill<2 * Rows>();
    }
  }
  constexpr DepthwiseBlocks() : run{}, gradient{} { fill(); }
};

template <class T>
inline constexpr DepthwiseBlocks<T> kDepthwiseBlocks{};

/// Rows of weights, as packed, or of their gradient.
template <class T>
inline int64_t depthwise_width(const WindowShape& s) {
  return WindowPanels<T>(s).vectors * kLanes<T>;
}

/// A rectangle of positions of one image.
struct PositionBlock {
  int64_t begin, image, row, column, rows, columns;
};

/// Cuts the positions [begin, end) into rectangles of at most `most_rows` (1, 2 or 4) whole rows, and pieces of rows
/// where no whole one is left or it has more than `most_columns`.
template <class Use>
inline void for_each_rectangle(const WindowShape& s, int64_t begin, int64_t end, int64_t most_rows,
                               int64_t most_columns, Use use) {
  const int64_t height = s.axes[1].count, width = s.axes[2].count;
  while (begin < end) {
    const int64_t row = begin / width % height, column = begin % width, left = end - begin;
    PositionBlock block{begin, begin / width / height, row, column, 1, width - column};
    if (block.columns > left) block.columns = left;
    if (block.columns > most_columns) block.columns = most_columns;
    if (block.columns == width) {
      block.rows = most_rows;
      while (block.rows > height - row || block.rows * width > left) block.rows /= 2;
    }
    use(block);
    begin += block.rows * block.columns;
  }
}

/// Runs one of `kernels` on the blocks of a rectangle. `block` has operands and strides, `result` is where the first
/// position's is; rows of data outside are `zeros`, a block's row long.
template <class T, class Element>
inline void run_rectangle(const typename DepthwiseBlocks<T>::Kernel (&kernels)[3][kBlockColumns + 1],
                          const WindowShape& s, const T* data, const T* zeros, const PositionBlock& at,
                          DepthwiseBlock<T> block, Element* DepthwiseBlock<T>::*result) {
  static_assert(WindowWorkspace<T>::kBlockZeros == kBlockColumns + kWindowSide - 1);
  const WindowTap& lowest = s.taps[0].at[2] < s.taps[kWindowTaps - 1].at[2] ? s.taps[0] : s.taps[kWindowTaps - 1];
  const int64_t first_row = at.row + lowest.at[1], rows = at.rows + kWindowSide - 1, size = s.axes[2].size;
  constexpr int64_t cached = (int64_t{8} << 20) / static_cast<int64_t>(sizeof(T));
  const int64_t all = s.batch * s.data_image;
  const bool asks = all > cached && at.image * s.data_image + (first_row + 2 * rows) * s.axes[1].data_stride <= all;
  const auto run = [&](int64_t i, int64_t columns) {  // 0: an edge
    const int64_t column = at.column + i + lowest.at[2], first = column < 0 ? 0 : column;
    block.first_column = first - column;
    block.end_column = size - column < kWindowSide ? size - column : kWindowSide;
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t row = first_row + r;
      block.data[r] = row < 0 || row >= s.axes[1].size
                          ? zeros
                          : data + (at.image * s.data_image + row * s.axes[1].data_stride + first * block.pixel);
    }
    const int64_t below = (first_row + rows) * s.axes[1].data_stride + column * block.pixel;
    block.wanted = asks && columns > 0 ? data + (at.image * s.data_image + below) : nullptr;
    kernels[at.rows / 2][columns](block);
    block.*result += (columns == 0 ? 1 : columns) * block.out_pixel;
  };
  // Positions whose windows lie within [0, size).
  int64_t begin = -lowest.at[2] - at.column, end = size - lowest.at[2] - (kWindowSide - 1) - at.column;
  begin = begin < 0 ? 0 : (begin < at.columns ? begin : at.columns);
  end = end < begin ? begin : (end < at.columns ? end : at.columns);
  block.pixel = s.axes[2].data_stride;
  block.wanted_row = s.axes[1].data_stride;
  for (int64_t i = 0; i < begin; ++i) run(i, 0);
  const Parts parts(end - begin, kBlockColumns);
  for (int64_t i = 0; i < parts.count && begin < end; ++i) run(begin + parts.begin_of(i), parts.size_of(i));
  for (int64_t i = end; i < at.columns; ++i) run(i, 0);
}

template <class T>
inline void run_rectangles(const WindowBlock<T>& block, void* memory) {
  const WindowShape& s = *block.shape;
  const int64_t width = depthwise_width<T>(s);
  const bool falling = s.taps[0].at[2] > s.taps[1].at[2];
  const WindowWorkspace<T> work(s, memory);
  const T* const weights = block.packed + (falling ? (kWindowTaps - 1) * width : 0);
  DepthwiseBlock<T> kernel{};
  kernel.tap_step = falling ? -width : width;
  const int64_t end = block.row + block.rows;
  if (block.epilogue == nullptr) {
    for_each_rectangle(s, block.row, end, kBlockRows, s.axes[2].count, [&](const PositionBlock& at) {
      kernel.weights = weights;
      kernel.out = block.result + at.begin * s.columns;
      kernel.out_row = at.columns * s.columns;
      kernel.out_pixel = kernel.channels = s.columns;
      run_rectangle(kDepthwiseBlocks<T>.run, s, block.data, work.zeros, at, kernel, &DepthwiseBlock<T>::out);
    });
    return;
  }
  // Whole rows with a multiple of 16 channels, as many as the strip holds: an epilogue wants positions in their order.
  constexpr int64_t least = 16, leaf = 16, size = WindowWorkspace<T>::kDepthwiseStrip, part = size / 2;
  kernel.out = work.strip;
  kernel.to_strip = true;
  int64_t most_rows = kBlockRows;
  while (most_rows > 1 && most_rows * s.axes[2].count * least > size) most_rows /= 2;
  for_each_rectangle(s, block.row, end, most_rows, part / least, [&](const PositionBlock& at) {
    const int64_t fitting = size / (at.rows * at.columns) / least * least, widest = part / leaf;
    const int64_t most = fitting < widest ? fitting : widest;
    for (int64_t column = 0; column < s.columns; column += most) {
      const int64_t columns = s.columns - column < most ? s.columns - column : most, row = round_up(columns, kLanes<T>);
      request_part(block, at.begin, at.rows * at.columns, column, columns);
      kernel.weights = weights + column;
      kernel.out_row = at.columns * row;
      kernel.out_pixel = row;
      kernel.channels = columns;
      run_rectangle(kDepthwiseBlocks<T>.run, s, block.data + column, work.zeros, at, kernel, &DepthwiseBlock<T>::out);
      const int64_t positions = at.rows * at.columns, at_once = part / row / leaf * leaf;
      for (int64_t i = 0; i < positions; i += at_once)
        block.epilogue->run(block.epilogue->context, work.strip + i * row, row, at.begin + i, column,
                            positions - i < at_once ? positions - i : at_once, columns);
    }
  });
}

template <class T>
inline void run_gradient_rectangles(const WindowGradientBlock<T>& block, void* memory) {
  const WindowShape& s = block.shape->window;
  const WindowWorkspace<T> work(s, memory);
  const int64_t most = block.shape->positions_of_chunk, positions = s.positions(), size = s.tap_count * s.columns;
  DepthwiseBlock<T> kernel{};
  kernel.tap_step = kernel.channels = kernel.out_pixel = s.columns;
  for (int64_t i = 0; i < size; ++i) block.result[i] = T{0};
  for (int64_t chunk = block.chunk; chunk < block.chunk + block.chunks; ++chunk) {
    T* const sums = kernel.sums = work.strip;
    for (int64_t i = 0; i < size; ++i) sums[i] = T{0};
    const int64_t begin = chunk * most, end = positions - begin < most ? positions : begin + most;
    for_each_rectangle(s, begin, end, kBlockRows, s.axes[2].count, [&](const PositionBlock& at) {
      kernel.gradient = block.gradient + at.begin * s.columns;
      kernel.out_row = at.columns * s.columns;
      run_rectangle(kDepthwiseBlocks<T>.gradient, s, block.data, work.zeros, at, kernel, &DepthwiseBlock<T>::gradient);
    });
    for (int64_t i = 0; i < size; ++i) block.result[i] += sums[i];
  }
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
