// In which order the nodes of a segment run: whoever reads what is in the registers goes on from there.
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/runtime/fused_builder_internal.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace gradloom::inline v0 {

void FusedBuilder::add_segment(std::span<const int> nodes, std::span<const std::pair<int, int>> stores,
                               std::span<const FusedReduction> reductions, std::span<const FusedFetch> fetches) {
  program_.segments.push_back({.begin = static_cast<int>(program_.cells.size()), .reads = {}, .writes = {}});
  std::fill(uses_left_.begin(), uses_left_.end(), 0);
  for (const int id : nodes) {
    for (const Value& value : body_.node(id).inputs) ++uses_left_[static_cast<size_t>(value.node)];
  }
  stores_.clear();
  made_.assign(homes_.size(), true);
  for (const int id : nodes) made_[static_cast<size_t>(id)] = false;
  for (const auto& [node, place] : stores) stores_[node].push_back(place);
  for (const FusedReduction& reduction : reductions) ++uses_left_[static_cast<size_t>(reduction.value)];
  for (const FusedFetch& fetch : fetches) fetches_[fetch.place] = fetch.ahead;
  in_registers_ = none;

  waiting_.assign(nodes.begin(), nodes.end());
  reducing_.assign(reductions.begin(), reductions.end());
  while (!waiting_.empty() || !reducing_.empty()) {
    // What is in the registers is reduced first, which leaves them as they are; then whoever goes on from there; else
    // the first that can.
    if (reduce_registers() || go_on() || go_on_with_product()) continue;
    if (waiting_.empty()) {
      load(reducing_.front().value);
    } else {
      start_anew();
    }
  }
  // Inputs that are results themselves.
  for (const auto& [node, places] : stores_) {
    if (std::find(nodes.begin(), nodes.end(), node) != nodes.end()) continue;
    load(node);
    for (const int place : places) store_registers(place, program_.place(place).kind == FusedPlace::Kind::block);
  }
  // Streams that no cell loads: handlers that read an operand do not ask ahead. This reads nothing.
  while (!fetches_.empty()) {
    const int place = fetches_.begin()->first;
    program_.uses.push_back({static_cast<int>(program_.cells.size()), place});
    emit(program_.kernels->step(FusedStep::fetch)).moves = -1;
    ask_ahead(place);
  }
  emit(program_.kernels->step(FusedStep::end));
  // Spilled values end with the segment.
  for (const int id : nodes) {
    if (!stores_.contains(id)) home(id) = {};
  }
  for (const int place : segment_blocks_) {
    if (std::find(free_blocks_.begin(), free_blocks_.end(), place) == free_blocks_.end()) free_blocks_.push_back(place);
    for (Home& h : homes_) {
      if (h.lanes == place) h.lanes = none;
      if (h.natural == place) h.natural = none;
    }
  }
  segment_blocks_.clear();
}

bool FusedBuilder::is_ready(const Node& node) const {
  return std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](const Value& value) { return made_[static_cast<size_t>(source_of(value.node))]; });
}

bool FusedBuilder::reads(const Node& node, int value) {
  return std::any_of(node.inputs.begin(), node.inputs.end(), [&](const Value& input) { return input.node == value; });
}

bool FusedBuilder::reduce_registers() {
  const auto reduction = std::find_if(reducing_.begin(), reducing_.end(),
                                      [&](const FusedReduction& r) { return r.value == in_registers_; });
  if (reduction == reducing_.end()) return false;
  // A value that several nodes still read will be spilled: at once, so that the handler that made it does it.
  const auto readers =
      std::count_if(waiting_.begin(), waiting_.end(), [&](int id) { return reads(body_.node(id), in_registers_); });
  if (readers > 1 && home(reduction->value).lanes == none) make_lanes(reduction->value);
  if (program_.place(reduction->place).kind == FusedPlace::Kind::block) {
    reduces_.push_back({static_cast<int>(program_.cells.size()), reduction->reduce});
    emit(program_.kernels->reduce(reduction->reduce, false, FusedAlong::nothing), reduction->place, true);
  } else {
    assert(reduction->reduce == FusedReduce::sum);
    emit_step(FusedStep::add_to, reduction->place);
  }
  consume(reduction->value);
  reducing_.erase(reduction);
  return true;
}

bool FusedBuilder::go_on() {
  if (in_registers_ == none) return false;
  const auto next = std::find_if(waiting_.begin(), waiting_.end(), [&](int id) {
    const Node& node = body_.node(id);
    return is_ready(node) && reads(node, in_registers_) && runs_in_registers(node);
  });
  if (next == waiting_.end()) return false;
  emit_waiting(next);
  return true;
}

// With a node that wants a product besides what is in the registers, if nobody else does and its factors are in memory.
bool FusedBuilder::go_on_with_product() {
  if (in_registers_ == none) return false;
  for (const int id : waiting_) {
    const Node& node = body_.node(id);
    if (node.inputs.size() != 2 || node.outputs[0].dtype != lane_ || !reads(node, in_registers_)) continue;
    const bool first = node.inputs[0].node == in_registers_;
    const int other = node.inputs[first ? 1 : 0].node;
    FusedWithProduct step = FusedWithProduct::add;
    if (node.op == &sub_def) {
      step = first ? FusedWithProduct::subtract : FusedWithProduct::subtract_from;
    } else if (node.op == &mul_def) {
      step = FusedWithProduct::multiply;
    } else if (node.op != &add_def) {
      continue;
    }
    const Node& product = body_.node(other);
    const bool waits = std::find(waiting_.begin(), waiting_.end(), other) != waiting_.end();
    if (!waits || product.op != &mul_def || uses_left_[static_cast<size_t>(other)] != 1 || stores_.contains(other) ||
        !is_ready(product))
      continue;
    const auto in_memory = [&](int value) { return value != in_registers_ && home(value).lanes != none; };
    int a = product.inputs[0].node, b = product.inputs[1].node;
    if (a == b || !in_memory(a) || !in_memory(b)) continue;
    if (program_.place(home(a).lanes).uniform) std::swap(a, b);
    if (program_.place(home(a).lanes).uniform) continue;
    emit_with_product(node, product, step, a, b);
    return true;
  }
  return false;
}

void FusedBuilder::start_anew() {
  const auto next = std::find_if(waiting_.begin(), waiting_.end(), [&](int id) { return is_ready(body_.node(id)); });
  assert(next != waiting_.end());
  // What it loads is reduced before it is overwritten, or it would be loaded again for that.
  const Node& node = body_.node(*next);
  const auto loaded = std::find_if(reducing_.begin(), reducing_.end(), [&](const FusedReduction& r) {
    return home(r.value).lanes != none && reads(node, r.value);
  });
  if (loaded != reducing_.end() && runs_in_registers(node)) {
    load(loaded->value);
  } else {
    emit_waiting(next);
  }
}

void FusedBuilder::emit_waiting(std::vector<int>::iterator node) {
  const int id = *node;
  waiting_.erase(node);
  emit_node(body_.node(id));
  made_[static_cast<size_t>(id)] = true;
}

// The node whose value it is: broadcasts and aliases have none of their own.
int FusedBuilder::source_of(int node) const {
  const Node* source = &body_.node(node);
  while (!source->inputs.empty() && source->op->pointwise == nullptr && source->op->fused_reduce < 0)
    source = &body_.node(source->inputs[0].node);
  return source->id;
}

}  // namespace gradloom::inline v0
