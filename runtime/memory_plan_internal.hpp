// Which values may share memory: decided from the order that the task graph guarantees, whatever the threads do.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/runtime/plan_internal.hpp>

#include <cstdint>
#include <map>
#include <vector>

namespace gradloom::inline v0 {

/// The partial order in which nodes run: data dependencies, and whatever else must wait.
class NodeOrder {
 public:
  class Edges {
   public:
    void resize(size_t nodes) {
      after_.resize(nodes);
      before_.resize(nodes);
    }
    void add(int before, int after);
    /// Does `to` come after `from`, directly or not? True for a node itself.
    [[nodiscard]] bool reaches(int from, int to) const;

   private:
    friend class NodeOrder;
    std::vector<std::vector<int>> after_, before_;
  };

  explicit NodeOrder(Edges edges);

  /// All nodes, each after those it waits for.
  [[nodiscard]] const std::vector<int>& sequence() const { return sequence_; }
  [[nodiscard]] const std::vector<int>& before(int node) const { return edges_.before_[static_cast<size_t>(node)]; }
  /// How many nodes must come after it.
  [[nodiscard]] int64_t descendant_count(int node) const;
  /// Is it certain that `second` starts only after `first` has ended?
  [[nodiscard]] bool precedes(int first, int second) const {
    const size_t word = static_cast<size_t>(second) / 64;
    return (descendants_[static_cast<size_t>(first) * words_ + word] >> (second % 64) & 1) != 0;
  }
  /// From now on it is not; what comes after `second` still comes after both.
  void forget(int first, int second) {
    const size_t word = static_cast<size_t>(second) / 64;
    descendants_[static_cast<size_t>(first) * words_ + word] &= ~(uint64_t{1} << (second % 64));
  }
  [[nodiscard]] size_t words() const { return words_; }
  /// The set of nodes that come after `node`, as bits.
  [[nodiscard]] const uint64_t* descendants(int node) const {
    return &descendants_[static_cast<size_t>(node) * words_];
  }

 private:
  Edges edges_;
  std::vector<int> sequence_;
  size_t words_ = 0;
  std::vector<uint64_t> descendants_;
};

class JoinedChunks;

/// Lets outputs take over the buffer of an input that nobody reads later, where the kernel allows it. Merges storages:
/// `storage_of` then leads both values to one.
void share_in_place(const Graph& graph, const std::vector<KernelPlan>& kernels, const NodeOrder& order,
                    const JoinedChunks& joined, std::map<Value, int>& storage_of, std::vector<Storage>& storages);

/// Gives every arena storage an offset, so that two overlap only if one is certainly done with before the other begins.
/// Returns the size of the arena.
[[nodiscard]] size_t place_in_arena(const NodeOrder& order, std::vector<Storage>& storages);

}  // namespace gradloom::inline v0
