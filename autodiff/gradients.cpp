// Reverse mode: one walk over the nodes between xs and y, from y back. Node numbers are a topological order, so the
// walk is a loop. Each node's rule turns the cotangents of its outputs into those of its inputs, and these are ordinary
// nodes: a second call differentiates them again.
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/autodiff/gradients_internal.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/movement.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

// Can two shapes turn out equal once symbols have values? A literal 1 is refused: broadcasting it would hide a rule
// that forgot to sum.
bool may_be_equal(const Shape& from, const Shape& to) {
  return std::equal(from.begin(), from.end(), to.begin(), to.end(),
                    [](const Dim& a, const Dim& b) { return a == b || (!(a - b).known() && a != Dim(1)); });
}

std::string described(const Node& node) {
  const std::string place = to_string(node.location);
  return fmt::format("{} \"{}\"{}", node.op->name, node.label(), place.empty() ? "" : " (" + place + ")");
}

/// Which values up to `last` are an x or depend on one.
class Dependence {
 public:
  Dependence(const Graph& graph, int last, std::span<const Tensor> xs)
      : outputs_(static_cast<size_t>(last) + 1), nodes_(outputs_.size(), false) {
    for (const Tensor& x : xs) {
      if (x.node_id() <= last) outputs_[static_cast<size_t>(x.node_id())].push_back(x.output());
    }
    for (size_t id = 0; id < nodes_.size(); ++id) {
      const std::vector<Value>& inputs = graph.node(static_cast<int>(id)).inputs;
      nodes_[id] = std::any_of(inputs.begin(), inputs.end(), [&](const Value& input) { return value(input); });
    }
  }

  /// Does one of its inputs?
  bool node(int id) const { return nodes_[static_cast<size_t>(id)]; }
  bool value(const Value& value) const {
    const std::vector<int>& xs = outputs_[static_cast<size_t>(value.node)];
    return node(value.node) || std::find(xs.begin(), xs.end(), value.output) != xs.end();
  }

 private:
  std::vector<std::vector<int>> outputs_;  // by node: which of its outputs are an x
  std::vector<bool> nodes_;
};

std::vector<Tensor> differentiate_body(std::span<const Tensor> ys, std::span<const Tensor> cotangents,
                                       std::span<const Tensor> xs);

class Sweep {
 public:
  Sweep(const Operand& y, std::span<const Tensor> xs) : y_(y.tensor()), xs_(xs), location_(y.location()) {
    if (y.is_number()) fail("y is a number or an empty Tensor", "gradients needs a Tensor");
    graph_ = &y_.graph();
    location_ = graph_->user_line(location_);
    if (!is_float(computed_as(y_.dtype()))) {
      fail(fmt::format("y \"{}\" is {}", y_.name(), to_string(y_.node().outputs[output_index(y_)])),
           "only float tensors have gradients");
    }
    for (size_t i = 0; i < xs.size(); ++i) check_x(i);
  }

  /// One cotangent for each y. An x that no y depends on gets an empty Tensor.
  std::vector<Tensor> pull_back(std::span<const Tensor> ys, std::span<const Tensor> cotangents) {
    for (const Tensor& y : ys) last_ = std::max(last_, y.node_id());
    const Dependence on_xs(*graph_, last_, xs_);
    cotangents_.resize(static_cast<size_t>(last_) + 1);
    for (size_t i = 0; i < ys.size(); ++i) accumulate({ys[i].node_id(), ys[i].output()}, cotangents[i]);
    for (int id = last_; id >= 0; --id) {
      const bool reached = !cotangents_[static_cast<size_t>(id)].empty();
      if (reached && on_xs.node(id)) differentiate(graph_->node(id), on_xs);
    }
    std::vector<Tensor> results;
    for (const Tensor& x : xs_) results.push_back(cotangent_of(x));
    return results;
  }

  std::vector<Tensor> run(const Tensor& cotangent, CutPaths cut_paths) {
    const Tensor start = seed(cotangent);
    std::vector<Tensor> results = pull_back({&y_, 1}, {&start, 1});
    for (size_t i = 0; i < xs_.size(); ++i) {
      const Tensor& x = xs_[i];
      if (results[i].valid()) continue;
      if (cut_paths == CutPaths::refuse) refuse_cut_path(x);
      const SourceScope scope(*graph_, x.node(), "grad");
      results[i] = full(*graph_, x.shape(), 0, computed_as(x.dtype()));
    }
    return results;
  }

 private:
  static size_t output_index(const Tensor& tensor) { return static_cast<size_t>(tensor.output()); }

