// Large products of short sums, written row by row. Such a product is bound by its result, and by what an epilogue
// walks through beside it: both come from memory and go there fastest in long runs of a row, while columns of tiles
// touch a line or two of each of a hundred rows, which share few sets of the caches if they lie a power of two apart.
#pragma once

#include <gradloom/ops/gemm_pack_internal.hpp>
#include <gradloom/ops/gemm_strip_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// B is packed some columns at a time, of which all panels meet a strip of rows before the next strip; A where it
/// cannot be read in place.
template <class T>
class RowwiseProduct {
 public:
  static constexpr int64_t kMostSum = 256, kLeastRows = 16 * kTallRows, kLeastColumns = 4 * kTallVectors * kLanes<T>;

  /// Elements of the workspace: of packed A, then of packed B.
  static constexpr int64_t kPackedA = (int64_t{1} << 20) / static_cast<int64_t>(sizeof(T));
  static constexpr int64_t kPackedB = kPackedA / 4;
  static constexpr int64_t packed_a_elements(int64_t m, int64_t k) {
    const int64_t all = round_up(m * k, kLanes<T>);
    return (all < kPackedA ? all : kPackedA) + kLanes<T>;
  }
  static constexpr int64_t workspace_elements(int64_t m, int64_t n, int64_t k) {
    if (m < kLeastRows) return 0;
    const int64_t sum = k < kMostSum ? k : kMostSum, all_b = round_up(n, kLanes<T>) * sum;
    return packed_a_elements(m, sum) + (all_b < kPackedB ? all_b : kPackedB);
  }

  /// `reads_in_place`: may rows of A be read where they are?
  static bool suits(const GemmArgs<T>& g, bool reads_in_place) {
    constexpr int64_t result = (int64_t{1} << 20) / static_cast<int64_t>(sizeof(T));  // more than L2 holds beside B
    if (g.k > kMostSum || g.m < kLeastRows || g.n < kLeastColumns || (g.a_col != 1 && g.a_row != 1)) return false;
    if (g.epilogue != nullptr) return !g.epilogue->streams.empty();
    return g.c_col == 1 && g.m * g.n > result && reads_in_place && !(kMaskIsSlow && g.n % kLanes<T> != 0);
  }

  RowwiseProduct(const GemmArgs<T>& g, bool reads_in_place, T* workspace)
      : g_(g),
        packs_a_(!reads_in_place),
        keeps_a_(packs_a_ && g.kept_a != nullptr && g.m * g.k <= kPackedA),
        packed_a_(keeps_a_ ? static_cast<T*>(g.kept_a->room) : workspace),
        packed_b_(workspace + (packs_a_ ? packed_a_elements(g.m, g.k) : 0)),
        asks_for_a_(reads_in_place && g.m * g.k > kPackedA / 2),
        call_epilogue_(g, false) {}

  void run() {
    constexpr int64_t panel = kTallVectors * kLanes<T>;
    const int64_t packable = kPackedA / g_.k / strip_rows() * strip_rows();
    const int64_t most_rows = packs_a_ && g_.m * g_.k > kPackedA ? packable : g_.m;
    has_a_ = !packs_a_ || (keeps_a_ && g_.kept_a->block == g_.a && g_.kept_a->rowwise);
    const Parts blocks((g_.n + panel - 1) / panel, kPackedB / panel / g_.k);
    for (int64_t block = 0; block < blocks.count; ++block) {
      begin_ = blocks.begin_of(block) * panel;
      const int64_t end = begin_ + blocks.size_of(block) * panel;
      cols_ = (g_.n < end ? g_.n : end) - begin_;
      panels_ = Parts((cols_ + kLanes<T> - 1) / kLanes<T>, kTallVectors);
      pack_columns();
      for (int64_t row = 0; row < g_.m; row += most_rows)
        multiply_rows(row, g_.m - row < most_rows ? g_.m - row : most_rows);
      has_a_ = has_a_ || most_rows == g_.m;
    }
    if (!keeps_a_) return;
    g_.kept_a->block = g_.a;
    g_.kept_a->flipped = false;
    g_.kept_a->rowwise = true;
  }

 private:
  // A part for an epilogue is a multiple of the rows and of the columns that it takes at once, and 16 KiB at most;
  // without one, results go where they belong, a tile of rows after the other.
  static constexpr int64_t kPartRows = 24, kPartTile = kTallRows < 12 ? kTallRows : 12;
  static constexpr int64_t kPartPanels =
      (int64_t{16} << 10) / (kPartRows * kTallVectors * kLanes<T> * static_cast<int64_t>(sizeof(T)));
  static_assert(kPartRows % kPartTile == 0);

  [[nodiscard]] int64_t tile_rows() const { return g_.epilogue != nullptr ? kPartTile : kTallRows; }
  [[nodiscard]] int64_t strip_rows() const { return g_.epilogue != nullptr ? kPartRows : kTallRows; }

  void pack_columns() {
    if (g_.b_col == 1) return pack_rows_of_b();
    for (int64_t j = 0; j < panels_.count; ++j) {
      const int64_t col = panels_.begin_of(j) * kLanes<T>, width = panels_.size_of(j) * kLanes<T>;
      pack_b(g_.b + (begin_ + col) * g_.b_col, g_.b_row, g_.b_col, g_.k, cols_ - col < width ? cols_ - col : width,
             packed_b_ + col * g_.k);
    }
  }

