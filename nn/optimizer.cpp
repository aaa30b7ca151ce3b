#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/nn/initializers.hpp>
#include <gradloom/nn/optimizer_internal.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0::nn {

namespace {

Graph& checked_graph(std::string_view optimizer, const Operand& loss) {
  const std::string rule = fmt::format("{} needs a scalar loss: reduce it with mean or sum", optimizer);
  if (loss.is_number()) refuse(optimizer, loss, "the loss is a number or an empty Tensor", {}, rule);
  if (loss.tensor().rank() != 0) {
    refuse(optimizer, loss, "the loss is not a scalar", {{"loss", loss.tensor()}}, rule);
  }
  return loss.tensor().graph();
}

/// The parameters that the loss depends on, in the order in which they were made.
std::vector<Tensor> parameters_of(const Tensor& loss) {
  const std::vector<bool> needed = needed_nodes(loss.graph(), {&loss, 1});
  std::vector<Tensor> parameters = loss.graph().parameters();
  std::erase_if(parameters, [&](const Tensor& parameter) { return !needed[static_cast<size_t>(parameter.node_id())]; });
  return parameters;
}

std::vector<OptimizerBuilder::Item> differentiate(std::string_view optimizer, const Operand& loss,
                                                  const std::vector<Tensor>& given) {
  constexpr std::string_view rule = "an optimiser needs a parameter that is trainable and that the loss depends on";
  std::vector<Tensor> parameters = given.empty() ? parameters_of(loss.tensor()) : given;
  for (const Tensor& parameter : parameters) {
    if (!parameter.valid() || &parameter.graph() != &loss.tensor().graph()) {
      refuse(optimizer, loss, "one of the parameters is an empty Tensor or of another graph", {}, rule);
    }
    if (!is_parameter(parameter.node())) {
      refuse(optimizer, loss, fmt::format("\"{}\" is not a parameter", parameter.name()), {{"parameters", parameter}},
             rule);
    }
  }
  std::erase_if(parameters, [](const Tensor& parameter) { return !is_trainable(parameter.node()); });
  if (parameters.empty()) {
    refuse(optimizer, loss, "there is no trainable parameter", {{"loss", loss.tensor()}}, rule);
  }
  const std::vector<Tensor> gradient = gradients(loss, parameters);
  std::vector<OptimizerBuilder::Item> items;
  for (size_t i = 0; i < parameters.size(); ++i) items.push_back({parameters[i], gradient[i]});
  return items;
}

/// `name`, or "name_2", ...: the first that no parameter's scope has.
std::string free_scope(const Graph& graph, std::string_view name) {
  const std::vector<Tensor> parameters = graph.parameters();
  const std::string prefix = graph.path().empty() ? "" : graph.path() + "/";
  const auto taken = [&](const std::string& scope) {
    return std::any_of(parameters.begin(), parameters.end(), [&](const Tensor& parameter) {
      return parameter.node().name.starts_with(prefix + scope + "/");
    });
  };
  std::string scope(name);
  for (int number = 2; taken(scope); ++number) scope = fmt::format("{}_{}", name, number);
  return scope;
}

}  // namespace

const Tensor& SharedScalar::as(DType dtype) {
  if (dtype == DType::f64) return f64_;
  if (!f32_.valid()) f32_ = cast(f64_, DType::f32);
  return f32_;
}

OptimizerBuilder::OptimizerBuilder(std::string_view name, const Operand& loss, const Schedule& schedule,
                                   const std::vector<Tensor>& parameters)
    : name_(name),
      loss_(loss),
      graph_(checked_graph(name, loss)),
      schedule_(schedule),
      items_(differentiate(name, loss, parameters)),
      scope_(graph_, free_scope(graph_, name), loss.location()) {}

// As in PyTorch, 1e-6 keeps the division from 0.
void OptimizerBuilder::clip(double value, double global_norm) {
  constexpr std::string_view rule = "clip_value and clip_global_norm are positive, or 0 for none";
  if (!(value >= 0)) refuse(name_, loss_, fmt::format("clip_value is {}", value), {}, rule);
  if (!(global_norm >= 0)) refuse(name_, loss_, fmt::format("clip_global_norm is {}", global_norm), {}, rule);
  if (value > 0) {
    for (Item& item : items_) item.gradient = clamp(item.gradient, -value, value);
  }
  if (global_norm > 0) {
    Tensor squares = constant(graph_, 0, DType::f64);
    for (const Item& item : items_) squares = squares + cast(sum(square(item.gradient)), DType::f64);
    SharedScalar scale(minimum(global_norm / (sqrt(squares) + 1e-6), 1));
    for (Item& item : items_) item.gradient = item.gradient * scale.as(item.gradient.dtype());
  }
}

const Tensor& OptimizerBuilder::step() {
  if (!step_.valid()) {
    step_ = graph_.parameter("step", {}, zeros(), {.dtype = DType::i64, .trainable = false}, loss_.location());
  }
  return step_;
}

Tensor OptimizerBuilder::step_number() { return cast(step() + 1, DType::f64); }

Tensor OptimizerBuilder::learning_rate() {
  if (schedule_.is_constant()) return gradloom::constant(graph_, schedule_.initial, DType::f64);
  return nn::learning_rate(schedule_, step());
}

Tensor OptimizerBuilder::slot(const Tensor& parameter, std::string_view name, double initial) {
  return graph_.parameter(fmt::format("{}/{}", parameter.node().name, name), parameter.shape(), nn::constant(initial),
                          {.dtype = parameter.dtype(), .trainable = false}, loss_.location());
}

std::vector<Update> OptimizerBuilder::finish() {
  if (step_.valid()) update(step_, step_ + 1);
  return std::move(updates_);
}

}  // namespace gradloom::inline v0::nn
