// The loops around the tiles of a product of windows: what is packed, and where the rows of data lie.
//
// A tile reads its rows of data in place, through a table of pointers to them that is made for each block of positions
// (Dukhan, "The indirect convolution algorithm", 2019): neither strides, padding and dilation nor the gaps of a
// gradient of data cost anything inside.
#pragma once

#include <gradloom/ops/gemm_pack_internal.hpp>
#include <gradloom/ops/gemm_parts_internal.hpp>
#include <gradloom/ops/requests_internal.hpp>
#include <gradloom/ops/window_tile_internal.hpp>

#include <utility>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// Positions of a block: a multiple of the 16 rows whose sum an epilogue takes together, and of the rows of a tile.
/// With the columns of a panel no more than the 16 KiB that an epilogue gets at once.
inline constexpr int64_t kWindowRows = kTileVectors == 3 ? 80 : 96;

template <class T>
struct WindowPanels {
  explicit WindowPanels(const WindowShape& s)
      : vectors((s.group_columns() + kLanes<T> - 1) / kLanes<T>), parts(vectors, kTileVectors) {}

  int64_t vectors;
  Parts parts;  // of one group

  int64_t begin(int64_t panel) const { return parts.begin_of(panel) * kLanes<T>; }
  int64_t width(int64_t panel) const { return parts.size_of(panel) * kLanes<T>; }
  int64_t columns(int64_t panel, const WindowShape& s) const {
    const int64_t rest = s.group_columns() - begin(panel);
    return rest < width(panel) ? rest : width(panel);
  }
  /// Columns in the last vector of a panel.
  int64_t last_lanes(int64_t panel, const WindowShape& s) const { return columns(panel, s) - width(panel) + kLanes<T>; }
  /// Where a panel begins among the packed ones.
  int64_t packed(int64_t group, int64_t panel, int64_t depth) const {
    return (group * vectors * kLanes<T> + begin(panel)) * depth;
  }
};

template <class T>
inline int64_t window_panels(const WindowShape& s) noexcept {
  if (s.columns == 0) return 0;
  return s.depthwise ? 1 : s.groups * WindowPanels<T>(s).parts.count;
}

template <class T>
inline int64_t window_packed_size(const WindowShape& s) noexcept {
  return s.groups * WindowPanels<T>(s).vectors * kLanes<T> * s.depth();
}

template <class T>
inline void pack_window_panels(const WindowShape& s, const T* weights, int64_t panel, int64_t count, T* packed) {
  const WindowPanels<T> panels(s);
  for (int64_t i = panel; i < panel + count; ++i) {
    const int64_t group = i / panels.parts.count, in_group = i % panels.parts.count;
    T* out = packed + panels.packed(group, in_group, s.depth());
    for (int64_t r = 0; r < s.run_count; ++r) {
      const WindowRun& run = s.runs[r];
      const T* const from = weights + s.taps[run.tap].weights + group * s.weight_group + run.channel * s.weight_row +
                            panels.begin(in_group) * s.weight_col;
      pack_b(from, s.weight_row, s.weight_col, run.channels, panels.columns(in_group, s), out);
      out += run.channels * panels.width(in_group);
    }
  }
}

/// Goes through the positions of a product one by one.
struct PositionWalk {
  const WindowShape& s;
  int64_t image, at[kWindowAxes];

  PositionWalk(const WindowShape& shape, int64_t position) : s(shape), image(0), at{} {
    for (int axis = kWindowAxes - 1; axis >= 0; --axis) {
      at[axis] = position % s.axes[axis].count;
      position /= s.axes[axis].count;
    }
    image = position;
  }
  void next() {
    for (int axis = kWindowAxes - 1; axis >= 0; --axis) {
      if (++at[axis] < s.axes[axis].count) return;
      at[axis] = 0;
    }
    ++image;
  }
  int64_t result() const {
    int64_t offset = s.result_begin + image * s.result_image;
    for (int axis = 0; axis < kWindowAxes; ++axis) offset += at[axis] * s.axes[axis].result_stride;
    return offset;
  }
  /// Where the tap (0, 0, 0) would read.
  int64_t data() const {
    int64_t offset = image * s.data_image;
    for (int axis = 0; axis < kWindowAxes; ++axis) {
      offset += at[axis] * s.axes[axis].step * s.axes[axis].data_stride;
    }
    return offset;
  }
  bool sees(const WindowTap& tap) const {
    for (int axis = 0; axis < kWindowAxes; ++axis) {
      const int64_t index = at[axis] * s.axes[axis].step + tap.at[axis];
      if (index < 0 || index >= s.axes[axis].size) return false;
    }
    return true;
  }
};

