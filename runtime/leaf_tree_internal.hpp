// Which partial sums are combined with which, where chunks combine what they can themselves.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace gradloom::inline v0 {

/// The tree of a sum over leaves: neighbours are combined in pairs, these again, and what has no partner waits. Leaves
/// are cut into chunks, each of which combines pairs that it has both of as soon as they are there, so that no more
/// than a few partial sums wait at a time: as in a binary counter, on a stack of slots. Pairs across chunks come last.
class LeafTree {
 public:
  /// What is in slot `from` goes to what is in slot `into`, which is to the left of it.
  struct Merge {
    int64_t into, from;
  };

  LeafTree() = default;
  /// Chunks as chunk_begin() cuts them; 1 <= chunks <= leaves.
  LeafTree(int64_t leaves, int64_t chunks);

  /// Slots of all chunks.
  [[nodiscard]] int64_t slots() const { return first_slot_.empty() ? 0 : first_slot_.back(); }
  /// Where the stack of a chunk begins.
  [[nodiscard]] int64_t first_slot(int64_t chunk) const { return first_slot_[static_cast<size_t>(chunk)]; }
  /// How often the two partial sums on top of the stack become one when `leaf` of a chunk that begins with leaf `first`
  /// is there.
  [[nodiscard]] static int64_t merges_after(int64_t leaf, int64_t first);
  /// What is left to do when all chunks are done, in this order; the sum is in slot 0 then.
  [[nodiscard]] const std::vector<Merge>& merges() const { return merges_; }

 private:
  std::vector<int64_t> first_slot_;  // by chunk, and the end
  std::vector<Merge> merges_;
};

}  // namespace gradloom::inline v0
