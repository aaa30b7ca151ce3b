#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/body_internal.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/kernel.hpp>

#include <fmt/format.h>

#include <map>
#include <set>

namespace gradloom::inline v0 {

const OpDef body_argument_def{
    .name = "body_argument",
    .rule = "what a body's function was given, and what it made of that, lives in the body alone: return it from there",
    .shape = [](const ShapeContext& context) -> std::vector<TensorType> {
      return {{context.attributes().get<DType>("dtype"), context.attributes().get<Shape>("shape")}};
    },
    .no_gradient = "it has no inputs of its own",
    .plan = [](const KernelRequest& request) -> KernelPlan {
      throw Error({.problem = "a Tensor of the body of a scan, cond or while_loop is used outside of it",
                   .op = std::string(request.node().op->name),
                   .node = request.node().name,
                   .location = to_string(request.node().location),
                   .rule = std::string(request.node().op->rule)});
    }};

const TensorType& type_of(const Tensor& tensor) { return tensor.node().outputs[static_cast<size_t>(tensor.output())]; }

std::string type_text(const Tensor& tensor) { return to_string(type_of(tensor)); }

BodyTrace::BodyTrace(Graph& graph, std::string_view op, SourceLocation location)
    : graph_(graph),
      op_(op),
      location_(graph.user_line(location)),
      first_(graph.node_count()),
      side_updates_(graph.side_updates().size()) {}

Tensor BodyTrace::argument(const TensorType& type) {
  arguments_.push_back(graph_.add(body_argument_def, {}, {{"dtype", type.dtype}, {"shape", type.shape}}, location_));
  return arguments_.back();
}

void BodyTrace::fail(std::string problem, std::string_view rule) const {
  throw Error({.problem = std::move(problem), .op = op_, .location = to_string(location_), .rule = std::string(rule)});
}

void BodyTrace::finish(std::span<const Tensor> results) {
  for (size_t i = 0; i < results.size(); ++i) {
    if (!results[i].valid()) fail(fmt::format("result {} of the body is an empty Tensor", i), "a body returns Tensors");
    if (&results[i].graph() != &graph_) {
      fail(fmt::format("result {} of the body, \"{}\", belongs to another graph", i, results[i].name()),
           "a body computes in the graph of its arguments");
    }
  }
  for (const Update& update : graph_.side_updates().subspan(side_updates_)) {
    if (update.value.node_id() < first_) continue;
    fail(fmt::format("the body updates \"{}\"", update.parameter.name()),
         "a body runs many times or not at all: carry what changes from step to step");
  }
}

// Parameters and inputs that the function made (a layer's first call) are of the graph around: a run binds them once.
bool BodyTrace::is_inside(const Node& node) const {
  return (node.id >= first_ && !is_input(node) && !is_parameter(node)) || is_constant(node);
}

std::vector<Tensor> BodyTrace::captured(std::span<const Tensor> results) const {
  std::set<Value> found;
  std::set<int> seen;
  std::vector<Value> stack;
  for (const Tensor& result : results) stack.push_back({result.node_id(), result.output()});
  while (!stack.empty()) {
    const Value value = stack.back();
    stack.pop_back();
    const Node& node = graph_.node(value.node);
    if (!is_inside(node)) {
      found.insert(value);
    } else if (seen.insert(value.node).second) {
      stack.insert(stack.end(), node.inputs.begin(), node.inputs.end());
    }
  }
  std::vector<Tensor> captured;
  for (const Value& value : found) captured.push_back(graph_.tensor(value.node, value.output));
  return captured;
}

std::shared_ptr<Subgraph> BodyTrace::extract(std::span<const Tensor> results, std::span<const std::string> names,
                                             std::span<const Tensor> constants) const {
  auto body = std::make_shared<Subgraph>();
  std::map<Value, Tensor> made;
  const auto add_input = [&](const std::string& name, const Tensor& tensor) {
    made[{tensor.node_id(), tensor.output()}] =
        body->graph.input(name, tensor.shape(), tensor.dtype(), tensor.node().location);
  };
  for (size_t i = 0; i < arguments_.size(); ++i) add_input(names[i], arguments_[i]);
  for (size_t i = 0; i < constants.size(); ++i) add_input(fmt::format("constant_{}", i), constants[i]);

  std::set<int> needed;
  std::vector<int> stack;
  const auto need = [&](const Value& value) {
    if (!made.contains(value) && needed.insert(value.node).second) stack.push_back(value.node);
  };
  for (const Tensor& result : results) need({result.node_id(), result.output()});
  while (!stack.empty()) {
    const int node = stack.back();
    stack.pop_back();
    for (const Value& value : graph_.node(node).inputs) need(value);
  }
  std::vector<Tensor> inputs;
  for (const int id : needed) {
    const Node& node = graph_.node(id);
    inputs.clear();
    for (const Value& value : node.inputs) inputs.push_back(made.at(value));
    const Tensor copy = body->graph.add_copy(node, inputs, node.attributes);
    for (int i = 0; i < node.output_count(); ++i) made[{id, i}] = body->graph.tensor(copy.node_id(), i);
  }
  for (const Tensor& result : results) body->outputs.push_back(made.at({result.node_id(), result.output()}));
  return body;
}

}  // namespace gradloom::inline v0
