// fuse: each group of nodes becomes a region, or stays what it was if it is a single node.
#include <gradloom/runtime/bodies_internal.hpp>
#include <gradloom/runtime/fusion_groups_internal.hpp>
#include <gradloom/runtime/passes_internal.hpp>
#include <gradloom/runtime/region_internal.hpp>

#include <algorithm>
#include <cassert>
#include <map>
#include <set>
#include <utility>

namespace gradloom::inline v0 {

namespace {

class Fusion {
 public:
  explicit Fusion(const Module& module) : module_(module), graph_(module.graph), groups_(module) {}

  Module run() {
    // Groups in topological order, of the ready ones the one that ends first.
    std::map<int, std::set<int>> before;  // group -> groups it needs
    std::map<int, std::set<int>> after;
    for (int id = 0; id < graph_.node_count(); ++id) {
      if (!groups_.needed(id)) continue;
      const int group = groups_.group_of(id);
      before[group];
      for (const Value& value : graph_.node(id).inputs) {
        const int other = groups_.group_of(groups_.producer_of(id, value));
        if (other == group) continue;
        before[group].insert(other);
        after[other].insert(group);
      }
    }
    std::set<std::pair<int, int>> ready;  // (last member, group)
    for (const auto& [group, needs] : before) {
      if (needs.empty()) ready.insert({groups_.members(group).back(), group});
    }
    while (!ready.empty()) {
      const int group = ready.begin()->second;
      ready.erase(ready.begin());
      emit_group(group);
      for (const int next : after[group]) {
        before[next].erase(group);
        if (before[next].empty()) ready.insert({groups_.members(next).back(), next});
      }
    }
    assert(std::all_of(before.begin(), before.end(), [](const auto& group) { return group.second.empty(); }) &&
           "the groups form a circle");
    for (const Tensor& output : module_.outputs) result_.outputs.push_back(moved({output.node_id(), output.output()}));
    for (const Update& update : module_.updates) {
      result_.updates.push_back(
          {moved({update.parameter.node_id(), 0}), moved({update.value.node_id(), update.value.output()})});
    }
    return std::move(result_);
  }

 private:
  Tensor moved(Value value) {
    // A broadcast that only regions read has not been emitted; whoever else reads it makes it now.
    const auto made = made_.find(value);
    if (made != made_.end()) return made->second;
    const Node& node = graph_.node(value.node);
    const Tensor input[] = {moved(node.inputs[0])};
    return made_[value] = result_.graph.add_copy(node, input, node.attributes);
  }

  void emit_group(int group) {
    const std::vector<int>& members = groups_.members(group);
    const Node& first = graph_.node(members[0]);
    if (groups_.is_broadcast(first.id)) return;  // made on demand
    const bool reads_broadcast = std::any_of(first.inputs.begin(), first.inputs.end(),
                                             [&](const Value& value) { return groups_.absorbs(first.id, value.node); });
    if (members.size() == 1 && !reads_broadcast) {
      std::vector<Tensor> inputs;
      for (const Value& value : first.inputs) inputs.push_back(moved(value));
      const Tensor made = result_.graph.add_copy(first, inputs, first.attributes);
      for (int i = 0; i < first.output_count(); ++i) made_[{first.id, i}] = result_.graph.tensor(made.node_id(), i);
      return;
    }
    emit_region(members);
  }

  void emit_region(const std::vector<int>& members) {
    auto body = std::make_shared<Subgraph>();
    const int group = groups_.group_of(members[0]);
    std::vector<Tensor> operands;
    std::map<Value, Tensor> inside;
    const auto operand = [&](Value value) {
      if (const auto known = inside.find(value); known != inside.end()) return known->second;
      const Tensor outer = moved(value);
      operands.push_back(outer);
      return inside[value] = body->graph.input(std::to_string(operands.size() - 1), outer.shape(), outer.dtype(),
                                               graph_.node(value.node).location);
    };
    std::vector<Value> exported;
    for (const int id : members) {
      const Node& node = graph_.node(id);
      std::vector<Tensor> inputs;
      for (const Value& value : node.inputs) {
        if (groups_.absorbs(id, value.node) && !inside.contains(value)) {
          const Node& broadcast = graph_.node(value.node);
          const Tensor source[] = {operand(broadcast.inputs[0])};
          inside[value] = body->graph.add_copy(broadcast, source, broadcast.attributes);
        }
        inputs.push_back(operand(value));
      }
      inside[{id, 0}] = body->graph.add_copy(node, inputs, node.attributes);
      if (leaves(id, group)) {
        exported.push_back({id, 0});
        body->outputs.push_back(inside[{id, 0}]);
      }
    }
    Node region = graph_.node(members.back());  // its line and path speak for the region
    region.op = &region_def;
    region.name.clear();
    const Tensor made =
        result_.graph.add_copy(region, operands, {{"body", std::shared_ptr<const Subgraph>(std::move(body))}});
    for (size_t i = 0; i < exported.size(); ++i)
      made_[exported[i]] = result_.graph.tensor(made.node_id(), static_cast<int>(i));
  }

  // Is the value of a region's node read outside of it?
  bool leaves(int id, int group) const {
    const std::vector<int>& users = groups_.users(id);
    return groups_.is_result(id) ||
           std::any_of(users.begin(), users.end(), [&](int user) { return groups_.group_of(user) != group; });
  }

  const Module& module_;
  const Graph& graph_;
  const FusionGroups groups_;
  Module result_;
  std::map<Value, Tensor> made_;
};

}  // namespace

Module fuse(const Module& module) {
  return everywhere(module, [](const Module& m) { return Fusion(m).run(); });
}

}  // namespace gradloom::inline v0