inline int64_t tap_offset(const WindowShape& s, const WindowTap& tap) {
  int64_t offset = 0;
  for (int axis = 0; axis < kWindowAxes; ++axis) offset += tap.at[axis] * s.axes[axis].data_stride;
  return offset;
}

/// Copies the windows of `count` positions from `begin` to [count, depth]; up to a vector behind it is overwritten.
template <class T>
inline void copy_windows(const WindowShape& s, const T* data, int64_t begin, int64_t count, T* out) {
  constexpr int last = kWindowAxes - 1;
  const WindowAxis& axis = s.axes[last];
  int64_t row_taps = 0;  // that differ along the last axis only
  while (row_taps < s.tap_count && s.taps[row_taps].at[0] == s.taps[0].at[0] &&
         s.taps[row_taps].at[1] == s.taps[0].at[1])
    ++row_taps;
  const int64_t spacing = row_taps < 2 ? 1 : s.taps[1].at[last] - s.taps[0].at[last];
  const int64_t channels = s.group_channels(), length = row_taps * channels, full = length / kLanes<T> * kLanes<T>;
  const LaneMask<T> rest(length == full ? kLanes<T> : length - full);
  PositionWalk walk(s, begin);
  for (int64_t i = 0; i < count; ++i, walk.next()) {
    const int64_t here = walk.data();  // offsets, not pointers: those of padding lie outside of the data
    const int64_t x = walk.at[last] * axis.step + s.taps[0].at[last];
    for (int64_t tap = 0; tap < s.tap_count; tap += row_taps, out += length) {
      bool inside = true;
      for (int a = 0; a < last; ++a) {
        const int64_t index = walk.at[a] * s.axes[a].step + s.taps[tap].at[a];
        inside = inside && index >= 0 && index < s.axes[a].size;
      }
      int64_t from = here + tap_offset(s, s.taps[tap]);
      if (inside && spacing == 1 && x >= 0 && x + row_taps <= axis.size) {
        const T* const row = data + from;
        for (int64_t c = 0; c < full; c += kLanes<T>) Batch<T>::load_unaligned(row + c).store_unaligned(out + c);
        if (full < length) load_lanes(row + full, rest).store_unaligned(out + full);
        continue;
      }
      for (int64_t k = 0; k < row_taps; ++k, from += spacing * axis.data_stride) {
        const bool seen = inside && x + k * spacing >= 0 && x + k * spacing < axis.size;
        for (int64_t c = 0; c < channels; ++c) out[k * channels + c] = seen ? data[from + c] : T{0};
      }
    }
  }
}

/// What a call works with besides its operands.
template <class T>
struct WindowWorkspace {
  T* zeros;          // a row of data, or as many as a depthwise block reads of one
  T* windows;        // [kWindowRows, depth] where they are copied
  T* strip;          // [kWindowRows, kPanelWidth], or as many elements as suit
  const T** rows;    // [taps, kWindowRows]
  int64_t* results;  // [kWindowRows]
  int64_t* offsets;  // [taps]
  WindowTap* range;  // the lowest and the highest tap along each axis

  static constexpr int64_t kStrip = kWindowRows * kTileVectors * kLanes<T>,
                           kDepthwiseStrip = (int64_t{32} << 10) / static_cast<int64_t>(sizeof(T)),
                           kBlockZeros = 5;  // rows of data that a depthwise block has side by side

