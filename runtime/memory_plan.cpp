#include <gradloom/runtime/joined_chunks_internal.hpp>
#include <gradloom/runtime/memory_plan_internal.hpp>
#include <gradloom/runtime/settle_internal.hpp>

#include <algorithm>
#include <bit>
#include <cassert>
#include <queue>
#include <utility>

namespace gradloom::inline v0 {

void NodeOrder::Edges::add(int before, int after) {
  assert(before != after);
  std::vector<int>& next = after_[static_cast<size_t>(before)];
  if (std::find(next.begin(), next.end(), after) != next.end()) return;
  next.push_back(after);
  before_[static_cast<size_t>(after)].push_back(before);
}

bool NodeOrder::Edges::reaches(int from, int to) const {
  std::vector<bool> seen(after_.size(), false);
  std::vector<int> stack = {from};
  while (!stack.empty()) {
    const int node = stack.back();
    stack.pop_back();
    if (node == to) return true;
    for (const int next : after_[static_cast<size_t>(node)]) {
      if (seen[static_cast<size_t>(next)]) continue;
      seen[static_cast<size_t>(next)] = true;
      stack.push_back(next);
    }
  }
  return false;
}

NodeOrder::NodeOrder(Edges edges) : edges_(std::move(edges)) {
  const size_t n = edges_.after_.size();
  std::vector<size_t> waiting(n);
  // Of the nodes that may run, the one made first: the user's order, which keeps forward values short-lived.
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (size_t node = 0; node < n; ++node) {
    waiting[node] = edges_.before_[node].size();
    if (waiting[node] == 0) ready.push(static_cast<int>(node));
  }
  while (!ready.empty()) {
    const int node = ready.top();
    ready.pop();
    sequence_.push_back(node);
    for (const int next : edges_.after_[static_cast<size_t>(node)]) {
      if (--waiting[static_cast<size_t>(next)] == 0) ready.push(next);
    }
  }
  assert(sequence_.size() == n && "the order has a cycle");

  words_ = (n + 63) / 64;
  descendants_.assign(n * words_, 0);
  for (size_t i = n; i-- > 0;) {
    const int node = sequence_[i];
    uint64_t* const mine = &descendants_[static_cast<size_t>(node) * words_];
    for (const int next : edges_.after_[static_cast<size_t>(node)]) {
      const uint64_t* const theirs = descendants(next);
      for (size_t word = 0; word < words_; ++word) mine[word] |= theirs[word];
      mine[static_cast<size_t>(next) / 64] |= uint64_t{1} << (next % 64);
    }
  }
}

int64_t NodeOrder::descendant_count(int node) const {
  int64_t count = 0;
  for (size_t word = 0; word < words_; ++word) count += std::popcount(descendants(node)[word]);
  return count;
}

void share_in_place(const Graph& graph, const std::vector<KernelPlan>& kernels, const NodeOrder& order,
                    const JoinedChunks& joined, std::map<Value, int>& storage_of, std::vector<Storage>& storages) {
  for (const int id : order.sequence()) {
    const Node& node = graph.node(id);
    for (const auto& [input, output] : kernels[static_cast<size_t>(id)].in_place) {
      if (kernels[static_cast<size_t>(id)].steps.empty()) continue;
      int& target = storage_of.at({id, output});
      const int source = storage_of.at(root_of(graph, node.inputs[static_cast<size_t>(input)]));
      Storage& from = storages[static_cast<size_t>(source)];
      Storage& to = storages[static_cast<size_t>(target)];
      if (source == target || from.kept || from.kind != Storage::Kind::arena || to.kind != Storage::Kind::arena)
        continue;
      if (from.bytes != to.bytes || to.writers.size() != 1) continue;
      const auto uses = std::count_if(node.inputs.begin(), node.inputs.end(), [&](const Value& value) {
        return storage_of.at(root_of(graph, value)) == source;
      });
      // In a chain of joined nodes, whoever reads but its share might read what another chunk has overwritten.
      const auto reads_share = [&](int reader) {
        const std::vector<Value>& inputs = graph.node(reader).inputs;
        for (size_t i = 0; i < inputs.size(); ++i) {
          if (storage_of.at(root_of(graph, inputs[i])) == source && !joined.reads_share(reader, static_cast<int>(i)))
            return false;
        }
        return true;
      };
      const auto over = [&](int other) {
        return other == id || order.precedes(other, id) ||
               (joined.leads_to(other, id) && reads_share(other) && reads_share(id));
      };
      if (uses != 1 || !std::all_of(from.readers.begin(), from.readers.end(), over) ||
          !std::all_of(from.writers.begin(), from.writers.end(), over)) {
        continue;
      }
      // Another output of this very node may have taken the buffer already; then this node is among its writers.
      if (std::find(from.writers.begin(), from.writers.end(), id) != from.writers.end()) continue;
      from.writers.push_back(id);
      from.kept = to.kept;
      from.readers.insert(from.readers.end(), to.readers.begin(), to.readers.end());
      to.writers.clear();
      to.readers.clear();
      to.bytes = 0;
      target = source;
    }
  }
}

size_t place_in_arena(const NodeOrder& order, std::vector<Storage>& storages) {
  constexpr size_t alignment = 64;
  std::vector<size_t> placed_order;
  for (size_t i = 0; i < storages.size(); ++i) {
    if (storages[i].kind == Storage::Kind::arena && storages[i].bytes > 0 && !storages[i].writers.empty()) {
      placed_order.push_back(i);
    }
  }
  std::stable_sort(placed_order.begin(), placed_order.end(),
                   [&](size_t a, size_t b) { return storages[a].bytes > storages[b].bytes; });

  // For each storage, the nodes that come after everybody who touches it.
  const size_t words = order.words();
  std::vector<std::vector<uint64_t>> free_after(storages.size());
  for (const size_t i : placed_order) {
    std::vector<uint64_t>& bits = free_after[i];
    bits.assign(words, storages[i].kept ? 0 : ~uint64_t{0});
    const auto restrict_to = [&](int node) {
      const uint64_t* const descendants = order.descendants(node);
      for (size_t word = 0; word < words; ++word) bits[word] &= descendants[word];
    };
    for (const int node : storages[i].writers) restrict_to(node);
    for (const int node : storages[i].readers) restrict_to(node);
  }
  const auto done_before = [&](size_t a, size_t b) {
    const int first_writer = storages[b].writers[0];
    return (free_after[a][static_cast<size_t>(first_writer) / 64] >> (first_writer % 64) & 1) != 0;
  };

  // Largest first, each at the lowest offset that is free whenever it lives.
  size_t end = 0;
  std::vector<size_t> placed;
  std::vector<std::pair<size_t, size_t>> occupied;
  for (const size_t i : placed_order) {
    occupied.clear();
    for (const size_t other : placed) {
      if (!done_before(i, other) && !done_before(other, i)) {
        occupied.emplace_back(storages[other].address.offset, storages[other].address.offset + storages[other].bytes);
      }
    }
    std::sort(occupied.begin(), occupied.end());
    size_t offset = 0;
    for (const auto& [begin, finish] : occupied) {
      if (offset + storages[i].bytes <= begin) break;
      offset = std::max(offset, (finish + alignment - 1) / alignment * alignment);
    }
    storages[i].address = {0, offset};
    end = std::max(end, offset + storages[i].bytes);
    placed.push_back(i);
  }
  return (end + alignment - 1) / alignment * alignment;
}

}  // namespace gradloom::inline v0
