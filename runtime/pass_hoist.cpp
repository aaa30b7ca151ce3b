// hoist: work that does not need the order of a scan's steps is done for all of them at once, as ordinary nodes around
// it, where the matrix products are large and the threads have more to share:
//
// - products of slices of sequences with constants (input projections, x[t] W) before the loop,
// - products that only outputs of the steps need (the gradient of x[t], h[t] V) after it, and outputs that are
// functions
//   of the sequences alone,
// - sums over the steps (the gradients of weights): sum_t a[t]^T b[t] is one product of the stacked a and b.
//
// What such work reads of the steps becomes an output of the scan.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/scan_internal.hpp>
#include <gradloom/runtime/bodies_internal.hpp>
#include <gradloom/runtime/passes_internal.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace gradloom::inline v0 {

namespace {

Value value_of(const Tensor& tensor) { return {tensor.node_id(), tensor.output()}; }

/// A value of a body, as it is around the loop: the same in each step, or a slice for each.
struct Outside {
  Tensor tensor;
  bool stacked = false;
};

/// One scan under change. First it is decided what moves; then the new scan is made; then what comes after it.
class ScanHoister {
 public:
  ScanHoister(Graph& graph, const Node& node, std::span<const Tensor> operands)
      : graph_(graph), node_(node), form_(node), body_(*form_.body), inputs_(body_.graph.inputs()) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      operand_of_[inputs_[i].node_id()] = static_cast<int>(i);
      if (i >= static_cast<size_t>(form_.carried)) {
        outside_[value_of(inputs_[i])] = {operands[i], form_.is_sequence(static_cast<int>(i))};
      }
      operands_.push_back(operands[i]);
    }
    count_users();
    find_loop_values();
  }

  /// The outputs of the node that takes the place of the scan, or nothing if all stays as it is.
  std::vector<Tensor> run() {
    for (int i = 0; i < form_.carried; ++i) choose_sum(i);
    find_core();
    for (int i = form_.carried; i < static_cast<int>(body_.outputs.size()); ++i) choose_output(i);
    choose_products();
    const bool has_map = std::any_of(body_.outputs.begin() + form_.carried, body_.outputs.end(),
                                     [&](const Tensor& output) { return is_outside(value_of(output)); });
    if (sums_.empty() && after_.empty() && before_.empty() && !has_map) return {};

    const SourceScope scope(graph_, node_, "");
    for (const Value& value : before_) (void)outside(value);
    make_scan();
    std::vector<Tensor> results(body_.outputs.size());
    for (size_t i = 0; i < results.size(); ++i) {
      const int output = static_cast<int>(i);
      if (const auto sum = sums_.find(output); sum != sums_.end()) {
        results[i] = operands_[i] + sum_over_steps(sum->second);
      } else if (output < form_.carried && !after_.contains(output)) {
        results[i] = made_[static_cast<size_t>(carried_place_.at(output))];
      } else {
        results[i] = stacked(value_of(body_.outputs[i]));
      }
    }
    return results;
  }

 private:
  const Node& body_node(const Value& value) const { return body_.graph.node(value.node); }
  const TensorType& body_type(const Value& value) const {
    return body_node(value).outputs[static_cast<size_t>(value.output)];
  }

  void count_users() {
    for (int id = 0; id < body_.graph.node_count(); ++id) {
      for (const Value& value : body_.graph.node(id).inputs) ++users_[value];
    }
    for (const Tensor& output : body_.outputs) ++users_[value_of(output)];
  }

  /// Which nodes depend on what is carried, or may not move for another reason.
  void find_loop_values() {
    for (int id = 0; id < body_.graph.node_count(); ++id) {
      const Node& node = body_.graph.node(id);
      bool in_loop = false;
      if (is_input(node)) {
        in_loop = operand_of_.at(id) < form_.carried;
      } else {
        in_loop = !may_move(node) || (node.op == &matmul_def && !is_aligned(node));
        for (const Value& value : node.inputs) in_loop = in_loop || in_loop_[static_cast<size_t>(value.node)];
      }
      in_loop_.push_back(in_loop);
    }
  }

  static bool may_move(const Node& node) {
    return node.op->pointwise != nullptr || node.op == &broadcast_def || node.op == &matmul_def || is_constant(node);
  }

  /// Do the axes of a product's operands stay aligned when an axis for the steps comes in front?
  bool is_aligned(const Node& product) const {
    const int rank = body_type(product.inputs[1]).shape.rank();
    return body_type(product.inputs[0]).shape.rank() == rank || (rank == 2 && is_constant_value(product.inputs[1]));
  }

  /// Is it the product of rows that differ from step to step with a matrix that does not?
  bool is_projection(const Value& value) const {
    const Node& node = body_node(value);
    if (node.op != &matmul_def || node.attributes.get<bool>("transpose_a")) return false;
    return is_constant_value(node.inputs[1]) && !is_constant_value(node.inputs[0]) &&
           body_type(node.inputs[1]).shape.rank() == 2 && body_type(node.inputs[0]).shape.rank() >= 2;
  }

  /// Does a value depend on constants of the loop only?
  bool is_constant_value(const Value& value) const {
    const Node& node = body_node(value);
    if (is_input(node)) return operand_of_.at(value.node) >= form_.carried + form_.sequences;
    return !in_loop_[static_cast<size_t>(value.node)] &&
           std::all_of(node.inputs.begin(), node.inputs.end(), [&](const Value& v) { return is_constant_value(v); });
  }

  // ---- what moves

  /// Is carried value i a mere sum over the steps, of something that can be summed later?
  void choose_sum(int i) {
    const Value next = value_of(body_.outputs[static_cast<size_t>(i)]),
                before = value_of(inputs_[static_cast<size_t>(i)]);
    const Node& add = body_node(next);
    if (add.op != &add_def || users_[before] != 1 || users_[next] != 1) return;
    for (const size_t own : {size_t{0}, size_t{1}}) {
      if (add.inputs[own] == before && can_sum(add.inputs[1 - own])) sums_[i] = add.inputs[1 - own];
    }
  }

  bool can_sum(const Value& value) const {
    const Node& node = body_node(value);
    if (node.op == &add_def) return can_sum(node.inputs[0]) && can_sum(node.inputs[1]);
    if (node.op == &reshape_def) return can_sum(node.inputs[0]);
    if (node.op == &sum_def) return true;
    return node.op == &matmul_def && node.attributes.get<bool>("transpose_a") &&
           !node.attributes.get<bool>("transpose_b") && body_type(node.inputs[0]).shape.rank() == 2 &&
           body_type(node.inputs[1]).shape.rank() == 2;
  }

  /// The nodes that carried values depend on: these stay.
  void find_core() {
    std::vector<Tensor> carried;
    for (int i = 0; i < form_.carried; ++i) {
      if (!sums_.contains(i)) carried.push_back(body_.outputs[static_cast<size_t>(i)]);
    }
    core_ = needed_nodes(body_.graph, carried);
  }

  void choose_output(int i) {
    const Value value = value_of(body_.outputs[static_cast<size_t>(i)]);
    if (ends_in_projection(value)) after_.insert(i);
  }

  /// Is a value computed from projections, by pointwise nodes that nobody else needs?
  bool ends_in_projection(const Value& value) const {
    if (core_[static_cast<size_t>(value.node)] || users_.at(value) != 1) return false;
    if (is_projection(value)) return true;
    const Node& node = body_node(value);
    return node.op->pointwise != nullptr &&
           std::any_of(node.inputs.begin(), node.inputs.end(), [&](const Value& v) { return ends_in_projection(v); });
  }

  /// Projections of sequences, with the pointwise nodes that follow as long as there is but one.
  void choose_products() {
    for (int id = 0; id < body_.graph.node_count(); ++id) {
      const Value product{id, 0};
      if (in_loop_[static_cast<size_t>(id)] || !users_.contains(product) || !is_projection(product)) continue;
      Value last = product;
      for (Value next = only_user(last); next.node >= 0; next = only_user(last)) {
        if (in_loop_[static_cast<size_t>(next.node)] || body_node(next).op->pointwise == nullptr) break;
        last = next;
      }
      before_.insert(last);
    }
  }

  Value only_user(const Value& value) const {
    if (users_.at(value) != 1) return {};
    for (int id = value.node + 1; id < body_.graph.node_count(); ++id) {
      const std::vector<Value>& inputs = body_.graph.node(id).inputs;
      if (std::find(inputs.begin(), inputs.end(), value) != inputs.end()) return {id, 0};
    }
    return {};
  }

  // ---- the new scan

  /// Values that nodes after the loop read of its steps.
  void want(const Value& value) {
    if (!outside_.contains(value) && !is_outside(value)) wanted_.insert(value);
  }

  bool is_outside(const Value& value) const { return !in_loop_[static_cast<size_t>(value.node)]; }

  void want_for_sum(const Value& value) {
    const Node& node = body_node(value);
    if (node.op == &add_def || node.op == &reshape_def) {
      for (const Value& input : node.inputs) want_for_sum(input);
    } else {
      for (const Value& input : node.inputs) want(input);
    }
  }

  void want_after(const Value& value) {
    if (!ends_in_projection(value)) return want(value);
    const Node& node = body_node(value);
    for (const Value& input : node.inputs) want_after(input);
  }

  void make_scan() {
    for (const auto& [carried, sum] : sums_) want_for_sum(sum);
    for (const int output : after_) want_after(value_of(body_.outputs[static_cast<size_t>(output)]));
    for (int i = form_.carried; i < static_cast<int>(body_.outputs.size()); ++i) {
      if (!after_.contains(i)) want(value_of(body_.outputs[static_cast<size_t>(i)]));
    }
    ScanForm form;
    form.reverse = form_.reverse;
    form.length = form_.length;
    auto body = std::make_shared<Subgraph>();
    std::map<Value, Tensor> inside;
    std::vector<Tensor> operands;
    const auto add_input = [&](const Value& value, const Tensor& operand, const std::string& name) {
      const TensorType& type = body_type(value);
      inside[value] = body->graph.input(name, type.shape, type.dtype, body_node(value).location);
      operands.push_back(operand);
    };
    std::vector<Value> roots;
    for (int i = 0; i < form_.carried; ++i) {
      if (sums_.contains(i)) continue;
      carried_place_[i] = form.carried++;
      const Tensor& input = inputs_[static_cast<size_t>(i)];
      add_input(value_of(input), operands_[static_cast<size_t>(i)], input.node().name);
      roots.push_back(value_of(body_.outputs[static_cast<size_t>(i)]));
    }
    for (const Value& value : wanted_) {
      stack_place_[value] = static_cast<int>(roots.size());
      roots.push_back(value);
    }
    const std::set<int> nodes = nodes_inside(roots, inside);
    for (size_t i = static_cast<size_t>(form_.carried); i < inputs_.size(); ++i) {
      if (!nodes.contains(inputs_[i].node_id())) continue;
      if (!form_.is_sequence(static_cast<int>(i))) continue;
      add_input(value_of(inputs_[i]), operands_[i], inputs_[i].node().name);
      ++form.sequences;
    }
    for (const Value& value : before_) {
      if (!nodes.contains(value.node)) continue;
      add_input(value, stacked(value), "hoisted_" + std::to_string(value.node));
      ++form.sequences;
    }
    for (size_t i = static_cast<size_t>(form_.carried + form_.sequences); i < inputs_.size(); ++i) {
      if (nodes.contains(inputs_[i].node_id())) add_input(value_of(inputs_[i]), operands_[i], inputs_[i].node().name);
    }
    std::vector<Tensor> inputs;
    for (const int id : nodes) {
      if (inside.contains({id, 0})) continue;
      const Node& node = body_.graph.node(id);
      inputs.clear();
      for (const Value& value : node.inputs) inputs.push_back(inside.at(value));
      const Tensor copied = body->graph.add_copy(node, inputs, node.attributes);
      for (int i = 0; i < node.output_count(); ++i) inside[{id, i}] = body->graph.tensor(copied.node_id(), i);
    }
    for (const Value& root : roots) body->outputs.push_back(inside.at(root));
    if (body->outputs.empty()) return;  // nothing is left of the loop
    form.body = body;
    const Tensor made = graph_.add_copy(node_, operands, form.attributes());
    for (size_t i = 0; i < roots.size(); ++i) made_.push_back(graph_.tensor(made.node_id(), static_cast<int>(i)));
    for (const auto& [value, place] : stack_place_) outside_[value] = {made_[static_cast<size_t>(place)], true};
  }

  /// What the roots need, not through what comes from before the loop.
  std::set<int> nodes_inside(const std::vector<Value>& roots, const std::map<Value, Tensor>& given) const {
    std::set<int> nodes;
    std::vector<Value> stack = roots;
    while (!stack.empty()) {
      const Value value = stack.back();
      stack.pop_back();
      if (!nodes.insert(value.node).second || given.contains(value) || before_.contains(value)) continue;
      const Node& node = body_node(value);
      stack.insert(stack.end(), node.inputs.begin(), node.inputs.end());
    }
    return nodes;
  }

  // ---- around the loop

  /// A value with a slice for each step.
  Tensor stacked(const Value& value) {
    const Outside& found = outside(value);
    if (found.stacked) return found.tensor;
    return broadcast(found.tensor, all_steps(body_type(value).shape));
  }

  Shape all_steps(const Shape& shape) const {
    std::vector<Dim> dims = {form_.length};
    dims.insert(dims.end(), shape.begin(), shape.end());
    return Shape(std::move(dims));
  }

  /// A value outside of the loop: given to it, made by it, or made of such values.
  const Outside& outside(const Value& value) {
    if (const auto known = outside_.find(value); known != outside_.end()) return known->second;
    const Node& node = body_node(value);
    bool any_stacked = false;
    for (const Value& input : node.inputs) any_stacked = outside(input).stacked || any_stacked;
    std::vector<Tensor> inputs;
    if (!any_stacked) {
      for (const Value& input : node.inputs) inputs.push_back(outside(input).tensor);
      return outside_[value] = {graph_.add_copy(node, inputs, node.attributes), false};
    }
    if (node.op == &broadcast_def) {
      // The axis of the steps stays in front of the axes that are added.
      const Shape& from = body_type(node.inputs[0]).shape;
      std::vector<Dim> dims = {form_.length};
      dims.insert(dims.end(), static_cast<size_t>(body_type(value).shape.rank() - from.rank()), Dim(1));
      dims.insert(dims.end(), from.begin(), from.end());
      const Tensor aligned = reshape(outside(node.inputs[0]).tensor, Shape(std::move(dims)));
      return outside_[value] = {broadcast(aligned, all_steps(body_type(value).shape)), true};
    }
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const bool matrix = node.op == &matmul_def && i == 1 && !outside(node.inputs[1]).stacked;
      inputs.push_back(matrix ? outside(node.inputs[i]).tensor : stacked(node.inputs[i]));
    }
    return outside_[value] = {graph_.add_copy(node, inputs, node.attributes), true};
  }

  Tensor sum_over_steps(const Value& value) {
    const Node& node = body_node(value);
    const Shape& shape = body_type(value).shape;
    if (node.op == &add_def) return sum_over_steps(node.inputs[0]) + sum_over_steps(node.inputs[1]);
    if (node.op == &reshape_def) return reshape(sum_over_steps(node.inputs[0]), shape);
    if (node.op == &sum_def) {
      std::vector<int64_t> axes = {0};
      for (const int64_t axis : node.attributes.get<std::vector<int64_t>>("axes")) axes.push_back(axis + 1);
      return reshape(sum(stacked(node.inputs[0]), {.axes = axes}), shape);
    }
    const auto rows = [&](const Value& matrix) {
      return reshape(stacked(matrix), {form_.length * body_type(matrix).shape[0], body_type(matrix).shape[1]});
    };
    return matmul(rows(node.inputs[0]), rows(node.inputs[1]), {.transpose_a = true});
  }

  Graph& graph_;
  const Node& node_;
  const ScanForm form_;
  const Subgraph& body_;
  const std::vector<Tensor> inputs_;
  std::map<int, int> operand_of_;  // by node of the body
  std::vector<Tensor> operands_;
  std::map<Value, int> users_;
  std::vector<bool> in_loop_, core_;  // by node of the body

  std::map<int, Value> sums_;  // carried value -> what each step adds
  std::set<int> after_;        // outputs
  std::set<Value> before_, wanted_;
  std::map<Value, int> stack_place_;
  std::map<int, int> carried_place_;
  std::vector<Tensor> made_;
  std::map<Value, Outside> outside_;
};

class Hoister final : public Rewriter {
 public:
  using Rewriter::Rewriter;

 protected:
  std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs) override {
    if (is_scan(node)) {
      std::vector<Tensor> made = ScanHoister(graph(), node, inputs).run();
      if (!made.empty()) return made;
    }
    return Rewriter::rewrite(node, inputs);
  }
};

}  // namespace

Module hoist(const Module& module) {
  return prune(everywhere(prune(module), [](const Module& from) { return Hoister(from).run(); }));
}

}  // namespace gradloom::inline v0