  static int64_t zeros_size(const WindowShape& s) {
    return round_up(s.channels * (s.square_windows ? kBlockZeros : 1), 16);
  }
  /// A depthwise block of the gradient keeps its sums there.
  static int64_t strip_size(const WindowShape& s) {
    const int64_t gradient = s.square_windows ? round_up(s.depth() * s.columns, 16) : 0;
    const int64_t strip = s.depthwise ? kDepthwiseStrip : kStrip;
    return gradient < strip ? strip : gradient;
  }
  static int64_t windows_size(const WindowShape& s) {
    return s.copies_windows ? round_up(kWindowRows * s.depth() + kLanes<T>, 16) : 0;
  }
  static size_t bytes(const WindowShape& s) {
    const auto elements = static_cast<size_t>(zeros_size(s) + strip_size(s) + windows_size(s));
    return elements * sizeof(T) + static_cast<size_t>(s.tap_count * kWindowRows + kWindowRows + s.tap_count) * 8 +
           2 * sizeof(WindowTap);
  }
  WindowWorkspace(const WindowShape& s, void* memory) {
    strip = static_cast<T*>(memory);
    zeros = strip + strip_size(s);
    windows = zeros + zeros_size(s);
    rows = static_cast<const T**>(static_cast<void*>(windows + windows_size(s)));
    results = static_cast<int64_t*>(static_cast<void*>(rows + s.tap_count * kWindowRows));
    offsets = results + kWindowRows;
    range = static_cast<WindowTap*>(static_cast<void*>(offsets + s.tap_count));
    for (int64_t i = 0; i < zeros_size(s); ++i) zeros[i] = T{0};
    for (int64_t tap = 0; tap < s.tap_count; ++tap) {
      offsets[tap] = tap_offset(s, s.taps[tap]);
      for (int axis = 0; axis < kWindowAxes; ++axis) {
        const int64_t at = s.taps[tap].at[axis];
        if (tap == 0 || at < range[0].at[axis]) range[0].at[axis] = at;
        if (tap == 0 || at > range[1].at[axis]) range[1].at[axis] = at;
      }
    }
  }

  /// Where the results of `count` positions from `begin` are.
  void find_results(const WindowShape& s, int64_t begin, int64_t count) {
    PositionWalk walk(s, begin);
    for (int64_t i = 0; i < count; ++i, walk.next()) results[i] = walk.result();
  }

  /// Points to the data of `count` positions from `begin`.
  void find_rows(const WindowShape& s, const T* data, int64_t begin, int64_t count) {
    if (s.copies_windows) {
      find_results(s, begin, count);
      copy_windows(s, data, begin, count, windows);
      for (int64_t i = 0; i < count; ++i) rows[i] = windows + i * s.depth();
      return;
    }
    PositionWalk walk(s, begin);
    for (int64_t i = 0; i < count; ++i, walk.next()) {
      results[i] = walk.result();
      const int64_t here = walk.data();
      if (s.tap_count > 0 && walk.sees(range[0]) && walk.sees(range[1])) {
        for (int64_t tap = 0; tap < s.tap_count; ++tap) rows[tap * kWindowRows + i] = data + (here + offsets[tap]);
      } else {
        for (int64_t tap = 0; tap < s.tap_count; ++tap) {
          rows[tap * kWindowRows + i] = walk.sees(s.taps[tap]) ? data + (here + offsets[tap]) : zeros;
        }
      }
    }
  }
};

/// Data that the next block of positions reads and this one does not, if the caches do not hold it anyway: it is asked
/// for little by little while this block is summed. Windows of neighbours follow each other, so it is one run of
/// memory.
class NextData {
 public:
  /// The next positions are [begin, end); this block's tiles have `runs` runs in all, or more.
  template <class T>
  NextData(const WindowShape& s, const T* data, const WindowTap& farthest, int64_t begin, int64_t end, int64_t runs) {
    constexpr int64_t size = static_cast<int64_t>(sizeof(T)), second_cache = (int64_t{1} << 20) / size, line = 64;
    const int64_t all = s.batch * s.data_image;
    if (begin >= end || runs == 0 || all <= second_cache) return;
    const auto reach = [&](int64_t position) {
      const int64_t last = PositionWalk(s, position).data() + tap_offset(s, farthest) + s.channels;
      return last < 0 ? 0 : (last < all ? last : all);
    };
    const int64_t from = reach(begin - 1), to = reach(end - 1);
    if (to - from > second_cache / 2) return;
    next_ = reinterpret_cast<const std::byte*>(data + from);
    end_ = reinterpret_cast<const std::byte*>(data + to);
    of_run_ = round_up(((to - from) * size + runs - 1) / runs, line);
  }
  /// The part of a tile of so many runs.
  WantedMemory take(int64_t runs) {
    const int64_t bytes = of_run_ * runs;
    if (end_ - next_ < bytes) return {};
    return {std::exchange(next_, next_ + bytes), of_run_};
  }

 private:
  const std::byte *next_ = nullptr, *end_ = nullptr;
  int64_t of_run_ = 0;  // bytes
};

