// Finished tiles of the matrix product that cannot be stored as they are: those meant for an epilogue, and those of a C
// whose rows are not contiguous. They gather in a strip, high enough to be worth a call or whole cache lines of
// columns.
#pragma once

#include <gradloom/ops/gemm.hpp>
#include <gradloom/ops/gemm_microkernel_internal.hpp>
#include <gradloom/ops/gemm_parts_internal.hpp>
#include <gradloom/ops/requests_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

template <class T>
inline GemmArgs<T> transposed(GemmArgs<T> g) {  // C^T = B^T A^T
  return {g.n,     g.m,     g.k,        g.b,          g.b_col,      g.b_row,         g.a,      g.a_col, g.a_row, g.c,
          g.c_col, g.c_row, g.epilogue, g.row_offset, g.col_offset, g.sums_in_lanes, g.kept_b, g.kept_a};
}

/// Tiles on top of each other in a strip.
inline constexpr int64_t kStripTiles = 8;

/// Adds what is stored of C to a tile.
template <class T>
inline void add_stored(T* tile, int64_t stride, int64_t rows, int64_t cols, const T* c, int64_t c_row, int64_t c_col) {
  constexpr int64_t lanes = kLanes<T>;
  for (int64_t i = 0; i < rows; ++i, tile += stride, c += c_row) {
    int64_t j = 0;
    for (; c_col == 1 && j + lanes <= cols; j += lanes) {
      (Batch<T>::load_unaligned(c + j) + Batch<T>::load_aligned(tile + j)).store_aligned(tile + j);
    }
    for (; j < cols; ++j) tile[j] = c[j * c_col] + tile[j];
  }
}

/// Hands parts of a product to its epilogue. Rows and columns are those of `g`; if that is the transpose of what the
/// caller asked for, the parts are turned back.
template <class T>
class EpilogueCall {
 public:
  EpilogueCall(const GemmArgs<T>& g, bool flipped) : g_(g), flipped_(flipped) {}

  /// `add`: partial sums in C are not in the tile yet.
  [[gnu::noinline]] void operator()(T* tile, int64_t stride, int64_t row, int64_t col, int64_t rows, int64_t cols,
                                    bool add) const {
    T* c = add ? g_.c + row * g_.c_row + col * g_.c_col : nullptr;
    if (!flipped_) {
      if (add) add_stored(tile, stride, rows, cols, c, g_.c_row, g_.c_col);
      g_.epilogue->run(g_.epilogue->context, tile, stride, row + g_.row_offset, col + g_.col_offset, rows, cols);
      return;
    }
    constexpr int64_t usual = kTileRows * kTileVectors, tall = kTallRows * kTallVectors;
    alignas(64) T turned[kStripTiles * (usual > tall ? usual : tall) * kLanes<T>];
    const int64_t turned_stride = round_up(rows, kLanes<T>);
    for (int64_t i = 0; i < rows; i += kLanes<T>) {
      for_each_column(tile + i * stride, stride, rows - i < kLanes<T> ? rows - i : kLanes<T>, cols,
                      [&](int64_t j, Batch<T> x) { x.store_aligned(turned + j * turned_stride + i); });
    }
    if (add) add_stored(turned, turned_stride, cols, rows, c, g_.c_col, g_.c_row);
    g_.epilogue->run(g_.epilogue->context, turned, turned_stride, col + g_.row_offset, row + g_.col_offset, cols, rows);
  }

  void add_requests(Requests& requests, int64_t row, int64_t col, int64_t rows, int64_t cols) const {
    if (flipped_) {
      requests.add(*g_.epilogue, col + g_.row_offset, row + g_.col_offset, cols, rows);
    } else {
      requests.add(*g_.epilogue, row + g_.row_offset, col + g_.col_offset, rows, cols);
    }
  }

 private:
  const GemmArgs<T>& g_;
  bool flipped_;
};

