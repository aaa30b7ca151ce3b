#include <gradloom/graph/bodies.hpp>
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/nn/summary.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/convolution.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/pooling.hpp>
#include <gradloom/ops/scan.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace gradloom::inline v0::nn {

namespace {

/// The scope of a name: all before the last "/".
std::string scope_of(std::string_view name) {
  return std::string(name.substr(0, name.rfind('/') == std::string_view::npos ? 0 : name.rfind('/')));
}

/// The innermost scope that holds both, or is one of them.
std::string common_scope(std::string a, std::string_view b) {
  while (!a.empty() && b != a && !b.starts_with(a + "/")) a = scope_of(a);
  return a;
}

struct Row {
  std::string name;
  std::string composition;  // of its nodes, or empty
  bool is_layer = false;    // its name is a scope with parameters
  Shape shape;
  DType dtype = DType::f32;
  Dim parameters = 0, flops = 0;
};

class Summary {
 public:
  Summary(const Tensor& output, const std::vector<SymbolBinding>& sizes)
      : graph_(output.graph()), sizes_(sizes), needed_(needed_nodes(graph_, {&output, 1})) {
    for (const Tensor& parameter : graph_.parameters()) {
      for (std::string scope = scope_of(parameter.node().name); !scope.empty(); scope = scope_of(scope))
        scopes_.insert(scope);
    }
    fixed_.resize(needed_.size());
    owners_.resize(needed_.size());
    last_used_.resize(needed_.size());
    last_used_[static_cast<size_t>(output.node_id())] = output.output();
    for (int id = 0; id < graph_.node_count(); ++id) {
      if (!needed_[static_cast<size_t>(id)]) continue;
      for (const Value& input : graph_.node(id).inputs) {
        int& last = last_used_[static_cast<size_t>(input.node)];
        last = std::max(last, input.output);
      }
    }
  }

  std::string text() {
    for (int id = 0; id < graph_.node_count(); ++id) {
      if (needed_[static_cast<size_t>(id)]) visit(graph_.node(id));
    }
    return table();
  }

 private:
  void visit(const Node& node) {
    const auto at = static_cast<size_t>(node.id);
    if (is_parameter(node)) {
      fixed_[at] = true;
      owners_[at] = scope_of(node.name).empty() ? node.name : scope_of(node.name);
      return;
    }
    if (is_input(node)) return;
    // What is made of parameters and constants alone is a part of the layer that uses it, not one of its own.
    fixed_[at] = std::all_of(node.inputs.begin(), node.inputs.end(),
                             [&](const Value& v) { return fixed_[static_cast<size_t>(v.node)]; });
    bool owned = false;
    for (const Value& input : node.inputs) {
      const std::string& owner = owners_[static_cast<size_t>(input.node)];
      if (!fixed_[static_cast<size_t>(input.node)] || owner.empty()) continue;
      if (!owned) {
        owners_[at] = owner;
      } else if (node.op->properties.runs_bodies) {  // a loop uses the parameters of all that is in it
        owners_[at] = common_scope(owners_[at], owner);
      }
      owned = true;
    }
    Dim parameters = 0;
    for (const Value& input : node.inputs) {
      if (is_parameter(graph_.node(input.node)) && counted_.insert(input.node).second)
        parameters = parameters + elements(input);
    }
    if (fixed_[at]) {
      waiting_ = waiting_ + parameters;
      return;
    }
    find_row(node);
    if (node.op->properties.runs_bodies) take_parts_in();
    Row& row = rows_.back();
    // Of a scan, what it gives for each step rather than what it carries.
    const TensorType& result = node.outputs[node.op == &scan_def ? static_cast<size_t>(last_used_[at]) : 0];
    row.shape = result.shape.bind(sizes_);
    row.dtype = result.dtype;
    row.parameters = row.parameters + parameters + std::exchange(waiting_, 0);
    row.flops = row.flops + flops(node);
  }

  /// Makes the row that a node belongs to the last one: that of its layer, or of the composition it is a part of.
  void find_row(const Node& node) {
    const std::string& owner = owners_[static_cast<size_t>(node.id)];
    std::string scope = node.path;
    while (!scope.empty() && !scopes_.contains(scope)) scope = scope_of(scope);
    std::string composition = node.path.substr(scope.empty() || scope == node.path ? scope.size() : scope.size() + 1);
    composition = composition.substr(0, composition.find('/'));
    const std::string prefix = scope.empty() ? "" : scope + "/";

    const bool same_composition = !rows_.empty() && !composition.empty() && rows_.back().composition == composition;
    if (!owner.empty()) {
      const bool same_layer = !rows_.empty() && rows_.back().name == owner;
      // The first nodes of a composition may come before the first that uses its parameters.
      if (!same_layer && !(same_composition && !rows_.back().is_layer)) rows_.push_back({});
      rows_.back().name = owner;
      rows_.back().is_layer = true;
      if (!composition.empty()) rows_.back().composition = composition;
    } else if (!same_composition) {
      rows_.push_back({});
      rows_.back().name = prefix + (composition.empty() ? std::string(node.op->name) : composition);
      rows_.back().composition = composition;
    }
  }

