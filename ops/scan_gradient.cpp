// The gradient of a scan is a scan in the other direction. It carries the cotangents of the carried values, adds up
// those of the constants, and returns those of the sequences step by step. Its body is the gradient of the forward
// body: what that needs of the forward pass comes as sequences, from what the forward scan stored.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/body_internal.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/scan_gradient_internal.hpp>
#include <gradloom/ops/scan_internal.hpp>

#include <fmt/format.h>

#include <cassert>
#include <map>
#include <set>

namespace gradloom::inline v0 {

bool is_recomputed(const Node& node) {
  const bool draws = node.op->properties.random || node.op->properties.per_run;
  return node.op->properties.alias || node.op == &broadcast_def || (node.inputs.empty() && !draws);
}

namespace {

Value value_of(const Tensor& tensor) { return {tensor.node_id(), tensor.output()}; }

/// Something that the reverse body is given: its operand around the loop, and what it stands for in `both`.
struct Argument {
  Tensor operand;
  Value inside;
};

class ScanGradient {
 public:
  explicit ScanGradient(const Vjp& v) : v_(v), form_(v.node()), body_(*form_.body) {}

  Gradients run() {
    differentiate();
    collect_carried();
    for (const Tensor& result : results_) need(value_of(result));
    if (!missing_.empty()) return Gradients(static_cast<size_t>(form_.operands()), Gradient::not_implemented(missing_));
    return add_node();
  }

 private:
  size_t at(int i) const { return static_cast<size_t>(i); }

  /// Builds the forward body and its gradient in one graph.
  void differentiate() {
    for (const Tensor& input : body_.graph.inputs()) {
      stand_ins_.push_back(both_.input(input.node().name, input.shape(), input.dtype(), input.node().location));
    }
    forward_ = instantiate(body_, both_, stand_ins_);
    for (size_t i = 0; i < forward_.size(); ++i) {
      const bool carried = i < at(form_.carried);
      if (!is_float(forward_[i].dtype()) || (!carried && !v_.has_cotangent(static_cast<int>(i)))) continue;
      cotangents_[static_cast<int>(i)] =
          both_.input(fmt::format("cotangent_{}", i), forward_[i].shape(), forward_[i].dtype(), v_.node().location);
    }
    forward_end_ = both_.node_count();

    std::vector<Tensor> ys, cotangents, xs;
    for (const auto& [output, cotangent] : cotangents_) {
      ys.push_back(forward_[at(output)]);
      cotangents.push_back(cotangent);
    }
    for (const Tensor& stand_in : stand_ins_) {
      if (is_float(stand_in.dtype())) xs.push_back(stand_in);
    }
    const SourceScope scope(both_, v_.node(), "grad");
    const std::vector<Tensor> found = v_.differentiate()(ys, cotangents, xs);
    slopes_.resize(stand_ins_.size());
    for (size_t i = 0, next = 0; i < stand_ins_.size(); ++i) {
      if (is_float(stand_ins_[i].dtype())) slopes_[i] = found[next++];
    }
  }

  /// What the reverse scan carries: the cotangents of what the forward one carries, and sums for the constants.
  void collect_carried() {
    const SourceScope scope(both_, v_.node(), "grad");
    for (int i = 0; i < form_.carried; ++i) {
      if (!cotangents_.contains(i)) continue;  // an integer
      const Tensor last = v_.has_cotangent(i) ? v_.cotangent(i) : zeros_like(v_.input(i));
      add_carried(i, {last, value_of(cotangents_.at(i))},
                  slopes_[at(i)].valid() ? slopes_[at(i)] : zeros_like(stand_ins_[at(i)]));
    }
    for (int i = form_.carried + form_.sequences; i < form_.operands(); ++i) {
      if (!slopes_[at(i)].valid()) continue;
      const Tensor sum = both_.input(fmt::format("sum_{}", i), stand_ins_[at(i)].shape(), stand_ins_[at(i)].dtype(),
                                     v_.node().location);
      add_carried(i, {zeros_like(v_.input(i)), value_of(sum)}, sum + slopes_[at(i)]);
    }
    for (int i = form_.carried; i < form_.carried + form_.sequences; ++i) {
      if (!slopes_[at(i)].valid()) continue;
      result_of_[i] = static_cast<int>(results_.size());
      results_.push_back(slopes_[at(i)]);
    }
  }

  void add_carried(int operand, Argument first, const Tensor& next) {
    result_of_[operand] = static_cast<int>(results_.size());
    results_.push_back(next);
    given_.insert(first.inside);
    carried_.push_back(std::move(first));
  }