  [[noreturn]] void fail(std::string problem, std::string rule, std::string details = {}) const {
    throw Error({.problem = std::move(problem),
                 .op = "gradients",
                 .location = to_string(location_),
                 .details = std::move(details),
                 .rule = std::move(rule)});
  }

  void check_x(size_t i) const {
    const Tensor& x = xs_[i];
    if (!x.valid()) fail(fmt::format("x {} is an empty Tensor", i), "gradients needs Tensors");
    if (&x.graph() != graph_) {
      fail(fmt::format("x {} \"{}\" belongs to another graph than y \"{}\"", i, x.name(), y_.name()),
           "a gradient is taken within one graph");
    }
    if (!is_float(computed_as(x.dtype()))) {
      fail(fmt::format("x {} \"{}\" is {}", i, x.name(), to_string(x.node().outputs[output_index(x)])),
           "only float tensors have gradients");
    }
  }

  Tensor seed(const Tensor& cotangent) const {
    const SourceScope scope(*graph_, y_.node(), "grad");
    if (!cotangent.valid()) return full(*graph_, y_.shape(), 1, computed_as(y_.dtype()));
    if (&cotangent.graph() != graph_) {
      fail(fmt::format("the cotangent \"{}\" belongs to another graph than y \"{}\"", cotangent.name(), y_.name()),
           "a gradient is taken within one graph");
    }
    const TensorType& given = cotangent.node().outputs[output_index(cotangent)];
    const TensorType& needed = y_.node().outputs[output_index(y_)];
    if (given.dtype != computed_as(needed.dtype) || !may_be_equal(given.shape, needed.shape)) {
      fail(fmt::format("the cotangent \"{}\" is {}, y \"{}\" is {}", cotangent.name(), to_string(given), y_.name(),
                       to_string(needed)),
           needed.dtype == DType::bf16 ? "the cotangent has the shape of y, and is f32 where y is bf16"
                                       : "the cotangent has the shape and dtype of y");
    }
    return broadcast(cotangent, needed.shape);
  }

  void differentiate(const Node& node, const Dependence& on_xs) {
    const OpDef& op = *node.op;
    if (op.vjp == nullptr) {
      if (op.no_gradient.empty()) fault(node, "is missing, and so is the reason why there is none");
      cuts_.push_back(node.id);
      return;
    }
    std::vector<Tensor> cotangents = cotangents_[static_cast<size_t>(node.id)];
    cotangents.resize(node.outputs.size());
    const SourceScope scope(*graph_, node, "grad");
    const Gradients returned = op.vjp(Vjp(*graph_, node, std::move(cotangents), differentiate_body));
    if (returned.size() != node.inputs.size()) {
      fault(node, fmt::format("returned {} gradients for {} inputs", returned.size(), node.inputs.size()));
    }
    for (size_t i = 0; i < returned.size(); ++i) {
      if (!on_xs.value(node.inputs[i])) continue;
      if (returned[i].kind() == Gradient::Kind::none) {
        end_walk(node.inputs[i], on_xs);
        continue;
      }
      if (returned[i].kind() == Gradient::Kind::not_implemented) {
        fail(fmt::format("the gradient of {} has not been implemented for {}: {}", described(node),
                         operand_name(op, static_cast<int>(i)), returned[i].why()),
             "every op between an x and y needs a gradient", describe_operands(*graph_, op, node.inputs));
      }
      accumulate(node.inputs[i], checked(node, i, returned[i].tensor()));
    }
  }

  /// Notes where an x turned into the integer `value`: an index leads nowhere. A boolean is no such end: the derivative
  /// of a relu depends on x through a condition alone, and its own derivative is 0.
  void end_walk(const Value& value, const Dependence& on_xs) {
    const auto is_integer_of_x = [&](const Value& v) {
      return on_xs.value(v) && is_integer(graph_->node(v.node).outputs[static_cast<size_t>(v.output)].dtype);
    };
    if (!is_integer_of_x(value)) return;
    const Node* node = &graph_->node(value.node);
    for (;;) {
      const auto next = std::find_if(node->inputs.begin(), node->inputs.end(), is_integer_of_x);
      if (next == node->inputs.end()) break;
      node = &graph_->node(next->node);
    }
    if (!node->op->no_gradient.empty()) cuts_.push_back(node->id);
  }

