// The passes that are too short for a file of their own.
#include <gradloom/graph/attributes.hpp>
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/ops/body_internal.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/runtime/bodies_internal.hpp>
#include <gradloom/runtime/passes_internal.hpp>

#include <algorithm>
#include <cstring>

namespace gradloom::inline v0 {

namespace {

class ModeSelector final : public Rewriter {
 public:
  ModeSelector(const Module& from, Mode mode) : Rewriter(from), mode_(mode) {}

 protected:
  std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs) override {
    if (node.op->properties.by_mode) return {inputs[mode_ == Mode::training ? 0 : 1]};
    return Rewriter::rewrite(node, inputs);
  }

 private:
  Mode mode_;
};

class ConstantBaker final : public Rewriter {
 public:
  ConstantBaker(const Module& from, const State& constants) : Rewriter(from), constants_(constants) {}

 protected:
  std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs) override {
    const bool updated = std::any_of(updates().begin(), updates().end(),
                                     [&](const Update& update) { return update.parameter.node().name == node.name; });
    if (!is_parameter(node) || updated || !constants_.has(node.name)) return Rewriter::rewrite(node, inputs);
    const Array value = constants_.get(node.name);
    const TensorType& type = node.outputs[0];
    if (value.dtype() != type.dtype || value.sizes() != type.shape.sizes()) {
      throw Error(
          {.problem = "the State to bake in has it as " + value.to_string().substr(0, value.to_string().find(']') + 1),
           .op = "parameter",
           .node = node.name,
           .location = to_string(node.location),
           .rule = "a value that is baked in has the parameter's dtype and shape, " + to_string(type)});
    }
    Literal literal{type.dtype, value.sizes(), std::vector<std::byte>(value.byte_size())};
    if (value.byte_size() > 0) std::memcpy(literal.bytes.data(), value.raw(), value.byte_size());
    Node constant = node;
    constant.op = &constant_def;
    return copy(constant, {}, {{"literal", std::make_shared<const Literal>(std::move(literal))}});
  }

 private:
  const State& constants_;
};

class Stabilizer final : public Rewriter {
 public:
  using Rewriter::Rewriter;

 protected:
  std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs) override {
    const Tensor stable = apply(node.op->stabilize, node, inputs);
    return stable.valid() ? std::vector<Tensor>{stable} : Rewriter::rewrite(node, inputs);
  }
};

/// Those of the graph's side updates that need no other inputs than the rest of the Program; of several to a parameter,
/// the last.
std::vector<Update> side_updates_of(const CompileOptions& options, const Graph& graph) {
  std::vector<Tensor> results = options.outputs;
  for (const Update& update : options.updates) results.push_back(update.value);
  const std::vector<bool> needed = needed_nodes(graph, results);
  const auto fits = [&](const Update& update) {
    const std::vector<bool> wanted = needed_nodes(graph, {&update.value, 1});
    for (int id = 0; id < graph.node_count(); ++id) {
      const auto at = static_cast<size_t>(id);
      const bool given = is_input(graph.node(id)) || graph.node(id).op == &body_argument_def;
      if (wanted[at] && given && !needed[at]) return false;
    }
    return true;
  };
  std::vector<Update> chosen;
  for (size_t i = graph.side_updates().size(); i-- > 0;) {
    const Update& update = graph.side_updates()[i];
    const bool known = std::any_of(chosen.begin(), chosen.end(),
                                   [&](const Update& later) { return same(later.parameter, update.parameter); });
    if (!known && fits(update)) chosen.push_back(update);
  }
  std::reverse(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace

Module select_mode(const Module& module, Mode mode) {
  return everywhere(module, [&](const Module& m) { return ModeSelector(m, mode).run(); });
}

Module bake_constants(const Module& module, const State& constants) { return ConstantBaker(module, constants).run(); }

Module stabilize(const Module& module) {
  return everywhere(module, [](const Module& m) { return Stabilizer(m).run(); });
}

Module snapshot(const CompileOptions& options) {
  const auto complain = [](const std::string& problem, const Node* node) {
    throw Error(
        {.problem = problem,
         .op = "compile",
         .node = node == nullptr ? "" : node->label(),
         .location = node == nullptr ? "" : to_string(node->location),
         .rule = "compile needs outputs or updates, all of one graph, and each parameter updated once at most"});
  };
  if (options.outputs.empty() && options.updates.empty()) complain("neither outputs nor updates are given", nullptr);
  const Tensor& any = options.outputs.empty() ? options.updates[0].value : options.outputs[0];
  const Graph& graph = any.graph();
  const auto check = [&](const Tensor& tensor) {
    if (&tensor.graph() != &graph) complain("it is of another graph", &tensor.node());
  };
  for (const Tensor& output : options.outputs) check(output);
  for (const Update& update : options.updates) check(update.value);
  std::vector<Update> updates = options.updates;
  if (options.mode == Mode::training && options.side_updates) {
    for (Update& update : side_updates_of(options, graph)) updates.push_back(std::move(update));
  }
  for (size_t i = 0; i < updates.size(); ++i) {
    const Tensor &parameter = updates[i].parameter, &value = updates[i].value;
    check(parameter);
    check(value);
    if (!is_parameter(parameter.node())) complain("it is to be updated but is no parameter", &parameter.node());
    if (parameter.dtype() != value.dtype() || parameter.shape() != value.shape()) {
      complain("its update is " + to_string(value.node().outputs[static_cast<size_t>(value.output())]) + ", it is " +
                   to_string(parameter.node().outputs[0]),
               &parameter.node());
    }
    for (size_t j = 0; j < i; ++j) {
      if (same(updates[j].parameter, parameter)) complain("it is updated twice", &parameter.node());
    }
  }
  return Rewriter(graph, options.outputs, updates).run();
}

}  // namespace gradloom::inline v0
