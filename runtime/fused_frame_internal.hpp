// One worker's copy of a fused program, bound to memory: lives in the kernel's scratch.
#pragma once

#include <gradloom/ops/kernel.hpp>
#include <gradloom/runtime/fused_builder_internal.hpp>

#include <cstring>
#include <utility>

namespace gradloom::inline v0 {

/// Parts of scratch and of shared memory begin at cache lines.
[[nodiscard]] constexpr size_t cache_aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

/// Where the parts of a frame are in a worker's scratch.
struct FusedFrameLayout {
  size_t cells = 0, tail = 0, bases = 0, blocks = 0, end = 0;

  explicit FusedFrameLayout(const FusedProgram& program);
};

class FusedFrame {
 public:
  /// Which forms of the program will run: a small tensor is all tail, and most chunks have none.
  struct Parts {
    bool whole = true, tail = false;
  };

  /// Copies the program into scratch, with the blocks in place.
  FusedFrame(const FusedProgram& program, const FusedFrameLayout& layout, void* scratch, Parts parts);

  /// Where a place that is no block begins. For streams and buffers: where element 0 of the iteration space would be.
  void set(int place, const void* base) { bases_[place] = const_cast<void*>(base); }
  [[nodiscard]] const void* base(int place) const { return bases_[place]; }
  [[nodiscard]] std::byte* block(int place) const { return blocks_ + program_.place(place).offset; }

  /// Writes all addresses into the cells.
  void bind();
  /// Writes one, of no stream, into the cells that use it.
  void rebind(int place, const void* base);

  /// Bound: outputs that cannot be stored past the caches in this call are stored as usual.
  void choose_stores(const KernelCall& call);
  /// Before other threads are told that a chunk is done.
  void finish_stores() const {
    if (!program_.streaming.empty()) __builtin_ia32_sfence();
  }

  void run(int segment, int64_t begin, int64_t end) const {
    program_.kernels->run(cells_ + program_.segments[static_cast<size_t>(segment)].begin, begin, end,
                          program_.kernels->block);
  }
  /// A segment that goes along nothing.
  void run_once(int segment) const {
    const FusedCell* const cells = parts_.whole ? cells_ : tail_;
    program_.kernels->run(cells + program_.segments[static_cast<size_t>(segment)].begin, 0, 1, 1);
  }
  /// The same for `count` elements from `at` on, fewer than a block: copies what the segment reads into blocks that
  /// stand in for the streams, runs there, and copies the results out. Element 0 of a stream is `shift(place)` bytes
  /// behind its base.
  template <class Shift>
  void run_tail(int segment, int64_t at, int64_t count, Shift shift) const {
    const FusedSegment& streams = program_.segments[static_cast<size_t>(segment)];
    const auto memory = [&](int place) {
      return static_cast<std::byte*>(bases_[place]) + shift(place) +
             static_cast<size_t>(at) * program_.place(place).element_size;
    };
    for (const int place : streams.reads)
      program_.kernels->fill_block(memory(place), count, stand_in(place), program_.place(place).element_size);
    for (const int cell : program_.tail_counts) tail_[cell].stride = count;
    program_.kernels->run(tail_ + streams.begin, at, at + 1, 1);
    for (const int place : streams.writes)
      std::memcpy(memory(place), stand_in(place), static_cast<size_t>(count) * program_.place(place).element_size);
  }

  /// A cell's operand, in both programs.
  void point(int cell, void* base) const {
    if (parts_.whole) cells_[cell].base = base;
    if (parts_.tail) tail_[cell].base = base;
  }
  /// That of a stream, for which a block stands in in the tail.
  void point_stream(int cell, void* base) const { cells_[cell].base = base; }

  [[nodiscard]] FusedCell* cells() const { return cells_; }

 private:
  [[nodiscard]] std::byte* stand_in(int place) const {
    return blocks_ + program_.tail_offsets[static_cast<size_t>(place)];
  }

  const FusedProgram& program_;
  const Parts parts_;
  FusedCell* cells_;
  FusedCell* tail_;
  void** bases_;
  std::byte* blocks_;
};

}  // namespace gradloom::inline v0