/// Sums one panel of a block of positions into the strip.
template <class T>
inline void sum_window_panel(const WindowShape& s, const WindowWorkspace<T>& work, const T* b, int64_t channel,
                             int64_t rows, int64_t width, NextData& next) {
  const Parts tiles(rows, kTileRows);
  bool adds = false;
  for (int64_t begin = 0; begin < s.run_count;) {
    int64_t end = begin, depth = 0;
    do depth += s.runs[end].channels;
    while (!s.runs[end++].ends_chunk);
    WindowTile<T> tile{s.runs + begin, end - begin, nullptr, kWindowRows, channel, b, nullptr, width, adds};
    for (int64_t t = 0; t < tiles.count; ++t) {
      tile.rows = work.rows + tiles.begin_of(t);
      tile.c = work.strip + tiles.begin_of(t) * width;
      tile.wanted = next.take(tile.run_count);
      kWindowTiles<T>.window[tiles.size_of(t) - 1][width / kLanes<T> - 1](tile);
    }
    b += depth * width;
    begin = end;
    adds = true;
  }
  for (int64_t i = 0; s.run_count == 0 && i < rows * width; ++i) work.strip[i] = T{0};
}

/// Asks memory for what an epilogue will want, all at once: rows of a convolution's result mostly follow each other.
template <class Block>
inline void request_part(const Block& block, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  if (block.epilogue == nullptr || block.epilogue->streams.empty()) return;
  Requests requests;
  requests.add(*block.epilogue, row, column, rows, columns);
  requests.make_all();
}

/// Hands a part of the result on: columns from `column`, of the positions that the workspace holds.
template <class T>
inline void pass_on_strip(const WindowBlock<T>& block, const WindowWorkspace<T>& work, int64_t row, int64_t rows,
                          int64_t column, int64_t columns, int64_t width) {
  if (block.epilogue != nullptr) {
    block.epilogue->run(block.epilogue->context, work.strip, width, row, column, rows, columns);
    return;
  }
  const LaneMask<T> mask(columns % kLanes<T> == 0 ? kLanes<T> : columns % kLanes<T>);
  for (int64_t r = 0; r < rows; ++r) {
    const T* const from = work.strip + r * width;
    T* const to = block.result + work.results[r] + column;
    int64_t j = 0;
    for (; j + kLanes<T> <= columns; j += kLanes<T>) Batch<T>::load_aligned(from + j).store_unaligned(to + j);
    if (j < columns) store_lanes(to + j, Batch<T>::load_aligned(from + j), mask);
  }
}

template <class T>
inline void run_window_block(const WindowBlock<T>& block, void* memory) {
  const WindowShape& s = *block.shape;
  WindowWorkspace<T> work(s, memory);
  const WindowPanels<T> panels(s);
  for (int64_t row = block.row; row < block.row + block.rows; row += kWindowRows) {
    const int64_t left = block.row + block.rows - row, rows = left < kWindowRows ? left : kWindowRows;
    work.find_rows(s, block.data, row, rows);
    constexpr int64_t tiles = (kWindowRows + kTileRows - 1) / kTileRows;
    NextData next(s, block.data, work.range[1], row + rows, row + rows + (left - rows < rows ? left - rows : rows),
                  s.copies_windows ? 0 : tiles * s.run_count * block.panels);
    for (int64_t i = block.panel; i < block.panel + block.panels; ++i) {
      const int64_t group = i / panels.parts.count, panel = i % panels.parts.count, width = panels.width(panel);
      const int64_t column = group * s.group_columns() + panels.begin(panel), columns = panels.columns(panel, s);
      request_part(block, row, rows, column, columns);
      sum_window_panel(s, work, block.packed + panels.packed(group, panel, s.depth()), group * s.group_channels(), rows,
                       width, next);
      pass_on_strip(block, work, row, rows, column, columns, width);
    }
  }
}

// ---- gradient of the weights

template <class T>
struct WindowGradientWorkspace {
  T* packed;             // the gradient of a chunk of positions, by panels
  T* windows;            // of the chunk, where they are copied
  T* channels;           // the data of one tile: [positions, lanes]
  PositionRow<T>* rows;  // those of one tap
  PositionRow<T>* copied;

