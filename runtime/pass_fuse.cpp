// fuse: pointwise nodes that share an iteration space become one region, with the product they follow and the sums
// over its rows, with sums over short rows, or with reductions of their rows and what is computed from those.
//
// Groups grow from consumers to producers, so that a node joins the code that needs its result: what only the backward
// pass needs is computed there, from values that exist anyway, and is never stored. Two groups are merged unless some
// path leads from one to the other through a third, which would close a circle.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/fusible_product_internal.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/bodies_internal.hpp>
#include <gradloom/runtime/passes_internal.hpp>
#include <gradloom/runtime/region_internal.hpp>

#include <algorithm>
#include <cassert>
#include <map>
#include <queue>
#include <set>
#include <utility>

namespace gradloom::inline v0 {

namespace {

constexpr size_t most_nodes = 64;  // of a region: bounds its scratch and the work lost if a chunk is late

class Fusion {
 public:
  explicit Fusion(const Module& module) : module_(module), graph_(module.graph), needed_(needed_nodes(module)) {
    const size_t n = needed_.size();
    group_.resize(n);
    members_.resize(n);
    users_.resize(n);
    for (int id = 0; id < graph_.node_count(); ++id) {
      group_[static_cast<size_t>(id)] = id;
      if (!needed_[static_cast<size_t>(id)]) continue;
      members_[static_cast<size_t>(id)] = {id};
      for (const Value& value : graph_.node(id).inputs) {
        const int producer = absorbs(id, value.node) ? graph_.node(value.node).inputs[0].node : value.node;
        std::vector<int>& users = users_[static_cast<size_t>(producer)];
        if (users.empty() || users.back() != id) users.push_back(id);
      }
    }
  }

  Module run() {
    for (int id = graph_.node_count() - 1; id >= 0; --id) {
      if (!needed_[static_cast<size_t>(id)] || !(is_pointwise(id) || is_product(id))) continue;
      for (const int user : users_[static_cast<size_t>(id)]) {
        const int mine = group_[static_cast<size_t>(id)], theirs = group_[static_cast<size_t>(user)];
        if (mine != theirs && is_pointwise(user) && same_space(id, user) && may_merge(mine, theirs))
          merge(mine, theirs);
      }
    }
    for (int id = 0; id < graph_.node_count(); ++id) {
      if (!needed_[static_cast<size_t>(id)] || !is_column_sum(id)) continue;
      join_product(id);
      join_short_rows(id);
    }
    for (int id = 0; id < graph_.node_count(); ++id) {
      if (needed_[static_cast<size_t>(id)] && graph_.node(id).op->fused_reduce >= 0) fuse_rows(id);
    }
    return emit();
  }

 private:
  bool is_pointwise(int id) const { return graph_.node(id).op->pointwise != nullptr; }
  const TensorType& type_of(const Value& value) const {
    return graph_.node(value.node).outputs[static_cast<size_t>(value.output)];
  }
  bool is_broadcast(int id) const { return graph_.node(id).op == &broadcast_def; }

  // A product whose parts can be worked on as soon as they are finished.
  bool is_product(int id) const { return is_fusible_product(graph_, graph_.node(id)); }

  bool is_column_sum(int id) const {
    const Node& node = graph_.node(id);
    if (node.op != &sum_def) return false;
    const auto& axes = node.attributes.get<std::vector<int64_t>>("axes");
    const int rank = type_of(node.inputs[0]).shape.rank();
    return rank >= 2 && static_cast<int>(axes.size()) == rank - 1 && axes.back() == rank - 2;
  }

  int product_of(int group) const {
    for (const int member : members_[static_cast<size_t>(group)]) {
      if (is_product(member)) return member;
    }
    return -1;
  }

  // Can a node run on parts of a product's result? Its operands must be there in step with the rows, or be the same in
  // every row; numbers of other dtypes do not fit the registers.
  bool fits_product(int id, DType lane) const {
    const Node& node = graph_.node(id);
    const auto fits = [&](DType dtype) { return dtype == lane || dtype == DType::boolean; };
    if (!fits(node.outputs[0].dtype)) return false;
    return is_product(id) || std::all_of(node.inputs.begin(), node.inputs.end(), [&](const Value& value) {
             const TensorType& input = type_of(value);
             if (!fits(input.dtype)) return false;
             if (!is_broadcast(value.node)) return true;
             const Shape& from = type_of(graph_.node(value.node).inputs[0]).shape;
             const int64_t count = from.element_count().value();
             return count == 1 || (from.rank() > 0 && from[-1] == input.shape[-1] && count == from[-1].value());
           });
  }

