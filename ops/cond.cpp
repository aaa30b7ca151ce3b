// cond: one of two bodies. Its gradient is a cond of their gradients.
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/body_internal.hpp>
#include <gradloom/ops/cond.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/gradient.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace gradloom::inline v0 {

namespace {

using Body = std::shared_ptr<const Subgraph>;

constexpr std::string_view rule =
    "cond needs a boolean scalar, and two branches that return Tensors of the same shapes and dtypes";

std::vector<TensorType> shape(const ShapeContext& context) {
  if (context.dtype(0) != DType::boolean || context.shape(0).rank() != 0) {
    context.fail(fmt::format("the predicate is {}", to_string(context.input(0))));
  }
  std::vector<std::vector<TensorType>> types;
  for (const char* name : {"then", "otherwise"}) {
    const Subgraph& body = *context.attributes().get<Body>(name);
    const std::vector<Tensor> inputs = body.graph.inputs();
    if (static_cast<int>(inputs.size()) != context.input_count() - 1) {
      context.fail(fmt::format("{} operands given, \"{}\" takes {}", context.input_count() - 1, name, inputs.size()));
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      const TensorType &given = context.input(static_cast<int>(i) + 1), &inside = type_of(inputs[i]);
      if (given.dtype != inside.dtype || given.shape.rank() != inside.shape.rank()) {
        context.fail(fmt::format("operand {} is {}, \"{}\" takes {}", i, to_string(given), name, to_string(inside)));
      }
      for (int axis = 0; axis < given.shape.rank(); ++axis) {
        (void)context.require_equal(given.shape[axis], inside.shape[axis],
                                    "the sizes of an operand and of a branch's input");
      }
    }
    types.emplace_back();
    for (const Tensor& output : body.outputs) types.back().push_back(type_of(output));
  }
  if (types[0].size() != types[1].size()) {
    context.fail(fmt::format("one branch returns {} Tensors, the other {}", types[0].size(), types[1].size()));
  }
  for (size_t i = 0; i < types[0].size(); ++i) {
    if (types[0][i] == types[1][i]) continue;
    context.fail(fmt::format("result {} is {} in one branch, {} in the other", i, to_string(types[0][i]),
                             to_string(types[1][i])));
  }
  return types[0];
}

/// A branch's gradient as a body of (operands, cotangents): by operand, an empty Tensor where there is none.
struct BranchGradient {
  std::shared_ptr<Subgraph> body = std::make_shared<Subgraph>();
  std::vector<Tensor> operands, slopes;
};

BranchGradient differentiate(const Vjp& v, const Subgraph& branch) {
  BranchGradient made;
  Graph& graph = made.body->graph;
  for (const Tensor& input : branch.graph.inputs()) {
    made.operands.push_back(graph.input(fmt::format("operand_{}", made.operands.size()), input.shape(), input.dtype(),
                                        input.node().location));
  }
  std::vector<Tensor> ys, cotangents, xs;
  const std::vector<Tensor> outputs = instantiate(branch, graph, made.operands);
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!v.has_cotangent(static_cast<int>(i))) continue;
    ys.push_back(outputs[i]);
    cotangents.push_back(
        graph.input(fmt::format("cotangent_{}", i), outputs[i].shape(), outputs[i].dtype(), v.node().location));
  }
  for (const Tensor& operand : made.operands) {
    if (is_float(operand.dtype())) xs.push_back(operand);
  }
  const SourceScope scope(graph, v.node(), "grad");
  const std::vector<Tensor> found = v.differentiate()(ys, cotangents, xs);
  made.slopes.resize(made.operands.size());
  for (size_t i = 0, next = 0; i < made.operands.size(); ++i) {
    if (is_float(made.operands[i].dtype())) made.slopes[i] = found[next++];
  }
  return made;
}

Gradients vjp(const Vjp& v) {
  BranchGradient branches[] = {differentiate(v, *v.attributes().get<Body>("then")),
                               differentiate(v, *v.attributes().get<Body>("otherwise"))};
  Gradients gradients(static_cast<size_t>(v.input_count()), Gradient::none());
  std::vector<size_t> differentiable;
  for (size_t i = 0; i < branches[0].slopes.size(); ++i) {
    if (!branches[0].slopes[i].valid() && !branches[1].slopes[i].valid()) continue;
    differentiable.push_back(i + 1);
    for (BranchGradient& branch : branches) {
      const SourceScope scope(branch.body->graph, v.node(), "grad");
      branch.body->outputs.push_back(branch.slopes[i].valid() ? branch.slopes[i] : zeros_like(branch.operands[i]));
    }
  }
  if (differentiable.empty()) return gradients;
  std::vector<Tensor> operands;
  for (int i = 0; i < v.input_count(); ++i) operands.push_back(v.input(i));
  for (int i = 0; i < v.node().output_count(); ++i) {
    if (v.has_cotangent(i)) operands.push_back(v.cotangent(i));
  }
  const Tensor made = v.graph().add(
      cond_def, operands, {{"then", Body(branches[0].body)}, {"otherwise", Body(branches[1].body)}}, v.node().location);
  for (size_t i = 0; i < differentiable.size(); ++i) {
    gradients[differentiable[i]] = v.graph().tensor(made.node_id(), static_cast<int>(i));
  }
  return gradients;
}

}  // namespace

const OpDef cond_def{.name = "cond",
                     .inputs = {"predicate", "operand"},
                     .variadic = true,
                     .rule = rule,
                     .shape = shape,
                     .vjp = vjp,
                     .properties = {.runs_bodies = true}};

std::vector<Tensor> cond(const Operand& predicate, Branch then, Branch otherwise) {
  if (predicate.is_number()) {
    throw Error({.problem = "the predicate is a number or an empty Tensor",
                 .op = "cond",
                 .location = to_string(predicate.location()),
                 .rule = std::string(rule)});
  }
  Graph& graph = predicate.tensor().graph();
  struct Traced {
    BodyTrace trace;
    std::vector<Tensor> results;
  };
  const auto traced = [&](Branch branch) {
    Traced made{BodyTrace(graph, "cond", predicate.location()), {}};
    made.results = branch();
    made.trace.finish(made.results);
    return made;
  };
  const Traced branches[] = {traced(then), traced(otherwise)};

  std::map<Value, Tensor> used;
  for (const Traced& branch : branches) {
    for (const Tensor& tensor : branch.trace.captured(branch.results)) {
      used.emplace(Value{tensor.node_id(), tensor.output()}, tensor);
    }
  }
  std::vector<Tensor> constants, operands = {predicate.tensor()};
  for (const auto& [value, tensor] : used) constants.push_back(tensor);
  operands.insert(operands.end(), constants.begin(), constants.end());
  const auto body = [&](const Traced& branch) { return Body(branch.trace.extract(branch.results, {}, constants)); };
  const Attributes attributes{{"then", body(branches[0])}, {"otherwise", body(branches[1])}};
  const Tensor made = graph.add(cond_def, operands, attributes, predicate.location());
  std::vector<Tensor> results;
  for (int i = 0; i < made.node().output_count(); ++i) results.push_back(graph.tensor(made.node_id(), i));
  return results;
}

}  // namespace gradloom::inline v0