  static int64_t most_rows(const WindowGradientShape& g) { return g.positions_of_chunk / g.window.axes[2].count + 2; }
  static int64_t packed_size(const WindowGradientShape& g) {
    return round_up(g.positions_of_chunk * WindowPanels<T>(g.window).vectors * kLanes<T>, 16);
  }
  static int64_t windows_size(const WindowGradientShape& g) {
    return g.window.copies_windows ? round_up(g.positions_of_chunk * g.window.depth() + kLanes<T>, 16) : 0;
  }
  static size_t bytes(const WindowGradientShape& g) {
    return static_cast<size_t>(packed_size(g) + windows_size(g) + g.positions_of_chunk * kLanes<T>) * sizeof(T) +
           static_cast<size_t>(2 * most_rows(g)) * sizeof(PositionRow<T>);
  }
  WindowGradientWorkspace(const WindowGradientShape& g, void* memory) {
    packed = static_cast<T*>(memory);
    windows = packed + packed_size(g);
    channels = windows + windows_size(g);
    rows = static_cast<PositionRow<T>*>(static_cast<void*>(channels + g.positions_of_chunk * kLanes<T>));
    copied = rows + most_rows(g);
  }

  /// Which positions of a chunk see data through a tap. Returns the number of rows.
  int64_t find_rows(const WindowShape& s, const WindowTap& tap, const T* data, int64_t begin, int64_t count) {
    const WindowAxis& last = s.axes[kWindowAxes - 1];
    // Along the last axis: those with 0 <= i * step + tap < size.
    const int64_t at = tap.at[kWindowAxes - 1];
    const int64_t first = at >= 0 ? 0 : (-at + last.step - 1) / last.step;
    const int64_t seen = last.size - at <= 0 ? 0 : (last.size - at + last.step - 1) / last.step;
    int64_t found = 0;
    const int64_t offset = tap_offset(s, tap);
    PositionWalk walk(s, begin);
    for (int64_t i = 0; i < count;) {
      int64_t& x = walk.at[kWindowAxes - 1];
      const int64_t here = last.count - x < count - i ? last.count - x : count - i;  // positions of this row
      const int64_t low = first > x ? first : x, high = seen < x + here ? seen : x + here;
      if (low < high) {
        const int64_t begin_x = x;
        x = low;
        if (walk.sees(tap)) rows[found++] = {data + walk.data() + offset, i + low - begin_x, high - low};
        x = begin_x;
      }
      i += here;
      x += here - 1;
      walk.next();
    }
    return found;
  }
};

/// What the next chunk of positions reads, asked for while this one is summed: its part of the gradient, and of the
/// data, of which this chunk's windows may have seen the beginning.
template <class T>
class NextChunk {
 public:
  NextChunk(const WindowGradientShape& g, const WindowGradientBlock<T>& block, int64_t begin) {
    const WindowShape& s = g.window;
    constexpr int64_t size = static_cast<int64_t>(sizeof(T)), second_cache = (int64_t{1} << 20) / size;
    const int64_t positions = s.positions(), data = s.batch * s.data_image;
    const int64_t left = positions - begin, count = left < g.positions_of_chunk ? left : g.positions_of_chunk;
    if (count <= 0 || data + positions * s.columns <= second_cache) return;
    const auto at = [&](int64_t position) {
      const int64_t offset = PositionWalk(s, position).data();
      return position >= positions || offset > data ? data : offset;
    };
    add(block.gradient + begin * s.columns, count * s.columns);
    const int64_t first = at(begin), last = at(begin + count);
    if (last - first <= second_cache / 2) add(block.data + first, last - first);
  }

  /// Lines for a tile of so many positions; null if there are not as many any more.
  const std::byte* take(int64_t positions) {
    constexpr int64_t line = 64;
    while (range_ < ranges_ && end_[range_] - next_[range_] < positions * line) ++range_;
    return range_ < ranges_ ? std::exchange(next_[range_], next_[range_] + positions * line) : nullptr;
  }

 private:
  void add(const T* begin, int64_t elements) {
    next_[ranges_] = reinterpret_cast<const std::byte*>(begin);
    end_[ranges_++] = reinterpret_cast<const std::byte*>(begin + elements);
  }

  const std::byte *next_[2] = {}, *end_[2] = {};
  int ranges_ = 0, range_ = 0;
};

/// Copies `count` rows of `columns` elements to panels, row by row: panel by panel, memory would be read 64 bytes of
/// each row at a time, which no prefetcher follows.
template <class T>
inline void pack_rows(const WindowPanels<T>& panels, const T* from, int64_t from_row, int64_t count, int64_t columns,
                      T* packed) {
  constexpr int64_t lanes = kLanes<T>;
  const int64_t full = columns / lanes * lanes;
  const LaneMask<T> mask(columns == full ? lanes : columns - full);
  for (int64_t p = 0; p < count; ++p, from += from_row) {
    for (int64_t panel = 0; panel < panels.parts.count; ++panel) {
      const int64_t begin = panels.begin(panel), width = panels.width(panel);
      T* const out = packed + begin * count + p * width;
      for (int64_t j = begin; j < begin + width; j += lanes) {
        (j < full ? Batch<T>::load_unaligned(from + j) : load_lanes(from + j, mask)).store_aligned(out + j - begin);
      }
    }
  }
}

