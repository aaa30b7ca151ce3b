// Groups grow from consumers to producers, so that a node joins the code that needs its result: what only the backward
// pass needs is computed there, from values that exist anyway, and is never stored. Two groups are merged unless some
// path leads from one to the other through a third, which would close a circle.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/fusible_product_internal.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/fusion_groups_internal.hpp>
#include <gradloom/runtime/region_internal.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace gradloom::inline v0 {

namespace {

/// Numbers of rows, and a row, as an operand of a region's program; shorter rows run faster as kernels of their own.
constexpr int64_t shortest_row = 64;
/// Still in the second-level cache, with what is computed along it.
constexpr int64_t longest_row = 64 * 1024;

}  // namespace

FusionGroups::FusionGroups(const Module& module)
    : module_(module), graph_(module.graph), needed_(needed_nodes(module)) {
  const size_t n = needed_.size();
  group_.resize(n);
  members_.resize(n);
  users_.resize(n);
  for (int id = 0; id < graph_.node_count(); ++id) {
    group_[static_cast<size_t>(id)] = id;
    if (!needed(id)) continue;
    members_[static_cast<size_t>(id)] = {id};
    for (const Value& value : graph_.node(id).inputs) {
      std::vector<int>& users = users_[static_cast<size_t>(producer_of(id, value))];
      if (users.empty() || users.back() != id) users.push_back(id);
    }
  }
  for (int id = graph_.node_count() - 1; id >= 0; --id) {
    if (!needed(id) || !(is_pointwise(id) || is_product(id))) continue;
    for (const int user : users(id)) {
      const int mine = group_of(id), theirs = group_of(user);
      if (mine != theirs && is_pointwise(user) && same_space(id, user) && may_merge(mine, theirs)) merge(mine, theirs);
    }
  }
  for (int id = 0; id < graph_.node_count(); ++id) {
    if (!needed(id) || !is_column_sum(id)) continue;
    join_product(id);
    join_short_rows(id);
  }
  for (int id = 0; id < graph_.node_count(); ++id) {
    if (needed(id) && graph_.node(id).op->fused_reduce >= 0) fuse_rows(id);
  }
}

bool FusionGroups::is_pointwise(int id) const { return graph_.node(id).op->pointwise != nullptr; }

const TensorType& FusionGroups::type_of(const Value& value) const {
  return graph_.node(value.node).outputs[static_cast<size_t>(value.output)];
}

bool FusionGroups::is_broadcast(int id) const { return graph_.node(id).op == &broadcast_def; }

int FusionGroups::producer_of(int reader, const Value& value) const {
  return absorbs(reader, value.node) ? graph_.node(value.node).inputs[0].node : value.node;
}

bool FusionGroups::is_result(int id) const {
  const auto is = [&](const Tensor& tensor) { return tensor.node_id() == id; };
  return std::any_of(module_.outputs.begin(), module_.outputs.end(), is) ||
         std::any_of(module_.updates.begin(), module_.updates.end(), [&](const Update& u) { return is(u.value); });
}

bool FusionGroups::is_product(int id) const { return is_fusible_product(graph_, graph_.node(id)); }

bool FusionGroups::is_column_sum(int id) const {
  const Node& node = graph_.node(id);
  if (node.op != &sum_def) return false;
  const auto& axes = node.attributes.get<std::vector<int64_t>>("axes");
  const int rank = type_of(node.inputs[0]).shape.rank();
  return rank >= 2 && static_cast<int>(axes.size()) == rank - 1 && axes.back() == rank - 2;
}

std::vector<int> FusionGroups::products_of(int group) const {
  std::vector<int> products;
  std::copy_if(members(group).begin(), members(group).end(), std::back_inserter(products),
               [&](int member) { return is_product(member); });
  return products;
}

int FusionGroups::product_of(int group) const {
  const std::vector<int> products = products_of(group);
  return products.empty() ? -1 : products[0];
}

bool FusionGroups::rounds_at_end(int id, DType lane) const {
  return lane == DType::f32 && graph_.node(id).op == &to_bf16_def;
}

bool FusionGroups::fits_product(int id, DType lane) const {
  const Node& node = graph_.node(id);
  const auto fits = [&](DType dtype) { return dtype == lane || dtype == DType::boolean; };
  if (!fits(node.outputs[0].dtype) && !rounds_at_end(id, lane)) return false;
  return is_product(id) || std::all_of(node.inputs.begin(), node.inputs.end(), [&](const Value& value) {
           const TensorType& input = type_of(value);
           if (!fits(input.dtype)) return false;
           if (!is_broadcast(value.node)) return true;
           const Shape& from = type_of(graph_.node(value.node).inputs[0]).shape;
           const int64_t count = from.element_count().value();
           return count == 1 || (from.rank() > 0 && from[-1] == input.shape[-1] && count == from[-1].value()) ||
                  has_number_for_each_row(from, input.shape);
         });
}

