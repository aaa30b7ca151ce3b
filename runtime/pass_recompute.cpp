// recompute: what is left between regions is written and read. Where the region of a product reads several values that
// another region computes from less, as the gradient of gelu does, it shall compute them again.
#include <gradloom/runtime/bodies_internal.hpp>
#include <gradloom/runtime/fusion_groups_internal.hpp>
#include <gradloom/runtime/passes_internal.hpp>
#include <gradloom/runtime/region_internal.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace gradloom::inline v0 {

namespace {

/// What a function with an error of its own, a polynomial, costs, in halves of what it costs to write or read an array:
/// on an AVX-512 core 0.15 ns an element against 0.34, beside a product; narrower vectors take longer for it.
int function_cost(Isa isa) {
  switch (isa) {
    case Isa::avx512:
      return 1;
    case Isa::avx2:
      return 2;
    case Isa::baseline:
      break;
  }
  return 4;
}

/// Which nodes of other groups each group computes again.
class Choice {
 public:
  Choice(const Module& module, Isa isa) : graph_(module.graph), groups_(module), function_cost_(function_cost(isa)) {
    for (int id = 0; id < graph_.node_count(); ++id) {
      if (!groups_.needed(id) || groups_.group_of(id) != id) continue;
      if (const int product = groups_.product_of(id); product >= 0) choose(id, product);
    }
  }

  [[nodiscard]] const FusionGroups& groups() const { return groups_; }
  [[nodiscard]] bool is_copied(int id, int group) const {
    const auto found = copied_.find(group);
    return found != copied_.end() && found->second.contains(id);
  }

 private:
  /// The nodes of `from` that are computed for `wanted`, and the nodes that they are computed from.
  struct Chain {
    std::set<int> nodes, sources;
  };

  // For every other group: are the pointwise values that `group` reads of it made of fewer arrays there?
  void choose(int group, int product) {
    const TensorType& made = graph_.node(product).outputs[0];
    std::set<int> factors;  // a product reads whole arrays
    for (const int factor_of : groups_.products_of(group)) {
      for (const Value& value : graph_.node(factor_of).inputs) factors.insert(value.node);
    }
    const auto may_be_copied = [&](int id) {
      return groups_.is_pointwise(id) && !groups_.is_broadcast(id) && graph_.node(id).outputs[0].shape == made.shape &&
             groups_.fits_product(id, made.dtype) && !factors.contains(id);
    };
    std::map<int, std::set<int>> wanted;  // by group
    for (const int member : groups_.members(group)) {
      if (!groups_.is_pointwise(member)) continue;
      for (const Value& value : graph_.node(member).inputs) {
        const int id = groups_.producer_of(member, value), from = groups_.group_of(id);
        if (from != group && groups_.members(from).size() > 1 && may_be_copied(id)) wanted[from].insert(id);
      }
    }
    for (const auto& [from, values] : wanted) {
      const Chain chain = chain_of(values, from, may_be_copied);
      if (groups_.members(group).size() + chain.nodes.size() > FusionGroups::most_nodes) continue;
      if (saved(group, from, values, chain, made.shape) <= 0) continue;
      copied_[group].insert(chain.nodes.begin(), chain.nodes.end());
      for (const int id : chain.sources) new_readers_[id].insert(group);
    }
  }

  template <class MayBeCopied>
  Chain chain_of(const std::set<int>& values, int from, const MayBeCopied& may_be_copied) const {
    Chain chain{values, {}};
    std::vector<int> stack(values.begin(), values.end());
    while (!stack.empty()) {
      const int id = stack.back();
      stack.pop_back();
      for (const Value& value : graph_.node(id).inputs) {
        const int source = groups_.producer_of(id, value);
        if (groups_.group_of(source) != from || !may_be_copied(source)) {
          chain.sources.insert(source);
        } else if (chain.nodes.insert(source).second) {
          stack.push_back(source);
        }
      }
    }
    return chain;
  }

