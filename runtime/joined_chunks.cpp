#include <gradloom/runtime/joined_chunks_internal.hpp>
#include <gradloom/runtime/settle_internal.hpp>

#include <algorithm>
#include <numeric>

namespace gradloom::inline v0 {

namespace {

/// Where a chunk of a step begins in a tensor of so many elements; -1: within one.
int64_t begin_of(const KernelStep& step, int64_t chunk, int64_t elements) {
  const int64_t common = std::gcd(elements, step.share.elements);  // keeps the product small
  const int64_t at = step.share.begin(step.chunks, chunk) * (elements / common), whole = step.share.elements / common;
  return at % whole == 0 ? at / whole : -1;
}

/// Do two steps cut a tensor of so many elements at the same places?
bool same_shares(const KernelStep& a, const KernelStep& b, int64_t elements) {
  if (a.chunks != b.chunks || a.share.elements == 0 || b.share.elements == 0) return false;
  for (int64_t chunk = 1; chunk < a.chunks; ++chunk) {
    const int64_t at = begin_of(a, chunk, elements);
    if (at < 0 || at != begin_of(b, chunk, elements)) return false;
  }
  return true;
}

}  // namespace

JoinedChunks::JoinedChunks(const Graph& graph, const std::vector<KernelPlan>& kernels, const NodeOrder& order,
                           const std::function<bool(int)>& may_join)
    : graph_(graph), kernels_(kernels), order_(order), next_(kernels.size(), -1), head_(kernels.size()) {
  std::iota(head_.begin(), head_.end(), 0);
  tail_ = head_;
  for (const int node : order.sequence()) {
    const std::vector<KernelStep>& steps = kernels[static_cast<size_t>(node)].steps;
    // A single chunk goes on with what it made ready anyhow.
    if (steps.empty() || steps.front().chunks < 2 || steps.front().share.elements == 0 || !may_join(node)) continue;
    for (const Value& input : graph.node(node).inputs) {
      const int producer = root_of(graph, input).node;
      if (kernels[static_cast<size_t>(producer)].steps.empty() || !may_join(producer)) continue;
      const int tail = tail_[static_cast<size_t>(head(producer))];
      if (!fits(node, tail)) continue;
      next_[static_cast<size_t>(tail)] = node;
      head_[static_cast<size_t>(node)] = head(producer);
      tail_[static_cast<size_t>(head(producer))] = node;
      break;
    }
  }
}

// May a node follow the last one of a chain?
bool JoinedChunks::fits(int node, int tail) const {
  const int first = head(tail);
  if (kernels_[static_cast<size_t>(tail)].steps.size() > 1) return false;  // it goes on after its chunks
  if (kernels_[static_cast<size_t>(node)].steps.front().chunks !=
      kernels_[static_cast<size_t>(tail)].steps.front().chunks)
    return false;
  for (const int before : order_.before(node)) {
    if (head(before) == first ? !matches(node, before) : !order_.precedes(before, first)) return false;
  }
  return true;
}

// Of all that a node reads of a producer's results, does it read the shares that its chunks make?
bool JoinedChunks::matches(int node, int producer) const {
  const std::vector<Value>& inputs = graph_.node(node).inputs;
  const KernelStep& made = kernels_[static_cast<size_t>(producer)].steps.front();
  const KernelStep& read = kernels_[static_cast<size_t>(node)].steps.front();
  bool any = false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value value = root_of(graph_, inputs[i]);
    if (value.node != producer) continue;
    any = true;
    const TensorType& type = graph_.node(producer).outputs[static_cast<size_t>(value.output)];
    const int64_t elements = type.shape.element_count().value();
    if (!read.share.has_input(static_cast<int>(i)) || !same_shares(made, read, elements)) return false;
  }
  return any;  // else it waits for another reason, which is not for chunks
}

void JoinedChunks::loosen(NodeOrder& order) const {
  for (size_t first = 0; first < next_.size(); ++first) {
    for (int later = next_[first]; later >= 0; later = next(later)) order.forget(static_cast<int>(first), later);
  }
}

}  // namespace gradloom::inline v0
