#include <gradloom/ops/kernel.hpp>
#include <gradloom/runtime/leaf_tree_internal.hpp>

#include <algorithm>
#include <map>

namespace gradloom::inline v0 {

int64_t LeafTree::merges_after(int64_t leaf, int64_t first) {
  int64_t merges = 0;
  for (int64_t size = 2; (leaf + 1) % size == 0 && leaf + 1 - size >= first; size *= 2) ++merges;
  return merges;
}

LeafTree::LeafTree(int64_t leaves, int64_t chunks) {
  std::map<int64_t, int64_t> waiting;  // by the first leaf of what a chunk leaves behind: its slot
  int64_t slot = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t first = chunk_begin(leaves, chunks, chunk), last = chunk_begin(leaves, chunks, chunk + 1);
    std::vector<int64_t> stack;  // first leaves
    size_t most = 0;
    for (int64_t leaf = first; leaf < last; ++leaf) {
      stack.push_back(leaf);
      most = std::max(most, stack.size());
      stack.resize(stack.size() - static_cast<size_t>(merges_after(leaf, first)));
    }
    first_slot_.push_back(slot);
    for (size_t i = 0; i < stack.size(); ++i) waiting.emplace(stack[i], slot + static_cast<int64_t>(i));
    slot += static_cast<int64_t>(most);
  }
  first_slot_.push_back(slot);
  for (int64_t step = 1; step < leaves; step *= 2) {
    for (auto right = waiting.begin(); right != waiting.end();) {
      if (right->first % (2 * step) != step) {
        ++right;
        continue;
      }
      merges_.push_back({waiting.at(right->first - step), right->second});
      right = waiting.erase(right);
    }
  }
}

}  // namespace gradloom::inline v0