  /// The gradient for input i, in exactly the input's shape.
  Tensor checked(const Node& node, size_t i, const Tensor& gradient) const {
    const Value& value = node.inputs[i];
    const TensorType& needed = graph_->node(value.node).outputs[static_cast<size_t>(value.output)];
    const std::string who = operand_name(*node.op, static_cast<int>(i));
    if (!gradient.valid()) fault(node, fmt::format("returned an empty Tensor for {}", who));
    if (&gradient.graph() != graph_) fault(node, fmt::format("returned a Tensor of another graph for {}", who));
    const TensorType& given = gradient.node().outputs[output_index(gradient)];
    if (given.dtype != computed_as(needed.dtype) || !may_be_equal(given.shape, needed.shape)) {
      fault(node, fmt::format("returned {} for {}, which is {}", to_string(given), who, to_string(needed)));
    }
    return broadcast(gradient, needed.shape);  // no node unless the shapes are written differently
  }

  /// A mistake of the op, not of the user.
  [[noreturn]] void fault(const Node& node, const std::string& what) const {
    throw Error({.problem = fmt::format("the gradient rule of op {} {}", node.op->name, what),
                 .op = std::string(node.op->name),
                 .node = node.name,
                 .location = to_string(node.location),
                 .details = describe_operands(*graph_, *node.op, node.inputs),
                 .rule = "a gradient rule returns one gradient per input, of the input's shape and dtype"});
  }

  void accumulate(const Value& value, const Tensor& cotangent) {
    std::vector<Tensor>& outputs = cotangents_[static_cast<size_t>(value.node)];
    if (outputs.empty()) outputs.resize(graph_->node(value.node).outputs.size());
    Tensor& sum = outputs[static_cast<size_t>(value.output)];
    sum = sum.valid() ? sum + cotangent : cotangent;
  }

  Tensor cotangent_of(const Tensor& x) const {
    if (x.node_id() > last_) return {};
    const std::vector<Tensor>& outputs = cotangents_[static_cast<size_t>(x.node_id())];
    return outputs.empty() ? Tensor() : outputs[output_index(x)];
  }

  /// Throws if x leads to an op where the walk ended.
  void refuse_cut_path(const Tensor& x) const {
    if (cuts_.empty()) return;
    const Dependence on_x(*graph_, y_.node_id(), {&x, 1});
    const auto cut = std::find_if(cuts_.rbegin(), cuts_.rend(), [&](int id) { return on_x.node(id); });
    if (cut == cuts_.rend()) return;
    const Node& node = graph_->node(*cut);
    fail(fmt::format("no differentiable path leads from x \"{}\" to y \"{}\"", x.name(), y_.name()),
         "if zero is what you want, leave x out or use stop_gradient",
         fmt::format("{} has no gradient: {}", described(node), node.op->no_gradient));
  }

  Tensor y_;
  std::span<const Tensor> xs_;
  SourceLocation location_;
  Graph* graph_ = nullptr;
  int last_ = -1;                                // node
  std::vector<std::vector<Tensor>> cotangents_;  // by node and output; an empty Tensor is a symbolic zero
  std::vector<int> cuts_;                        // nodes without a gradient where the walk ended, from y back
};

// What rules of ops with bodies are lent.
std::vector<Tensor> differentiate_body(std::span<const Tensor> ys, std::span<const Tensor> cotangents,
                                       std::span<const Tensor> xs) {
  if (ys.empty()) return std::vector<Tensor>(xs.size());
  return Sweep(ys[0], xs).pull_back(ys, cotangents);
}

}  // namespace

std::vector<Tensor> gradients(const Operand& y, std::span<const Tensor> xs, const Tensor& cotangent,
                              CutPaths cut_paths) {
  return Sweep(y, xs).run(cotangent, cut_paths);
}

std::vector<Tensor> weighted_gradients(std::span<const Tensor> ys, std::span<const Tensor> weights,
                                       std::span<const Tensor> xs, SourceLocation location) {
  std::vector<Tensor> sums(xs.size());
  for (size_t i = 0; i < ys.size(); ++i) {
    const std::vector<Tensor> parts = gradients(Operand(ys[i], location), xs, weights[i], CutPaths::zero);
    for (size_t j = 0; j < xs.size(); ++j) sums[j] = sums[j].valid() ? sums[j] + parts[j] : parts[j];
  }
  return sums;
}

std::vector<Tensor> gradients(const Operand& y, std::span<const Tensor> xs, const Tensor& cotangent) {
  return gradients(y, xs, cotangent, CutPaths::refuse);
}

std::vector<Tensor> gradients(const Operand& y, std::initializer_list<Tensor> xs, const Tensor& cotangent) {
  return gradients(y, std::span<const Tensor>(xs.begin(), xs.size()), cotangent, CutPaths::refuse);
}

Tensor gradient(const Operand& y, const Tensor& x, const Tensor& cotangent) {
  return gradients(y, {&x, 1}, cotangent, CutPaths::refuse)[0];
}

}  // namespace gradloom::inline v0