bool FusionGroups::same_space(int a, int b) const {
  return graph_.node(a).outputs[0].shape == graph_.node(b).outputs[0].shape;
}

bool FusionGroups::may_merge(int a, int b) const {
  if (members(a).size() + members(b).size() > most_nodes) return false;
  std::vector<int> products = products_of(a);
  for (const int product : products_of(b)) products.push_back(product);
  for (const int product : products) {
    if (product != products[0] && !are_side_by_side(graph_, graph_.node(products[0]), graph_.node(product)))
      return false;
    const DType lane = graph_.node(product).outputs[0].dtype;
    for (const Value& operand : graph_.node(product).inputs) {  // the products come first
      const int group = group_of(operand.node);
      if (group == a || group == b) return false;
    }
    if (updates_with_slots(a, b, product)) return false;
    for (const int group : {a, b}) {
      for (const int member : members(group)) {
        if (!fits_product(member, lane)) return false;
      }
    }
  }
  return !reaches_around(a, b) && !reaches_around(b, a);
}

// An epilogue walks through its operands a cache line of each row at a time. That is as good as a pass over the
// weights alone, and saves the gradient; with an optimiser's slots beside them, from memory, a pass of its own over
// whole rows is faster, although it stores the gradient (measured with Adam: bench case mlp_mnist).
bool FusionGroups::updates_with_slots(int a, int b, int product) const {
  constexpr int64_t stays_in_cache = 64 * 1024;  // elements
  if (graph_.node(product).outputs[0].shape.element_count().value() < stays_in_cache) return false;
  std::set<int> streams;
  bool updates = false;
  for (const int group : {a, b}) {
    for (const int member : members(group)) {
      updates = updates || std::any_of(module_.updates.begin(), module_.updates.end(),
                                       [&](const Update& u) { return u.value.node_id() == member; });
      if (member == product) continue;
      for (const Value& value : graph_.node(member).inputs) {
        const int from = group_of(value.node);
        if (from != a && from != b && !is_broadcast(value.node)) streams.insert(value.node);
      }
    }
  }
  return updates && streams.size() > 1;
}

// The sum over the rows of a value that a product's region makes is taken there.
void FusionGroups::join_product(int sum) {
  const int value = graph_.node(sum).inputs[0].node, group = group_of(value);
  const int product = product_of(group);
  if (product < 0 || !has_one_matrix(graph_, graph_.node(product)) || !(is_pointwise(value) || is_product(value)))
    return;
  const DType lane = graph_.node(product).outputs[0].dtype;
  // The sum is known only when the region has ended.
  if (graph_.node(value).outputs[0].dtype == lane && group_[static_cast<size_t>(sum)] == sum &&
      !reaches_around(group, sum) && !reaches(sum, group))
    merge(group, sum);
}

// The sum over short rows is taken where its operand is made.
void FusionGroups::join_short_rows(int sum) {
  const int value = graph_.node(sum).inputs[0].node, group = group_of(value);
  const TensorType& from = type_of(graph_.node(sum).inputs[0]);
  const auto space = row_space(graph_.node(sum), from.shape);
  if (!space || !space->sums_short_rows() || !is_float(from.dtype)) return;
  if (!is_pointwise(value) || group_of(sum) != sum || product_of(group) >= 0) return;
  const bool fits = std::all_of(members(group).begin(), members(group).end(), [&](int id) {
    const DType dtype = graph_.node(id).outputs[0].dtype;
    return dtype == from.dtype || dtype == DType::boolean;
  });
  if (fits && may_merge(group, sum) && !reaches(sum, group)) merge(group, sum);
}

bool FusionGroups::reaches(int node, int group) const {
  return std::any_of(users(node).begin(), users(node).end(),
                     [&](int user) { return group_[static_cast<size_t>(user)] == group; }) ||
         reaches_around(node, group);
}

// ---- rows