  /// What a loop needs of its own parts, such as projections for all steps at once, comes before it.
  void take_parts_in() {
    Row loop = std::move(rows_.back());
    rows_.pop_back();
    while (!rows_.empty() && rows_.back().name.starts_with(loop.name + "/")) {
      loop.parameters = loop.parameters + rows_.back().parameters;
      loop.flops = loop.flops + rows_.back().flops;
      rows_.pop_back();
    }
    rows_.push_back(std::move(loop));
  }

  [[nodiscard]] Dim elements(const Value& value) const {
    return graph_.node(value.node).outputs[static_cast<size_t>(value.output)].shape.bind(sizes_).element_count();
  }

  [[nodiscard]] Dim flops(const Node& node) const { return flops_of(graph_, node); }

  [[nodiscard]] Dim flops_of(const Graph& graph, const Node& node) const {
    const auto shape = [&](size_t i) {
      const Value& value = node.inputs[i];
      return graph.node(value.node).outputs[static_cast<size_t>(value.output)].shape.bind(sizes_);
    };
    const auto count = [&](size_t i) { return shape(i).element_count(); };
    const Dim results = node.outputs[0].shape.bind(sizes_).element_count();
    if (node.op == &matmul_def) return 2 * results * shape(0)[node.attributes.get<bool>("transpose_a") ? -2 : -1];
    if (node.op == &convolution_def || node.op == &convolution_data_gradient_def) {
      // Each element of the side with the weights' last axis meets all weights of its channel.
      return 2 * (node.op == &convolution_def ? results : count(0)) * (count(1) / shape(1)[-1]);
    }
    if (node.op == &attention_def || node.op == &biased_attention_def || node.op == &dropped_attention_def)
      return 2 * shape(1)[-3] * (count(0) + results);
    if (node.op == &max_pool_def || node.op == &pool_sum_def) {
      Dim window = 1;
      for (const int64_t size : node.attributes.get<std::vector<int64_t>>("window")) window = window * size;
      return results * window;
    }
    if (node.op->properties.runs_bodies) {
      Dim bodies = 0;
      for (const std::shared_ptr<const Subgraph>& body : bodies_of(node)) {
        for (int id = 0; id < body->graph.node_count(); ++id)
          bodies = bodies + flops_of(body->graph, body->graph.node(id));
      }
      return node.op == &scan_def ? bodies * node.attributes.get<Dim>("length").bind(sizes_) : bodies;
    }
    if (node.op->pointwise != nullptr) return results;
    return node.op->fused_reduce >= 0 ? count(0) : Dim(0);
  }

  static std::string number(const Dim& count) {
    std::string text = count.to_string();
    if (!count.known()) return text;
    for (int at = static_cast<int>(text.size()) - 3; at > (count.value() < 0 ? 1 : 0); at -= 3)
      text.insert(static_cast<size_t>(at), ",");
    return text;
  }

  [[nodiscard]] std::string table() const {
    using Cells = std::array<std::string, 5>;
    std::vector<Cells> lines = {{"layer", "result", "parameters", "flops", "bytes"}};
    Dim parameters = 0, flops = 0, bytes = 0;
    for (const Row& row : rows_) {
      const Dim size = row.shape.element_count() * static_cast<int64_t>(size_of(row.dtype));
      lines.push_back({row.name, fmt::format("{}{}", to_string(row.dtype), row.shape.to_string()),
                       number(row.parameters), number(row.flops), number(size)});
      parameters = parameters + row.parameters;
      flops = flops + row.flops;
      bytes = bytes + size;
    }
    lines.push_back({"all", "", number(parameters), number(flops), number(bytes)});
    std::array<size_t, 5> widths{};
    for (const Cells& cells : lines) {
      for (size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], cells[i].size());
    }
    std::string text;
    for (const Cells& cells : lines) {
      text += fmt::format("{:<{}}  {:<{}}  {:>{}}  {:>{}}  {:>{}}\n", cells[0], widths[0], cells[1], widths[1],
                          cells[2], widths[2], cells[3], widths[3], cells[4], widths[4]);
    }
    return text + parameter_line();
  }

  [[nodiscard]] std::string parameter_line() const {
    Dim trainable = 0, frozen = 0;
    int64_t bytes = 0;
    for (const int id : counted_) {
      const Node& node = graph_.node(id);
      const Dim count = elements({id, 0});
      Dim& sum = is_trainable(node) ? trainable : frozen;
      sum = sum + count;
      bytes += count.value() * static_cast<int64_t>(size_of(node.outputs[0].dtype));
    }
    return fmt::format("parameters: {} trainable, {} frozen, {} bytes\n", number(trainable), number(frozen),
                       number(bytes));
  }

  Graph& graph_;
  const std::vector<SymbolBinding>& sizes_;
  std::vector<bool> needed_;
  std::set<std::string> scopes_;     // with parameters in them, at any depth
  std::vector<bool> fixed_;          // by node: depends on no input
  std::vector<std::string> owners_;  // by node: the scope of the parameters it uses
  std::vector<int> last_used_;       // by node: of its outputs
  std::set<int> counted_;            // parameters
  Dim waiting_ = 0;                  // parameters of nodes that are fixed, for the row that uses them
  std::vector<Row> rows_;
};

}  // namespace

std::string summary(const Tensor& output, const std::vector<SymbolBinding>& sizes) {
  return Summary(output, sizes).text();
}

}  // namespace gradloom::inline v0::nn
