// Nodes that run chunk by chunk with the node before them, where a chunk reads exactly what one chunk of that makes.
#pragma once

#include <gradloom/ops/kernel.hpp>
#include <gradloom/runtime/memory_plan_internal.hpp>

#include <functional>
#include <vector>

namespace gradloom::inline v0 {

/// Chains of nodes: chunk i of one follows chunk i of the one before at once, and waits for no other.
class JoinedChunks {
 public:
  /// Joins what may be joined. A node joins a chain only if all else that it waits for ends before the chain begins,
  /// and of the chain's results its first step reads, chunk by chunk, the shares that their chunks make. `may_join`
  /// says which nodes may at all.
  JoinedChunks(const Graph& graph, const std::vector<KernelPlan>& kernels, const NodeOrder& order,
               const std::function<bool(int)>& may_join);

  /// The node whose first step goes on where a chunk of `node`, which has a single step, ends; -1: none.
  [[nodiscard]] int next(int node) const { return next_[static_cast<size_t>(node)]; }
  [[nodiscard]] bool follows(int node) const { return head(node) != node; }
  /// Does `later` come after `earlier` in a chain?
  [[nodiscard]] bool leads_to(int earlier, int later) const {
    while (earlier >= 0 && earlier != later) earlier = next(earlier);
    return earlier == later;
  }
  /// Does a chunk of `node` read only its share of an input?
  [[nodiscard]] bool reads_share(int node, int input) const {
    return kernels_[static_cast<size_t>(node)].steps.front().share.has_input(input);
  }
  /// Takes back from the order what the chains no longer keep: that one node of a chain ends before the next begins.
  void loosen(NodeOrder& order) const;

 private:
  [[nodiscard]] int head(int node) const { return head_[static_cast<size_t>(node)]; }
  [[nodiscard]] bool matches(int node, int producer) const;
  [[nodiscard]] bool fits(int node, int tail) const;

  const Graph& graph_;
  const std::vector<KernelPlan>& kernels_;
  const NodeOrder& order_;
  std::vector<int> next_, head_, tail_;  // tail_: of the chain that a head begins
};

}  // namespace gradloom::inline v0