/// Copies what a tile reads of the data, `count` channels from `channel` at all positions of `found` rows, so that its
/// panels find it in few cache lines: positions are often a multiple of 512 bytes apart, and share a few sets of the L1
/// cache.
template <class T>
inline void copy_channels(const WindowGradientWorkspace<T>& work, int64_t found, int64_t step, int64_t channel,
                          int64_t count) {
  const LaneMask<T> mask(count < kLanes<T> ? count : kLanes<T>);
  T* out = work.channels;
  for (int64_t r = 0; r < found; ++r) {
    const PositionRow<T>& row = work.rows[r];
    work.copied[r] = {out, row.position, row.count};
    const T* from = row.data + channel;
    for (int64_t p = 0; p < row.count; ++p, from += step, out += kLanes<T>) load_lanes(from, mask).store_unaligned(out);
  }
}

template <class T>
inline void run_window_gradient(const WindowGradientBlock<T>& block, void* memory) {
  const WindowGradientShape& g = *block.shape;
  const WindowShape& s = g.window;
  const int64_t channels = s.copies_windows ? s.depth() : s.group_channels(), positions = s.positions();
  for (int64_t i = 0; block.chunks == 0 && i < block.rows * s.columns; ++i) {
    block.result[block.row * s.columns + i] = T{0};
  }
  const WindowPanels<T> panels(s);
  WindowGradientWorkspace<T> work(g, memory);
  for (int64_t chunk = block.chunk; chunk < block.chunk + block.chunks; ++chunk) {
    const int64_t begin = chunk * g.positions_of_chunk;
    const int64_t count = positions - begin < g.positions_of_chunk ? positions - begin : g.positions_of_chunk;
    if (s.copies_windows) copy_windows(s, block.data, begin, count, work.windows);
    NextChunk<T> next(g, block, chunk + 1 < block.chunk + block.chunks ? begin + count : positions);
    for (int64_t group = 0; group < s.groups; ++group) {
      const T* const gradient = block.gradient + begin * s.columns + group * s.group_columns();
      pack_rows(panels, gradient, s.columns, count, s.group_columns(), work.packed);
      for (int64_t row = block.row; row < block.row + block.rows;) {
        const int64_t tap = row / channels, channel = row % channels;
        const int64_t left = block.row + block.rows - row;
        const int64_t rows = channels - channel < left ? channels - channel : left;
        int64_t found = 1;
        if (s.copies_windows) {
          work.rows[0] = {work.windows, 0, count};
        } else {
          found = work.find_rows(s, s.taps[tap], block.data, begin, count);
        }
        const Parts tiles(rows, kTileRows);
        GradientTile<T> tile{};
        tile.rows = work.rows;
        tile.row_count = found;
        tile.data_step =
            s.copies_windows ? channels : s.axes[kWindowAxes - 1].step * s.axes[kWindowAxes - 1].data_stride;
        tile.c_row = s.columns;
        tile.adds = chunk != block.chunk;
        const int64_t step = tile.data_step;
        constexpr int64_t many = 4;  // panels that make up for the copy
        const bool copies = panels.parts.count >= many && kTileRows <= kLanes<T>;
        if (copies) {
          tile.rows = work.copied;
          tile.data_step = kLanes<T>;
        }
        for (int64_t t = 0; t < tiles.count; ++t) {
          const int64_t first = group * channels + channel + tiles.begin_of(t);
          if (copies) copy_channels(work, found, step, first, tiles.size_of(t));
          tile.data_offset = copies ? 0 : first;
          T* const c = block.result + (row + tiles.begin_of(t)) * s.columns + group * s.group_columns();
          for (int64_t p = 0; p < panels.parts.count; ++p) {
            const int64_t vectors = panels.parts.size_of(p);
            tile.b = work.packed + panels.begin(p) * count;
            tile.c = c + panels.begin(p);
            tile.last_lanes = panels.last_lanes(p, s);
            tile.wanted = next.take(count);
            kWindowTiles<T>.gradient[tiles.size_of(t) - 1][vectors - 1](tile);
          }
        }
        row += rows;
      }
    }
  }
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