// Starts a region from a reduction: with what makes its operand, and then whatever reads what is there already.
void FusionGroups::fuse_rows(int reduction) {
  const Node& node = graph_.node(reduction);
  const int value = node.inputs[0].node;
  const TensorType& from = type_of(node.inputs[0]);
  if (members(group_of(reduction)).size() > 1) return;
  if (!is_float(from.dtype)) return;
  const auto space = row_space(node, from.shape);
  if (!space || space->length < shortest_row || space->length > longest_row || space->sums_short_rows()) return;
  if (space->rows < 4 && space->length > longest_row / 4) return;  // too few for the threads
  const DType lane = from.dtype;
  if (!fits_rows(reduction, *space, lane)) return;
  const auto take = [&](int group) {
    const int mine = group_of(reduction);
    const std::vector<int>& theirs = members(group);
    if (group == mine || product_of(group) >= 0) return false;
    if (!std::all_of(theirs.begin(), theirs.end(), [&](int id) { return fits_rows(id, *space, lane); })) return false;
    if (count_reductions(mine) + count_reductions(group) > most_row_reductions) return false;
    if (sums_reach(mine, group) || sums_reach(group, mine) || !may_merge(mine, group)) return false;
    merge(mine, group);
    return true;
  };
  if (is_pointwise(value)) take(group_of(value));
  for (bool grows = true; grows;) {
    grows = false;
    const std::vector<int> grown = members(group_of(reduction));
    for (const int member : grown) {
      for (const int user : users(member)) {
        if (take(group_of(user))) grows = true;
      }
      // What is made for the region alone, and other reductions of what it reads anyway.
      for (const Value& operand : graph_.node(member).inputs) {
        const int producer = producer_of(member, operand);
        if (is_pointwise(producer) && is_read_by(group_of(producer), group_of(reduction)) && take(group_of(producer)))
          grows = true;
        for (const int user : users_[static_cast<size_t>(operand.node)]) {
          if (graph_.node(user).op->fused_reduce >= 0 && take(group_of(user))) grows = true;
        }
      }
    }
  }
  // Without a pointwise node it is a plain reduction.
  std::vector<int>& all = members_[static_cast<size_t>(group_of(reduction))];
  if (std::any_of(all.begin(), all.end(), [&](int id) { return is_pointwise(id); })) return;
  for (const int id : std::exchange(all, {})) {
    group_[static_cast<size_t>(id)] = id;
    members_[static_cast<size_t>(id)] = {id};
  }
}

bool FusionGroups::is_read_by(int group, int reader) const {
  return std::all_of(members(group).begin(), members(group).end(), [&](int id) {
    return !is_result(id) && std::all_of(users(id).begin(), users(id).end(),
                                         [&](int user) { return group_of(user) == reader || group_of(user) == group; });
  });
}

int FusionGroups::count_reductions(int group) const {
  return static_cast<int>(std::count_if(members(group).begin(), members(group).end(),
                                        [&](int id) { return graph_.node(id).op->fused_reduce >= 0; }));
}

// A sum over the rows is known only when the region has ended: does one in `from` have a reader in `to`?
bool FusionGroups::sums_reach(int from, int to) const {
  for (const int id : members(from)) {
    const Node& node = graph_.node(id);
    if (node.op->fused_reduce < 0) continue;
    const auto space = row_space(node, type_of(node.inputs[0]).shape);
    if (space && space->along_rows) continue;
    for (const int user : users(id)) {
      if (group_[static_cast<size_t>(user)] == to) return true;
    }
  }
  return false;
}

bool FusionGroups::fits_rows(int id, const RowSpace& space, DType lane) const {
  const Node& node = graph_.node(id);
  const auto fits = [&](DType dtype) { return dtype == lane || dtype == DType::boolean; };
  const auto is_number = [&](const Shape& shape) {  // one for each row
    return shape != space.shape && shape.element_count().value() == space.rows;
  };
  const auto shape_of = [&](const Value& value) -> const Shape& { return type_of(value).shape; };
  const Shape& own = node.outputs[0].shape;
  if (node.output_count() != 1 || (!fits(node.outputs[0].dtype) && !rounds_at_end(id, lane))) return false;
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
bool FusionGroups::reaches_around(int from, int to) const {
  std::set<int> seen;
  std::vector<int> stack;
  const auto push_users = [&](int group, bool direct) {
    for (const int member : members(group)) {
      for (const int user : users(member)) {
        const int next = group_of(user);
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

void FusionGroups::merge(int a, int b) {
  std::vector<int>& into = members_[static_cast<size_t>(a)];
  std::vector<int>& from = members_[static_cast<size_t>(b)];
  for (const int member : from) group_[static_cast<size_t>(member)] = a;
  std::vector<int> both;
  std::merge(into.begin(), into.end(), from.begin(), from.end(), std::back_inserter(both));
  into = std::move(both);
  from.clear();
}

}  // namespace gradloom::inline v0