  /// How many arrays of the space less are read or written, in halves, less the functions computed for that and an
  /// array for each operand with a number for each row, which the region writes out.
  int saved(int group, int from, const std::set<int>& values, const Chain& chain, const Shape& space) const {
    const auto others_read = [&](int id) {
      const std::set<int> readers = readers_of(id);
      return groups_.is_result(id) || readers.size() > (readers.contains(group) ? 1U : 0U);
    };
    int arrays = 0, functions = 0, numbers = 0;
    for (const int id : values) arrays += others_read(id) ? 1 : 2;
    for (const int id : chain.nodes) {
      functions += graph_.node(id).op->ulps > 0.5 ? 1 : 0;
      for (const Value& value : graph_.node(id).inputs) {
        if (!groups_.is_broadcast(value.node)) continue;
        const Value& source = graph_.node(value.node).inputs[0];
        const Shape& spread = graph_.node(source.node).outputs[static_cast<size_t>(source.output)].shape;
        numbers += has_number_for_each_row(spread, space) ? 1 : 0;
      }
    }
    for (const int id : chain.sources) {
      if (graph_.node(id).outputs[0].shape != space || readers_of(id).contains(group)) continue;
      arrays -= groups_.group_of(id) == from && !others_read(id) ? 2 : 1;
    }
    return 2 * arrays - function_cost_ * functions - 2 * numbers;
  }

  /// Groups that read a node's value from outside its own.
  std::set<int> readers_of(int id) const {
    std::set<int> readers;
    if (const auto more = new_readers_.find(id); more != new_readers_.end()) readers = more->second;
    for (const int user : groups_.users(id)) {
      const int group = groups_.group_of(user);
      if (group != groups_.group_of(id) && !is_copied(id, group)) readers.insert(group);
    }
    return readers;
  }

  const Graph& graph_;
  const FusionGroups groups_;
  const int function_cost_;
  std::map<int, std::set<int>> copied_;       // group -> nodes of others
  std::map<int, std::set<int>> new_readers_;  // node -> groups that read it for that
};

class Recomputer final : public Rewriter {
 public:
  Recomputer(const Module& from, Choice choice) : Rewriter(from), from_(from.graph), choice_(std::move(choice)) {}

 protected:
  std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs) override {
    const int group = choice_.groups().group_of(node.id);
    std::vector<Tensor> read(inputs.begin(), inputs.end());
    if (choice_.groups().is_pointwise(node.id)) {
      for (size_t i = 0; i < read.size(); ++i) read[i] = read_by(group, node.inputs[i], read[i]);
    }
    const std::vector<Tensor> made = Rewriter::rewrite(node, read);
    for (size_t i = 0; i < made.size(); ++i) moved_[{node.id, static_cast<int>(i)}] = made[i];
    return made;
  }

 private:
  /// The copy of a value for a group, or `moved` where it reads the value itself.
  Tensor read_by(int group, const Value& value, const Tensor& moved) {
    if (!choice_.is_copied(value.node, group)) return moved;
    const auto [known, is_new] = copies_.try_emplace({group, value.node});
    if (!is_new) return known->second;
    Node node = from_.node(value.node);
    node.name.clear();  // that of the original
    std::vector<Tensor> inputs;
    for (const Value& input : node.inputs) inputs.push_back(read_by(group, input, moved_.at(input)));
    return copies_[{group, value.node}] = copy(node, inputs, node.attributes)[0];
  }

  const Graph& from_;
  const Choice choice_;
  std::map<Value, Tensor> moved_;
  std::map<std::pair<int, int>, Tensor> copies_;  // (group, node)
};

}  // namespace

Module recompute(const Module& module, const PassOptions& options) {
  return everywhere(module, [&](const Module& m) { return Recomputer(m, Choice(m, options.isa)).run(); });
}

}  // namespace gradloom::inline v0