  bool same_space(int a, int b) const { return graph_.node(a).outputs[0].shape == graph_.node(b).outputs[0].shape; }

  bool may_merge(int a, int b) const {
    if (members_[static_cast<size_t>(a)].size() + members_[static_cast<size_t>(b)].size() > most_nodes) return false;
    if (const int product = std::max(product_of(a), product_of(b)); product >= 0) {
      if (std::min(product_of(a), product_of(b)) >= 0) return false;
      const DType lane = graph_.node(product).outputs[0].dtype;
      for (const Value& operand : graph_.node(product).inputs) {  // the product comes first
        const int group = group_[static_cast<size_t>(operand.node)];
        if (group == a || group == b) return false;
      }
      if (updates_with_slots(a, b, product)) return false;
      for (const int group : {a, b}) {
        for (const int member : members_[static_cast<size_t>(group)]) {
          if (!fits_product(member, lane)) return false;
        }
      }
    }
    return !reaches_around(a, b) && !reaches_around(b, a);
  }

  // An epilogue walks through its operands a cache line of each row at a time. That is as good as a pass over the
  // weights alone, and saves the gradient; with an optimiser's slots beside them, from memory, a pass of its own over
  // whole rows is faster, although it stores the gradient (measured with Adam: bench case mlp_mnist).
  bool updates_with_slots(int a, int b, int product) const {
    constexpr int64_t stays_in_cache = 64 * 1024;  // elements
    if (graph_.node(product).outputs[0].shape.element_count().value() < stays_in_cache) return false;
    std::set<int> streams;
    bool updates = false;
    for (const int group : {a, b}) {
      for (const int member : members_[static_cast<size_t>(group)]) {
        updates = updates || std::any_of(module_.updates.begin(), module_.updates.end(),
                                         [&](const Update& u) { return u.value.node_id() == member; });
        if (member == product) continue;
        for (const Value& value : graph_.node(member).inputs) {
          const int from = group_[static_cast<size_t>(value.node)];
          if (from != a && from != b && !is_broadcast(value.node)) streams.insert(value.node);
        }
      }
    }
    return updates && streams.size() > 1;
  }

  // The sum over the rows of a value that a product's region makes is taken there.
  void join_product(int sum) {
    const int value = graph_.node(sum).inputs[0].node, group = group_[static_cast<size_t>(value)];
    const int product = product_of(group);
    if (product < 0 || !has_one_matrix(graph_, graph_.node(product)) || !(is_pointwise(value) || value == product))
      return;
    const DType lane = graph_.node(product).outputs[0].dtype;
    // The sum is known only when the region has ended.
    if (graph_.node(value).outputs[0].dtype == lane && group_[static_cast<size_t>(sum)] == sum &&
        !reaches_around(group, sum) && !reaches(sum, group))
      merge(group, sum);
  }

  // The sum over short rows is taken where its operand is made.
  void join_short_rows(int sum) {
    const int value = graph_.node(sum).inputs[0].node, group = group_[static_cast<size_t>(value)];
    const TensorType& from = type_of(graph_.node(sum).inputs[0]);
    const auto space = row_space(graph_.node(sum), from.shape);
    if (!space || !space->sums_short_rows() || !is_float(from.dtype)) return;
    if (!is_pointwise(value) || group_[static_cast<size_t>(sum)] != sum || product_of(group) >= 0) return;
    const std::vector<int>& members = members_[static_cast<size_t>(group)];
    const bool fits = std::all_of(members.begin(), members.end(), [&](int id) {
      const DType dtype = graph_.node(id).outputs[0].dtype;
      return dtype == from.dtype || dtype == DType::boolean;
    });
    if (fits && may_merge(group, sum) && !reaches(sum, group)) merge(group, sum);
  }

  bool reaches(int node, int group) const {
    return std::any_of(users_[static_cast<size_t>(node)].begin(), users_[static_cast<size_t>(node)].end(),
                       [&](int user) { return group_[static_cast<size_t>(user)] == group; }) ||
           reaches_around(node, group);
  }

  // ---- rows

  /// Numbers of rows, and a row, as an operand of a region's program; shorter rows run faster as kernels of their own.
  static constexpr int64_t shortest_row = 64;
  /// Still in the second-level cache, with what is computed along it.
  static constexpr int64_t longest_row = 64 * 1024;

