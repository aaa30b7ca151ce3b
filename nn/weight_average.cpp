#include <gradloom/graph/bfloat16.hpp>
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/nn/initializers.hpp>
#include <gradloom/nn/optimizer_internal.hpp>
#include <gradloom/nn/weight_average.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/mod.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0::nn {

namespace {

[[noreturn]] void refuse_average(std::string_view name, const std::string& problem, std::string_view rule,
                                 SourceLocation location) {
  throw Error(
      {.problem = problem, .op = std::string(name), .location = to_string(location), .rule = std::string(rule)});
}

Array rounded(const Array& x) {
  Array y(x.sizes(), DType::bf16);
  const auto from = x.data<const float>();
  std::transform(from.begin(), from.end(), y.data<BFloat16>().begin(), [](float value) { return BFloat16(value); });
  return y;
}

/// average += share (weight - average) for every trainable weight; `share_of` is given the number of the step, from 0.
template <class ShareOf>
WeightAverage averages(std::string_view name, std::vector<Update> updates, SourceLocation location, ShareOf share_of) {
  std::vector<Update> weights;
  for (const Update& update : updates) {
    if (is_trainable(update.parameter.node())) weights.push_back(update);
  }
  if (weights.empty()) {
    refuse_average(name, "there is no trainable parameter", "it needs the updates that an optimiser returned",
                   location);
  }
  Graph& graph = weights[0].parameter.graph();
  const SourceScope scope(graph, free_scope(graph, name), location);
  const Tensor step = graph.parameter("step", {}, zeros(), {.dtype = DType::i64, .trainable = false}, location);
  SharedScalar share(share_of(step));
  WeightAverage made{.updates = std::move(updates), .names = {}};
  for (const auto& [parameter, value] : weights) {
    const Tensor average = graph.parameter(parameter.node().name, parameter.shape(), zeros(),
                                           {.dtype = computed_as(parameter.dtype()), .trainable = false}, location);
    made.updates.push_back({average, average + share.as(average.dtype()) * (value - average)});
    made.names.emplace_back(parameter.node().name, average.node().name);
  }
  made.updates.push_back({step, step + 1});
  return made;
}

}  // namespace

State WeightAverage::averaged(const State& state) const {
  State with_averages = state;
  for (const auto& [weight, average] : names) {
    const Array value = state.get(average);
    const bool is_narrower = state.get(weight).dtype() == DType::bf16;
    with_averages.set(weight, is_narrower ? rounded(value) : value);
  }
  return with_averages;
}

WeightAverage exponential_moving_average(std::vector<Update> updates, const ExponentialMovingAverageOptions& options,
                                         SourceLocation location) {
  if (!(options.decay >= 0 && options.decay <= 1)) {
    refuse_average("ema", fmt::format("decay is {}", options.decay), "decay is in [0, 1]", location);
  }
  return averages("ema", std::move(updates), location, [&](const Tensor& step) {
    return where(equal(step, 0), gradloom::constant(step.graph(), 1, DType::f64), 1 - options.decay);
  });
}

WeightAverage stochastic_weight_averaging(std::vector<Update> updates, const StochasticWeightAveragingOptions& options,
                                          SourceLocation location) {
  if (options.start < 0 || options.every < 1) {
    refuse_average("swa", fmt::format("start is {} and every {}", options.start, options.every),
                   "start is not negative, and every is positive", location);
  }
  return averages("swa", std::move(updates), location, [&](const Tensor& step) {
    const Tensor since = step - options.start;
    const Tensor counts = logical_and(since >= 0, equal(mod(since, options.every), 0));
    const Tensor so_far = cast(maximum(since, 0) / options.every + 1, DType::f64);  // this one included
    return where(counts, 1 / so_far, 0);
  });
}

}  // namespace gradloom::inline v0::nn
