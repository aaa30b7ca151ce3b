// custom_gradient: y = value. The node holds the user's rule as a body graph over (inputs..., value, cotangent), so that
// it prints, parses and is copied like everything else.
#include <gradloom/autodiff/custom_gradient.hpp>

#include <fmt/format.h>

#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/subgraph.hpp>
#include <gradloom/ops/gradient.hpp>

namespace gradloom::inline v0 {

namespace {

using Body = std::shared_ptr<const Subgraph>;

Gradients vjp(const Vjp& v) {
  std::vector<Tensor> arguments;
  for (int i = 1; i < v.input_count(); ++i) arguments.push_back(v.input(i));
  arguments.push_back(v.output());
  arguments.push_back(v.cotangent());
  const std::vector<Tensor> made = instantiate(*v.attributes().get<Body>("rule"), v.graph(), arguments);
  Gradients gradients(static_cast<size_t>(v.input_count()), Gradient::none());
  const auto& differentiable = v.attributes().get<std::vector<int64_t>>("differentiable");
  for (size_t i = 0; i < made.size(); ++i) gradients[static_cast<size_t>(differentiable[i])] = made[i];
  return gradients;
}

/// The call under construction, for its messages.
struct Call {
  const Operand& value;
  std::span<const Tensor> inputs;

  [[noreturn]] void fail(std::string problem, std::string_view rule) const {
    throw Error({.problem = std::move(problem),
                 .op = "custom_gradient",
                 .location = to_string(value.tensor().graph().user_line(value.location())),
                 .rule = std::string(rule)});
  }
};

constexpr std::string_view returns = "the rule returns one gradient per input, of the input's shape and dtype";

void check_body(const Call& call, const Graph& body) {
  const size_t arguments = call.inputs.size() + 2;
  if (!body.parameters().empty() || body.inputs().size() != arguments) {
    call.fail("the rule makes an input or a parameter", "the rule computes with its arguments only");
  }
}

void check_gradient(const Call& call, const Graph& body, size_t i, const Tensor& gradient) {
  const Tensor& input = call.inputs[i];
  const std::string who = fmt::format("the gradient for input {} \"{}\"", i, input.name());
  if (&gradient.graph() != &body) {
    call.fail(who + " belongs to another graph", "the rule computes with its arguments only: pass what it needs as an input");
  }
  const TensorType& given = gradient.node().outputs[static_cast<size_t>(gradient.output())];
  if (given.dtype != input.dtype() || given.shape != input.shape()) {
    call.fail(fmt::format("{} is {}, the input is {}", who, to_string(given), to_string({input.dtype(), input.shape()})),
              returns);
  }
}

}  // namespace

const OpDef custom_gradient_def{
    .name = "custom_gradient",
    .inputs = {"value", "input"},
    .variadic = true,
    .rule = "custom_gradient needs a value and at least one input",
    .shape = [](const ShapeContext& context) { return std::vector<TensorType>{context.input(0)}; },
    .vjp = vjp,
    .properties = {.alias = true},
    .simplify = [](Graph&, const Node&, std::span<const Tensor> inputs) { return inputs[0]; }};

Tensor custom_gradient(const Operand& value, std::span<const Tensor> inputs, GradientRule rule) {
  const SourceScope scope(value, "custom_gradient");
  Graph& graph = value.tensor().graph();
  const Call call{value, inputs};
  const TensorType type{value.tensor().dtype(), value.tensor().shape()};
  if (!is_float(type.dtype)) call.fail("the value is " + to_string(type), "only float tensors have gradients");
  for (const Tensor& input : inputs) {
    if (!input.valid()) call.fail("an input is an empty Tensor", custom_gradient_def.rule);
  }

  const auto body = std::make_shared<Subgraph>();
  const auto stand_in = [&](std::string_view name, const TensorType& for_type) {
    return body->graph.input(name, for_type.shape, for_type.dtype, graph.user_line(value.location()));
  };
  std::vector<Tensor> stand_ins;
  for (size_t i = 0; i < inputs.size(); ++i) {
    stand_ins.push_back(stand_in(fmt::format("input_{}", i), {inputs[i].dtype(), inputs[i].shape()}));
  }
  const Tensor value_stand_in = stand_in("value", type), cotangent = stand_in("cotangent", type);
  const std::vector<Tensor> gradients = rule(stand_ins, value_stand_in, cotangent);
  check_body(call, body->graph);
  if (gradients.size() != inputs.size()) {
    call.fail(fmt::format("the rule returned {} gradients for {} inputs", gradients.size(), inputs.size()), returns);
  }
  std::vector<int64_t> differentiable;
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].valid()) continue;
    check_gradient(call, body->graph, i, gradients[i]);
    differentiable.push_back(static_cast<int64_t>(i) + 1);
    body->outputs.push_back(gradients[i]);
  }
  std::vector<Tensor> operands = {value.tensor()};
  operands.insert(operands.end(), inputs.begin(), inputs.end());
  return graph.add(custom_gradient_def, operands, {{"differentiable", differentiable}, {"rule", Body(body)}}, value.location());
}

Tensor custom_gradient(const Operand& value, std::initializer_list<Tensor> inputs, GradientRule rule) {
  return custom_gradient(value, std::span<const Tensor>(inputs.begin(), inputs.size()), rule);
}

}  // namespace gradloom::inline v0