  // Starts a region from a reduction: with what makes its operand, and then whatever reads what is there already.
  void fuse_rows(int reduction) {
    const Node& node = graph_.node(reduction);
    const int value = node.inputs[0].node;
    const TensorType& from = type_of(node.inputs[0]);
    if (members_[static_cast<size_t>(group_[static_cast<size_t>(reduction)])].size() > 1) return;
    if (!is_float(from.dtype)) return;
    const auto space = row_space(node, from.shape);
    if (!space || space->length < shortest_row || space->length > longest_row || space->sums_short_rows()) return;
    if (space->rows < 4 && space->length > longest_row / 4) return;  // too few for the threads
    const DType lane = from.dtype;
    if (!fits_rows(reduction, *space, lane)) return;
    const auto take = [&](int group) {
      const int mine = group_[static_cast<size_t>(reduction)];
      const std::vector<int>& theirs = members_[static_cast<size_t>(group)];
      if (group == mine || product_of(group) >= 0) return false;
      if (!std::all_of(theirs.begin(), theirs.end(), [&](int id) { return fits_rows(id, *space, lane); })) return false;
      if (count_reductions(mine) + count_reductions(group) > most_row_reductions) return false;
      if (sums_reach(mine, group) || sums_reach(group, mine) || !may_merge(mine, group)) return false;
      merge(mine, group);
      return true;
    };
    if (is_pointwise(value)) take(group_[static_cast<size_t>(value)]);
    for (bool grows = true; grows;) {
      grows = false;
      const std::vector<int> members = members_[static_cast<size_t>(group_[static_cast<size_t>(reduction)])];
      for (const int member : members) {
        for (const int user : users_[static_cast<size_t>(member)]) {
          if (take(group_[static_cast<size_t>(user)])) grows = true;
        }
        // Other reductions of what the region reads anyway.
        for (const Value& operand : graph_.node(member).inputs) {
          for (const int user : users_[static_cast<size_t>(operand.node)]) {
            if (graph_.node(user).op->fused_reduce >= 0 && take(group_[static_cast<size_t>(user)])) grows = true;
          }
        }
      }
    }
    // Without a pointwise node it is a plain reduction.
    std::vector<int>& all = members_[static_cast<size_t>(group_[static_cast<size_t>(reduction)])];
    if (std::any_of(all.begin(), all.end(), [&](int id) { return is_pointwise(id); })) return;
    for (const int id : std::exchange(all, {})) {
      group_[static_cast<size_t>(id)] = id;
      members_[static_cast<size_t>(id)] = {id};
    }
  }

  int count_reductions(int group) const {
    return static_cast<int>(std::count_if(members_[static_cast<size_t>(group)].begin(),
                                          members_[static_cast<size_t>(group)].end(),
                                          [&](int id) { return graph_.node(id).op->fused_reduce >= 0; }));
  }

  // A sum over the rows is known only when the region has ended: does one in `from` have a reader in `to`?
  bool sums_reach(int from, int to) const {
    for (const int id : members_[static_cast<size_t>(from)]) {
      const Node& node = graph_.node(id);
      if (node.op->fused_reduce < 0) continue;
      const auto space = row_space(node, type_of(node.inputs[0]).shape);
      if (space && space->along_rows) continue;
      for (const int user : users_[static_cast<size_t>(id)]) {
        if (group_[static_cast<size_t>(user)] == to) return true;
      }
    }
    return false;
  }

  bool fits_rows(int id, const RowSpace& space, DType lane) const {
    const Node& node = graph_.node(id);
    const auto fits = [&](DType dtype) { return dtype == lane || dtype == DType::boolean; };
    const auto is_number = [&](const Shape& shape) {  // one for each row
      return shape != space.shape && shape.element_count().value() == space.rows;
    };
    const auto shape_of = [&](const Value& value) -> const Shape& { return type_of(value).shape; };
    const Shape& own = node.outputs[0].shape;
    if (node.output_count() != 1 || !fits(node.outputs[0].dtype)) return false;
    if (node.op->fused_reduce >= 0) {
      const auto seen = row_space(node, shape_of(node.inputs[0]));
      return seen && type_of(node.inputs[0]).dtype == lane && seen->shape == space.shape &&
             seen->length == space.length && seen->rows == space.rows;
    }
    if (node.op->properties.alias) return is_number(own) && is_number(shape_of(node.inputs[0]));
    if (!is_pointwise(id)) return false;
    const bool along = own == space.shape;
    if (!along && !is_number(own)) return false;
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](const Value& value) {
      if (!fits(type_of(value).dtype)) return false;
      if (!is_broadcast(value.node)) return true;
      const Shape& from = shape_of(graph_.node(value.node).inputs[0]);
      if (from.element_count().value() == 1) return true;
      return along ? repeats_rows(from, space) || repeats_columns(from, space) : is_number(from);
    });
  }

