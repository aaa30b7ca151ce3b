// Memory that will be wanted soon, asked for little by little.
#pragma once

#include <gradloom/ops/gemm.hpp>

#include <cstddef>
#include <cstdint>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// Rows of memory to be asked for while a tile of a product is summed. A core has only a dozen or two requests of its
/// first cache under way: a burst of hundreds, each a whole memory latency, stops it, while a few between multiply-adds
/// cost nothing.
class Requests {
 public:
  void clear() {
    count_ = 0;
    longest_ = 0;
  }

  [[nodiscard]] bool empty() const { return count_ == 0; }

  /// `rows` runs of `bytes`, `stride` bytes apart.
  void add(const std::byte* begin, int64_t stride, int64_t rows, int64_t bytes) {
    if (count_ == kMost || rows == 0 || bytes <= 0) return;
    // The end of a run that begins within a line may lie in one more.
    const bool aligned = ((reinterpret_cast<uintptr_t>(begin) | static_cast<uintptr_t>(stride)) & (kLine - 1)) == 0;
    ranges_[count_++] = {begin, stride, rows, aligned ? bytes : bytes + kLine - 1};
    if (rows > longest_) longest_ = rows;
  }

  /// What an epilogue walks through beside a part of C. Of neighbours in a row of parts, each asks for the lines that
  /// begin in it.
  template <class T>
  void add(const GemmEpilogue<T>& epilogue, int64_t row, int64_t col, int64_t rows, int64_t cols) {
    for (const GemmStream& stream : epilogue.streams) {
      const int64_t bytes = cols * stream.element_bytes;
      const std::byte* const begin = stream.begin + row * stream.row_bytes + col * stream.element_bytes;
      const int64_t before = -static_cast<int64_t>(reinterpret_cast<uintptr_t>(begin)) & (kLine - 1);
      const int64_t skipped = bytes < kLine ? before : 0;
      add(begin + skipped, stream.row_bytes, rows, bytes - skipped);
    }
  }

  /// To be called when all are known: how many of k multiply-adds go between two calls of make(); k if nothing is
  /// wanted.
  int64_t step_of(int64_t k) {
    if (count_ == 0) return k;
    const int64_t even = k / longest_ / 4 * 4, step = even < kLeastStep ? kLeastStep : even;
    at_once_ = (longest_ * step + k - 1) / k;
    return step;
  }
  void make() {
    for (Range* range = ranges_; range < ranges_ + count_; ++range) {
      for (int64_t i = 0; i < at_once_ && range->rows > 0; ++i, --range->rows, range->begin += range->stride) {
        for (int64_t at = 0; at < range->bytes; at += kLine) __builtin_prefetch(range->begin + at);
      }
    }
  }
  void make_all() {
    at_once_ = longest_;
    make();
  }

 private:
  static constexpr int64_t kLine = 64, kLeastStep = 16;
  static constexpr int kMost = 10;  // those of a panel, and of the streams of an epilogue
  struct Range {
    const std::byte* begin;
    int64_t stride, rows, bytes;
  };

  int count_ = 0;
  int64_t longest_ = 0, at_once_ = 0;  // rows
  Range ranges_[kMost];
};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
