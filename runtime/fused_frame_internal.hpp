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
  /// Writes those of streams, but not into the tail.
  void bind_streams();
  /// Writes one into the cells that use it, of both programs, the tail's only if it is no stream.
  void rebind(int place, const void* base);

  /// Bound: outputs that cannot be stored past the caches in this call are stored as usual.
  void choose_stores(const KernelCall& call);
  /// Before other threads are told that a chunk is done.
  void finish_stores() const {
    if (!program_.streaming.empty()) __builtin_ia32_sfence();
  }

  void run(int segment, int64_t begin, int64_t end) const {
    program_.kernels->run(cells_ + program_.segments[static_cast<size_t>(segment)], begin, end,
                          program_.kernels->block);
  }
  /// The same for `count` elements from `at` on, fewer than a block: copies them into blocks that stand in for the
  /// streams, runs there, and copies the results out.
  void load_tail(int64_t at, int64_t count) const;
  void run_tail(int segment, int64_t at) const;
  void store_tail(int64_t at, int64_t count) const;

  [[nodiscard]] FusedCell* cells() const { return cells_; }

 private:
  [[nodiscard]] std::pair<std::byte*, size_t> part(int place, int64_t at, int64_t count) const;
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