  // A row of B after the other, through all panels: long runs of memory, the next of which are asked for.
  void pack_rows_of_b() {
    constexpr int64_t rows_ahead = 8, line = 64 / static_cast<int64_t>(sizeof(T));
    for (int64_t p = 0; p < g_.k; ++p) {
      const T* const row = g_.b + begin_ + p * g_.b_row;
      for (int64_t j = 0; j < cols_; j += line) __builtin_prefetch(row + rows_ahead * g_.b_row + j);
      for (int64_t j = 0; j < panels_.count; ++j) {
        const int64_t col = panels_.begin_of(j) * kLanes<T>, width = panels_.size_of(j) * kLanes<T>;
        pack_b(row + col, g_.b_row, 1, 1, cols_ - col < width ? cols_ - col : width,
               packed_b_ + col * g_.k + p * width);
      }
    }
  }

  // Whole strips have whole tiles; so are the tiles that pack_a_columns() is told of, one after the other.
  void pack_rows(int64_t begin, int64_t rows) {
    const int64_t whole = rows / strip_rows() * strip_rows();
    const auto pack = [&](int64_t row, int64_t count) {
      if (count == 0) return;
      const Parts tiles(count, tile_rows());
      T* const to = packed_a_ + row * g_.k;
      if (g_.a_row == 1) return pack_a_columns(g_.a + begin + row, g_.a_col, tiles, g_.k, to);
      for (int64_t i = 0; i < tiles.count; ++i) {
        const int64_t at = tiles.begin_of(i);
        pack_a(g_.a + (begin + row + at) * g_.a_row, g_.a_row, g_.a_col, tiles.size_of(i), g_.k, to + at * g_.k);
      }
    };
    pack(0, whole);
    pack(whole, rows - whole);
  }

  void multiply_rows(int64_t begin, int64_t rows) {
    if (!has_a_) pack_rows(begin, rows);
    for (int64_t i = 0; i < rows; i += strip_rows()) {
      const int64_t left = rows - i, in_strip = left < strip_rows() ? left : strip_rows();
      const int64_t behind = left - in_strip, next = behind < strip_rows() ? behind : strip_rows();
      multiply_strip(begin + i, in_strip, packs_a_ ? packed_a_ + i * g_.k : g_.a + (begin + i) * g_.a_row,
                     asks_for_a_ ? next : 0);
    }
  }

  // `next_rows`: so many rows of A that follow will be read in place.
  void multiply_strip(int64_t row, int64_t rows, const T* a, int64_t next_rows) {
    const Parts tiles(rows, tile_rows());
    const Parts groups(panels_.count, g_.epilogue != nullptr ? kPartPanels : panels_.count);
    const T* const next_a = g_.a + (row + rows) * g_.a_row;
    int64_t asked = 0, made = 0;
    for (int64_t group = 0; group < groups.count; ++group) {
      const int64_t first = groups.begin_of(group), last = first + groups.size_of(group) - 1;
      const int64_t col = panels_.begin_of(first) * kLanes<T>;
      const int64_t padded = (panels_.begin_of(last) + panels_.size_of(last)) * kLanes<T> - col;
      for (int64_t j = first; j <= last; ++j) {
        for (int64_t i = 0; i < tiles.count; ++i) {
          const int64_t end = next_rows * ++made / (panels_.count * tiles.count);
          requests_.clear();
          requests_.add(reinterpret_cast<const std::byte*>(next_a + asked * g_.a_row),
                        g_.a_row * static_cast<int64_t>(sizeof(T)), end - asked,
                        g_.k * static_cast<int64_t>(sizeof(T)));
          asked = end;
          multiply_tile(row, tiles.begin_of(i), tiles.size_of(i), a, j, col, padded);
        }
      }
      if (g_.epilogue == nullptr) continue;
      const int64_t cols = cols_ - col < padded ? cols_ - col : padded;
      call_epilogue_(part_, padded, row, begin_ + col, rows, cols, false);
    }
  }

  // Rows `at` and so on of a strip that begins at `row`, panel j; of the part: where it begins, and its width.
  void multiply_tile(int64_t row, int64_t at, int64_t rows, const T* a, int64_t j, int64_t part_col, int64_t padded) {
    constexpr int64_t lanes = kLanes<T>;
    const bool stores = g_.epilogue == nullptr;
    const int64_t col = panels_.begin_of(j) * lanes, vectors = panels_.size_of(j), width = vectors * lanes;
    const int64_t left = cols_ - col, cols = left < width ? left : width;
    const int64_t last = stores ? cols - (vectors - 1) * lanes : lanes;
    if (!stores) call_epilogue_.add_requests(requests_, row + at, begin_ + col, rows, cols);
    const Tile<T> tile{.k = g_.k,
                       .a = a + at * (packs_a_ ? g_.k : g_.a_row),
                       .a_stride = packs_a_ ? rows : g_.a_row,
                       .b = packed_b_ + col * g_.k,
                       .b_row = width,
                       .c = stores ? g_.c + (row + at) * g_.c_row + begin_ + col : part_ + at * padded + col - part_col,
                       .c_row = stores ? g_.c_row : padded,
                       .old = nullptr,
                       .old_row = 0,
                       .last_lanes = lanes,
                       .stored_lanes = last,
                       .requests = requests_.empty() ? nullptr : &requests_};
    const ALayout layout = packs_a_ ? ALayout::along_rows : ALayout::along_k;
    kTallTiles<T>.kernels[static_cast<int>(layout)][last < lanes][rows - 1][vectors - 1](tile);
  }

  const GemmArgs<T>& g_;
  const bool packs_a_, keeps_a_;
  T *const packed_a_, *const packed_b_;
  const bool asks_for_a_;  // it is read in place, and more than L2 holds beside B
  const EpilogueCall<T> call_epilogue_;
  Requests requests_;
  bool has_a_ = false;            // packed or in place
  int64_t begin_ = 0, cols_ = 0;  // the columns whose part of B is packed
  Parts panels_{0, 1};
  alignas(64) T part_[kPartRows * kPartPanels * kTallVectors * kLanes<T>];
};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