  /// The output of the forward scan that stores a value of its body, or -1.
  int stored_in(const Value& value) const {
    for (size_t i = at(form_.carried); i < forward_.size(); ++i) {
      if (value_of(forward_[i]) == value) return static_cast<int>(i);
    }
    return -1;
  }

  /// Finds the arguments that a value of the gradient is computed from.
  void need(const Value& value) {
    if (!seen_.insert(value).second || given_.contains(value)) return;
    const Node& node = both_.node(value.node);
    if (is_input(node)) return add_argument(value);
    if (value.node < forward_end_ && !is_recomputed(node)) {
      if (const int output = stored_in(value); output >= 0) return add_sequence({v_.output(output), value});
    }
    for (const Value& input : node.inputs) need(input);
  }

  void add_argument(const Value& value) {
    for (const auto& [output, cotangent] : cotangents_) {
      if (value_of(cotangent) == value) return add_sequence({v_.cotangent(output), value});
    }
    int operand = 0;
    while (value_of(stand_ins_[at(operand)]) != value) ++operand;
    if (form_.is_sequence(operand)) return add_sequence({v_.input(operand), value});
    if (operand >= form_.carried) {
      given_.insert(value);
      constants_.push_back({v_.input(operand), value});
    } else if (const int output = stored_in(value); output >= 0) {
      add_sequence({v_.output(output), value});
    } else {
      missing_ = fmt::format("its body does not return the carried value {} that a step begins with", operand);
    }
  }

  void add_sequence(Argument argument) {
    given_.insert(argument.inside);
    sequences_.push_back(std::move(argument));
  }

  Gradients add_node() {
    auto reverse = std::make_shared<Subgraph>();
    std::vector<Tensor> operands;
    std::map<Value, Tensor> made;
    const auto take = [&](const std::vector<Argument>& arguments, const char* name) {
      for (size_t i = 0; i < arguments.size(); ++i) {
        operands.push_back(arguments[i].operand);
        const Node& node = both_.node(arguments[i].inside.node);
        const TensorType& type = node.outputs[static_cast<size_t>(arguments[i].inside.output)];
        made[arguments[i].inside] =
            reverse->graph.input(fmt::format("{}_{}", name, i), type.shape, type.dtype, node.location);
      }
    };
    take(carried_, "carried");
    take(sequences_, "sequence");
    take(constants_, "constant");

    std::vector<Tensor> inputs;
    std::set<int> nodes;
    for (const Value& value : seen_) {
      if (!made.contains(value)) nodes.insert(value.node);
    }
    for (const int id : nodes) {
      const Node& node = both_.node(id);
      inputs.clear();
      for (const Value& value : node.inputs) inputs.push_back(made.at(value));
      const Tensor copy = reverse->graph.add_copy(node, inputs, node.attributes);
      for (int i = 0; i < node.output_count(); ++i) {
        made.emplace(Value{id, i}, reverse->graph.tensor(copy.node_id(), i));
      }
    }
    for (const Tensor& result : results_) reverse->outputs.push_back(made.at(value_of(result)));
    const int carried = static_cast<int>(carried_.size());
    store_values(*reverse, carried);

    ScanForm form;
    form.body = reverse;
    form.carried = carried;
    form.sequences = static_cast<int>(sequences_.size());
    form.reverse = !form_.reverse;
    form.length = form_.length;
    const Tensor node = v_.graph().add(scan_def, operands, form.attributes(), v_.node().location);
    Gradients gradients(at(form_.operands()), Gradient::none());
    for (const auto& [operand, result] : result_of_) {
      gradients[at(operand)] = v_.graph().tensor(node.node_id(), result);
    }
    return gradients;
  }

  const Vjp& v_;
  const ScanForm form_;
  const Subgraph& body_;
  Graph both_;
  std::vector<Tensor> stand_ins_, forward_;  // of the body's inputs and outputs
  std::map<int, Tensor> cotangents_;         // by output of the body
  std::vector<Tensor> slopes_;               // by operand; what one step adds
  int forward_end_ = 0;
  std::vector<Argument> carried_, sequences_, constants_;
  std::vector<Tensor> results_;  // of the reverse body
  std::map<int, int> result_of_;
  std::set<Value> given_, seen_;
  std::string missing_;
};

}  // namespace

Gradients scan_gradients(const Vjp& v) { return ScanGradient(v).run(); }

}  // namespace gradloom::inline v0
