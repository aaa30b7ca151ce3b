// prune: what nobody reads is taken out of scans: outputs, carried values that only they needed, operands. A scan is
// built with an output for everything that a gradient might want of its steps; this leaves what one did want.
#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/ops/scan_internal.hpp>
#include <gradloom/runtime/bodies_internal.hpp>
#include <gradloom/runtime/passes_internal.hpp>

#include <set>

namespace gradloom::inline v0 {

namespace {

class Pruner final : public Rewriter {
 public:
  explicit Pruner(const Module& from) : Rewriter(from) {
    const std::vector<bool> needed = needed_nodes(from);
    for (int id = 0; id < from.graph.node_count(); ++id) {
      if (!needed[static_cast<size_t>(id)]) continue;
      const Node& node = from.graph.node(id);
      used_.insert(node.inputs.begin(), node.inputs.end());
    }
    const auto use = [&](const Tensor& tensor) { used_.insert({tensor.node_id(), tensor.output()}); };
    for (const Tensor& output : from.outputs) use(output);
    for (const Update& update : from.updates) use(update.value);
  }

  [[nodiscard]] bool changed() const { return changed_; }

 protected:
  std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs) override {
    if (!is_scan(node)) return Rewriter::rewrite(node, inputs);
    const ScanForm form(node);
    const std::vector<bool> live = live_outputs(node, form);
    const std::vector<Tensor> body_inputs = form.body->graph.inputs();

    ScanForm pruned;
    std::vector<Tensor> wanted, operands;
    std::vector<int> place(live.size(), -1);  // of an output, among those that stay
    for (size_t i = 0; i < live.size(); ++i) {
      if (!live[i]) continue;
      place[i] = static_cast<int>(wanted.size());
      wanted.push_back(form.body->outputs[i]);
    }
    const std::vector<bool> read = needed_nodes(form.body->graph, wanted);
    for (int i = 0; i < form.operands(); ++i) {
      const Tensor& input = body_inputs[static_cast<size_t>(i)];
      const bool stays = i < form.carried ? live[static_cast<size_t>(i)] : read[static_cast<size_t>(input.node_id())];
      if (!stays) continue;
      operands.push_back(inputs[static_cast<size_t>(i)]);
      ++(i < form.carried ? pruned.carried : form.is_sequence(i) ? pruned.sequences : pruned.constants);
      wanted.push_back(input);  // a carried value may be live without being read
    }
    const size_t outputs = wanted.size() - operands.size();
    if (outputs == live.size() && operands.size() == inputs.size()) return Rewriter::rewrite(node, inputs);
    changed_ = true;

    Module rest = Rewriter(form.body->graph, wanted, {}).run();
    auto body = std::make_shared<Subgraph>();
    body->graph = std::move(rest.graph);
    body->outputs.assign(rest.outputs.begin(), rest.outputs.begin() + static_cast<std::ptrdiff_t>(outputs));
    pruned.body = body;
    pruned.reverse = form.reverse;
    pruned.length = form.length;
    const std::vector<Tensor> made = copy(node, operands, pruned.attributes());
    std::vector<Tensor> results(live.size());
    for (size_t i = 0; i < live.size(); ++i) {
      if (live[i]) results[i] = made[static_cast<size_t>(place[i])];
    }
    return results;
  }

 private:
  /// The outputs that are read, and the carried values that these depend on, over any number of steps.
  std::vector<bool> live_outputs(const Node& node, const ScanForm& form) const {
    const Subgraph& body = *form.body;
    const std::vector<Tensor> inputs = body.graph.inputs();
    std::vector<bool> live;
    for (int i = 0; i < node.output_count(); ++i) live.push_back(used_.contains({node.id, i}));
    for (bool grows = true; grows;) {
      grows = false;
      std::vector<Tensor> wanted;
      for (size_t i = 0; i < live.size(); ++i) {
        if (live[i]) wanted.push_back(body.outputs[i]);
      }
      const std::vector<bool> read = needed_nodes(body.graph, wanted);
      for (size_t i = 0; i < static_cast<size_t>(form.carried); ++i) {
        if (live[i] || !read[static_cast<size_t>(inputs[i].node_id())]) continue;
        live[i] = grows = true;
      }
    }
    return live;
  }

  std::set<Value> used_;
  bool changed_ = false;
};

}  // namespace

Module prune(const Module& module) {
  Pruner first(module);
  Module result = first.run();
  // What one scan no longer reads, another need not write.
  for (bool changed = first.changed(); changed;) {
    Pruner next(result);
    result = next.run();
    changed = next.changed();
  }
  return runs_bodies(result.graph) ? in_bodies(result, prune) : std::move(result);
}

}  // namespace gradloom::inline v0