  // Is there a path from group `from` to group `to` through another group?
  bool reaches_around(int from, int to) const {
    std::set<int> seen;
    std::vector<int> stack;
    const auto push_users = [&](int group, bool direct) {
      for (const int member : members_[static_cast<size_t>(group)]) {
        for (const int user : users_[static_cast<size_t>(member)]) {
          const int next = group_[static_cast<size_t>(user)];
          if (next == group || (direct && next == to)) continue;
          if (seen.insert(next).second) stack.push_back(next);
        }
      }
    };
    push_users(from, true);
    while (!stack.empty()) {
      const int group = stack.back();
      stack.pop_back();
      if (group == to) return true;
      push_users(group, false);
    }
    return false;
  }

  void merge(int a, int b) {
    std::vector<int>& into = members_[static_cast<size_t>(a)];
    std::vector<int>& from = members_[static_cast<size_t>(b)];
    for (const int member : from) group_[static_cast<size_t>(member)] = a;
    std::vector<int> both;
    std::merge(into.begin(), into.end(), from.begin(), from.end(), std::back_inserter(both));
    into = std::move(both);
    from.clear();
  }

  // What a pointwise node reads: a broadcast is read through, its input is the operand.
  bool absorbs(int reader, int producer) const { return is_broadcast(producer) && is_pointwise(reader); }

  Module emit() {
    // Groups in topological order, of the ready ones the one that ends first.
    std::map<int, std::set<int>> before;  // group -> groups it needs
    std::map<int, std::set<int>> after;
    for (int id = 0; id < graph_.node_count(); ++id) {
      if (!needed_[static_cast<size_t>(id)]) continue;
      const int group = group_[static_cast<size_t>(id)];
      before[group];
      for (const Value& value : graph_.node(id).inputs) {
        const int producer = absorbs(id, value.node) ? graph_.node(value.node).inputs[0].node : value.node;
        const int other = group_[static_cast<size_t>(producer)];
        if (other == group) continue;
        before[group].insert(other);
        after[other].insert(group);
      }
    }
    std::set<std::pair<int, int>> ready;  // (last member, group)
    for (const auto& [group, needs] : before) {
      if (needs.empty()) ready.insert({members_[static_cast<size_t>(group)].back(), group});
    }
    while (!ready.empty()) {
      const int group = ready.begin()->second;
      ready.erase(ready.begin());
      emit_group(group);
      for (const int next : after[group]) {
        before[next].erase(group);
        if (before[next].empty()) ready.insert({members_[static_cast<size_t>(next)].back(), next});
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

  Tensor moved(Value value) {
    // A broadcast that only regions read has not been emitted; whoever else reads it makes it now.
    const auto made = made_.find(value);
    if (made != made_.end()) return made->second;
    const Node& node = graph_.node(value.node);
    const Tensor input[] = {moved(node.inputs[0])};
    return made_[value] = result_.graph.add_copy(node, input, node.attributes);
  }

  void emit_group(int group) {
    const std::vector<int>& members = members_[static_cast<size_t>(group)];
    const Node& first = graph_.node(members[0]);
    if (is_broadcast(first.id)) return;  // made on demand
    const bool reads_broadcast = std::any_of(first.inputs.begin(), first.inputs.end(),
                                             [&](const Value& value) { return absorbs(first.id, value.node); });
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
    const int group = group_[static_cast<size_t>(members[0])];
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
        if (absorbs(id, value.node) && !inside.contains(value)) {
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
    const auto is = [&](const Tensor& tensor) { return tensor.node_id() == id; };
    if (std::any_of(module_.outputs.begin(), module_.outputs.end(), is)) return true;
    if (std::any_of(module_.updates.begin(), module_.updates.end(), [&](const Update& u) { return is(u.value); }))
      return true;
    return std::any_of(users_[static_cast<size_t>(id)].begin(), users_[static_cast<size_t>(id)].end(),
                       [&](int user) { return group_[static_cast<size_t>(user)] != group; });
  }

  const Module& module_;
  const Graph& graph_;
  std::vector<bool> needed_;
  std::vector<int> group_;                 // node -> group, named by one of its nodes
  std::vector<std::vector<int>> members_;  // group -> nodes, sorted
  std::vector<std::vector<int>> users_;    // node -> nodes that read it
  Module result_;
  std::map<Value, Tensor> made_;
};

}  // namespace

Module fuse(const Module& module) {
  return everywhere(module, [](const Module& m) { return Fusion(m).run(); });
}

}  // namespace gradloom::inline v0
