// Partial sums that chunks combine themselves: the tree is the same however the leaves are cut.
#include <gradloom/ops/kernel.hpp>
#include <gradloom/runtime/leaf_tree_internal.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace gradloom;

namespace {

std::string paired(const std::string& left, const std::string& right) { return "(" + left + " " + right + ")"; }

/// Pairs, pairs of pairs, and so on; what has no partner waits.
std::string tree(int64_t leaves) {
  std::vector<std::string> level;
  for (int64_t leaf = 0; leaf < leaves; ++leaf) level.push_back(std::to_string(leaf));
  while (level.size() > 1) {
    std::vector<std::string> next;
    for (size_t i = 0; i + 1 < level.size(); i += 2) next.push_back(paired(level[i], level[i + 1]));
    if (level.size() % 2 != 0) next.push_back(level.back());
    level = next;
  }
  return level.front();
}

std::string by_chunks(int64_t leaves, int64_t chunks) {
  const LeafTree plan(leaves, chunks);
  std::vector<std::string> slots(static_cast<size_t>(plan.slots()));
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t first = chunk_begin(leaves, chunks, chunk), end = chunk_begin(leaves, chunks, chunk + 1);
    int64_t next = plan.first_slot(chunk);
    for (int64_t leaf = first; leaf < end; ++leaf) {
      BOOST_REQUIRE_LT(next, plan.first_slot(chunk + 1));  // no chunk touches another's
      slots[static_cast<size_t>(next++)] = std::to_string(leaf);
      for (int64_t merges = LeafTree::merges_after(leaf, first); merges > 0; --merges) {
        --next;
        std::string& left = slots[static_cast<size_t>(next - 1)];
        left = paired(left, slots[static_cast<size_t>(next)]);
      }
    }
  }
  for (const auto& [into, from] : plan.merges()) {
    std::string& left = slots[static_cast<size_t>(into)];
    left = paired(left, slots[static_cast<size_t>(from)]);
  }
  return slots.front();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_leaf_tree)

BOOST_AUTO_TEST_CASE(any_cut) {
  for (int64_t leaves = 1; leaves <= 40; ++leaves) {
    for (int64_t chunks = 1; chunks <= leaves; ++chunks)
      BOOST_TEST(by_chunks(leaves, chunks) == tree(leaves), leaves << " leaves in " << chunks << " chunks");
  }
}

BOOST_AUTO_TEST_CASE(few_slots) {
  // A stack grows with the logarithm of its chunk's leaves.
  BOOST_TEST(LeafTree(1 << 16, 1).slots() == 17);
  BOOST_TEST(LeafTree(1 << 16, 16).slots() == 16 * 13);
  BOOST_TEST(LeafTree(1 << 16, 16).merges().size() == 15);
}

BOOST_AUTO_TEST_SUITE_END()
