#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/nn/initializers.hpp>
#include <gradloom/nn/optimizer_internal.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

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

}  // namespace

std::vector<Differentiated> differentiate(std::string_view optimizer, const Operand& loss,
                                          const std::vector<Tensor>& given) {
  (void)checked_graph(optimizer, loss);
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
  std::vector<Differentiated> items;
  for (size_t i = 0; i < parameters.size(); ++i) items.push_back({parameters[i], gradient[i]});
  return items;
}

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

void OptimizerBuilder::set_groups(const std::vector<ParameterGroup>& groups) {
  constexpr std::string_view rule = "a group has factors that are not negative, and parameters of no other group";
  std::vector<bool> taken(items_.size());
  for (const ParameterGroup& group : groups) {
    if (!(group.learning_rate >= 0))
      refuse(name_, loss_, fmt::format("learning_rate is {}", group.learning_rate), {}, rule);
    if (!(group.weight_decay >= 0))
      refuse(name_, loss_, fmt::format("weight_decay is {}", group.weight_decay), {}, rule);
    for (const Tensor& parameter : group.parameters) {
      if (!parameter.valid()) refuse(name_, loss_, "a group has an empty Tensor", {}, rule);
      // One that is frozen, or not among the optimiser's, may be in a group: it is left alone there too.
      const auto is_it = [&](const Differentiated& item) { return same(item.parameter, parameter); };
      const auto found = std::find_if(items_.begin(), items_.end(), is_it);
      if (found == items_.end()) continue;
      const auto at = static_cast<size_t>(found - items_.begin());
      if (taken[at]) refuse(name_, loss_, fmt::format("\"{}\" is in two groups", parameter.name()), {}, rule);
      taken[at] = true;
      found->rate = group.learning_rate;
      found->decay = group.weight_decay;
    }
  }
  // Frozen: no slots, and nobody asks for the gradient, so that no Program computes it.
  std::erase_if(items_, [](const Differentiated& item) { return item.rate == 0; });
}

// Most updates are smaller than the last of the 8 bits of bf16. What rounding leaves of a parameter is kept beside it,
// in 8 bits more, and the sum of both is what the optimiser sees: as Kahan's sums do (Zamirai et al. 2020, Revisiting
// BFloat16 Training, algorithm 1).
void OptimizerBuilder::widen() {
  for (Differentiated& item : items_) {
    if (item.parameter.dtype() != DType::bf16) continue;
    item.rest = graph_.parameter(fmt::format("{}/rest", item.parameter.node().name), item.parameter.shape(), zeros(),
                                 {.dtype = DType::bf16, .trainable = false}, loss_.location());
    item.value = item.parameter + item.rest;
  }
}

void OptimizerBuilder::accumulate(int64_t steps) {
  if (steps < 1) {
    refuse(name_, loss_, fmt::format("accumulate is {}", steps), {}, "accumulate is the number of steps of one update");
  }
  if (steps == 1) return;
  const Tensor count =
      graph_.parameter("accumulated", {}, zeros(), {.dtype = DType::i64, .trainable = false}, loss_.location());
  last_ = equal(count, steps - 1);
  accumulation_.push_back({count, where(last_, 0, count + 1)});
  for (Differentiated& item : items_) {
    const Tensor so_far = slot(item, "gradient");
    const Tensor sum = so_far + item.gradient;
    accumulation_.push_back({so_far, where(last_, 0, sum)});
    item.gradient = sum / static_cast<double>(steps);
  }
}

// As in PyTorch, 1e-6 keeps the division from 0.
void OptimizerBuilder::clip(double value, double global_norm) {
  constexpr std::string_view rule = "clip_value and clip_global_norm are positive, or 0 for none";
  if (!(value >= 0)) refuse(name_, loss_, fmt::format("clip_value is {}", value), {}, rule);
  if (!(global_norm >= 0)) refuse(name_, loss_, fmt::format("clip_global_norm is {}", global_norm), {}, rule);
  if (value > 0) {
    for (Differentiated& item : items_) item.gradient = clamp(item.gradient, -value, value);
  }
  if (global_norm > 0) {
    Tensor squares = constant(graph_, 0, DType::f64);
    for (const Differentiated& item : items_) squares = squares + cast(sum(square(item.gradient)), DType::f64);
    SharedScalar scale(minimum(global_norm / (sqrt(squares) + 1e-6), 1));
    for (Differentiated& item : items_) item.gradient = item.gradient * scale.as(item.gradient.dtype());
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

Tensor Differentiated::scaled(SharedScalar& shared) const {
  const Tensor& rate_of_all = shared.as(value.dtype());
  return rate == 1 ? rate_of_all : rate * rate_of_all;
}

Tensor Differentiated::decayed(double weight_decay) const {
  const double factor = weight_decay * decay;
  return factor == 0 ? gradient : gradient + factor * value;
}

Tensor OptimizerBuilder::slot(const Differentiated& item, std::string_view name, double initial) {
  return slot(item, name, item.value.shape(), initial);
}

Tensor OptimizerBuilder::slot(const Differentiated& item, std::string_view name, const Shape& shape, double initial) {
  return graph_.parameter(fmt::format("{}/{}", item.parameter.node().name, name), shape, nn::constant(initial),
                          {.dtype = item.value.dtype(), .trainable = false}, loss_.location());
}

void OptimizerBuilder::update(const Differentiated& item, const Tensor& value) {
  if (!item.rest.valid()) return update(item.parameter, value);
  const Tensor rounded = cast(value, DType::bf16);
  update(item.parameter, rounded);
  update(item.rest, cast(value - rounded, DType::bf16));
}

Tensor OptimizerBuilder::scalar_slot(std::string_view name, double initial) {
  return graph_.parameter(name, {}, nn::constant(initial), {.dtype = DType::f64, .trainable = false}, loss_.location());
}

std::vector<Update> OptimizerBuilder::finish() {
  if (step_.valid()) update(step_, step_ + 1);
  if (last_.valid()) {
    for (Update& made : updates_) made.value = cast(where(last_, made.value, made.parameter), made.parameter.dtype());
    updates_.insert(updates_.end(), accumulation_.begin(), accumulation_.end());
  }
  return std::move(updates_);
}

Tensor bias_correction(double beta, const Tensor& t) { return -expm1(std::log(beta) * t); }

}  // namespace gradloom::inline v0::nn
