// Which nodes of a graph become one region.
#pragma once

#include <gradloom/graph/node.hpp>
#include <gradloom/runtime/module_internal.hpp>

#include <vector>

namespace gradloom::inline v0 {

struct RowSpace;

/// The nodes that a Module needs, in groups: pointwise nodes that share an iteration space, with the product they
/// follow and the sums over its rows, with sums over short rows, or with reductions of their rows and what is computed
/// from those. Any other node is a group of its own. The module must live as long.
class FusionGroups {
 public:
  static constexpr size_t most_nodes = 64;  ///< of a group: bounds its scratch and the work lost if a chunk is late

  explicit FusionGroups(const Module& module);

  [[nodiscard]] bool needed(int id) const { return needed_[static_cast<size_t>(id)]; }
  /// The group of a node, named by one of its nodes.
  [[nodiscard]] int group_of(int id) const { return group_[static_cast<size_t>(id)]; }
  /// The nodes of a group in the order of the graph; none if no group has that name.
  [[nodiscard]] const std::vector<int>& members(int group) const { return members_[static_cast<size_t>(group)]; }
  /// The nodes that read a value of a node, in any group; broadcasts are read through.
  [[nodiscard]] const std::vector<int>& users(int id) const { return users_[static_cast<size_t>(id)]; }

  /// What a pointwise node reads: a broadcast is read through, its input is the operand.
  [[nodiscard]] bool absorbs(int reader, int producer) const { return is_broadcast(producer) && is_pointwise(reader); }
  /// The node whose value is read where `value` is an input of `reader`.
  [[nodiscard]] int producer_of(int reader, const Value& value) const;
  [[nodiscard]] bool is_pointwise(int id) const;
  [[nodiscard]] bool is_broadcast(int id) const;
  /// The products whose parts a group works on as soon as they are finished: all of one shape.
  [[nodiscard]] std::vector<int> products_of(int group) const;
  /// The first of them, or -1.
  [[nodiscard]] int product_of(int group) const;
  /// Can a node run on parts of a product's result of that dtype? Its operands must be there in step with the rows, or
  /// be the same in every row or column; numbers of other dtypes do not fit the registers.
  [[nodiscard]] bool fits_product(int id, DType lane) const;
  /// Is a node's value an output or an update of the module?
  [[nodiscard]] bool is_result(int id) const;

 private:
  [[nodiscard]] const TensorType& type_of(const Value& value) const;
  [[nodiscard]] bool is_product(int id) const;
  [[nodiscard]] bool is_column_sum(int id) const;
  [[nodiscard]] bool same_space(int a, int b) const;
  [[nodiscard]] bool may_merge(int a, int b) const;
  [[nodiscard]] bool updates_with_slots(int a, int b, int product) const;
  void join_product(int sum);
  void join_short_rows(int sum);
  [[nodiscard]] bool reaches(int node, int group) const;
  void fuse_rows(int reduction);
  /// Does no other group read what this one makes?
  [[nodiscard]] bool is_read_by(int group, int reader) const;
  [[nodiscard]] int count_reductions(int group) const;
  [[nodiscard]] bool sums_reach(int from, int to) const;
  /// Is it bf16 of what a program of f32 has in registers, which it stores?
  [[nodiscard]] bool rounds_at_end(int id, DType lane) const;
  [[nodiscard]] bool fits_rows(int id, const RowSpace& space, DType lane) const;
  [[nodiscard]] bool reaches_around(int from, int to) const;
  void merge(int a, int b);

  const Module& module_;
  const Graph& graph_;
  std::vector<bool> needed_;
  std::vector<int> group_;
  std::vector<std::vector<int>> members_;
  std::vector<std::vector<int>> users_;
};

}  // namespace gradloom::inline v0
