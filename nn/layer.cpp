#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/layer.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/movement.hpp>

#include <fmt/format.h>

#include <atomic>
#include <optional>

namespace gradloom::inline v0::nn {

struct LayerData {
  std::atomic<int> references = 1;
  Callback<Tensor(const Tensor&)> function;
};

void retain(LayerData* data) {
  if (data != nullptr) data->references.fetch_add(1, std::memory_order_relaxed);
}

void release(LayerData* data) {
  if (data != nullptr && data->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete data;
}

Layer::Layer(Callback<Tensor(const Tensor&)> function) : data_(new LayerData{1, std::move(function)}) {}

Tensor Layer::operator()(const Operand& x) const {
  // Only for the line: inside, Tensors become Operands in this library's files.
  const SourceScope line(x, "");
  return data_->function(x.tensor());
}

namespace {

/// `apply` within the scope of that name.
template <class Apply>
Layer in_scope(std::string name, Apply apply) {
  return Layer([name = std::move(name), apply = std::move(apply)](const Tensor& x) {
    std::optional<Scope> scope;
    if (!name.empty()) scope.emplace(x.graph().scope(name));
    return apply(x);
  });
}

Tensor one_after_another(const std::vector<Layer>& layers, Tensor x) {
  for (const Layer& layer : layers) x = layer(x);
  return x;
}

}  // namespace

Layer sequential(std::vector<Layer> layers, LayerOptions options) {
  return in_scope(std::move(options.name),
                  [layers = std::move(layers)](const Tensor& x) { return one_after_another(layers, x); });
}

Layer residual(Layer branch, ResidualOptions options) {
  return in_scope(std::move(options.name),
                  [branch = std::move(branch), shortcut = std::move(options.shortcut)](const Tensor& x) {
                    const Tensor change = branch(x);
                    return one_after_another(shortcut, x) + change;
                  });
}

Layer parallel(std::vector<Layer> branches, ParallelOptions options, SourceLocation location) {
  if (branches.empty()) {
    throw Error({.problem = "there are no branches",
                 .op = "parallel",
                 .location = to_string(location),
                 .rule = "parallel needs at least one branch"});
  }
  return in_scope(std::move(options.name), [branches = std::move(branches), axis = options.axis](const Tensor& x) {
    std::vector<Tensor> results;
    for (const Layer& branch : branches) results.push_back(branch(x));
    return concat(results, axis);
  });
}

std::vector<Tensor> parameters_under(const Graph& graph, std::string_view scope, SourceLocation location) {
  std::vector<Tensor> parameters = graph.parameters();
  const std::string prefix = scope.empty() ? "" : fmt::format("{}/", scope);
  std::erase_if(parameters, [&](const Tensor& parameter) {
    return !is_trainable(parameter.node()) || !parameter.node().name.starts_with(prefix);
  });
  if (parameters.empty()) {
    throw Error({.problem = fmt::format("no trainable parameter is under \"{}\"", scope),
                 .op = "parameters_under",
                 .location = to_string(location),
                 .rule = "a scope is the beginning of parameters' names, without the last \"/\""});
  }
  return parameters;
}

}  // namespace gradloom::inline v0::nn