/// A column of tiles of so many rows and vectors in the making; a row of short ones where C has few rows.
template <class T, int64_t Rows, int64_t Vectors>
class Strip {
 public:
  /// Eight tiles on top of each other (AVX2: 48 x 16 floats, 3 KiB): a multiple of 16 rows, for those who add groups of
  /// them, and of a vector (AVX2: two), so that the parts of a product that was computed as C^T = B^T A^T begin where
  /// an epilogue wants them to.
  static constexpr int64_t kRows = kStripTiles * Rows, kCols = Vectors * kLanes<T>;

  Strip(const GemmArgs<T>& g, bool flipped) : g_(g), call_epilogue_(g, flipped) {}

  /// How many panels fit side by side if there are only `rows` rows: up to the 64 that an epilogue may get turned.
  static int64_t panels_for(int64_t rows) {
    const int64_t fit = kRows / round_up(rows, kLanes<T>), most = 64 / kCols;
    return fit < 1 || most < 1 ? 1 : (fit < most ? fit : most);
  }

  void begin(int64_t row, int64_t col, int64_t panels) {
    row_ = row;
    col_ = col;
    stride_ = panels * kCols;
  }
  [[nodiscard]] int64_t stride() const { return stride_; }
  [[nodiscard]] T* at(int64_t row, int64_t col) { return tile_ + (row - row_) * stride_ + (col - col_); }

  /// Does the epilogue walk through memory of its own that should be asked for?
  [[nodiscard]] bool asks() const { return g_.epilogue != nullptr && !g_.epilogue->streams.empty(); }

  /// What it will want for a tile.
  void add_requests(Requests& requests, int64_t row, int64_t col, int64_t rows, int64_t cols) const {
    call_epilogue_.add_requests(requests, row, col, rows, cols);
  }

  /// Passes the rows before `row_end` on: as many as make a full strip, or all if no more are to come.
  void pass_on(int64_t row_end, int64_t col_end, bool final, bool add, bool all) {
    const int64_t filled = row_end - row_, cols = col_end - col_;
    if (filled == 0 || (filled < kRows && !all)) return;
    const int64_t rows = filled < kRows ? filled : kRows;
    if (final && g_.epilogue != nullptr) {
      call_epilogue_(tile_, stride_, row_, col_, rows, cols, add);
    } else {
      scatter(rows, cols, add);
    }
    row_ += rows;
    for (int64_t x = 0; x < (filled - rows) * stride_; x += kLanes<T>) {
      Batch<T>::load_aligned(tile_ + rows * stride_ + x).store_aligned(tile_ + x);
    }
    if (all) pass_on(row_end, col_end, final, add, all);
  }

 private:
  /// Stores into C of any strides, or adds.
  [[gnu::noinline]] void scatter(int64_t rows, int64_t cols, bool add) {
    constexpr int64_t lanes = kLanes<T>;
    T* const c = g_.c + row_ * g_.c_row + col_ * g_.c_col;
    if (g_.c_row != 1) {
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < cols; ++j) {
          T& out = c[i * g_.c_row + j * g_.c_col];
          out = add ? out + tile_[i * stride_ + j] : tile_[i * stride_ + j];
        }
      }
      return;
    }
    for (int64_t i = 0; i < rows; i += lanes) {
      const int64_t count = rows - i < lanes ? rows - i : lanes;
      const LaneMask<T> mask(count);
      for_each_column(tile_ + i * stride_, stride_, count, cols, [&](int64_t j, Batch<T> x) {
        T* out = c + i + j * g_.c_col;
        store_lanes(out, add ? load_lanes(out, mask) + x : x, mask);
      });
    }
  }

  const GemmArgs<T>& g_;
  EpilogueCall<T> call_epilogue_;
  int64_t row_ = 0, col_ = 0, stride_ = 0;
  alignas(64) T tile_[(kRows + Rows) * kCols];
};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
