#include "evaluate_helper.hpp"

#include <stdexcept>

#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/runtime/node_plan_internal.hpp>

namespace gradloom::test {

namespace {

template <class F>
void with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::boolean: return f(bool{});
    case DType::u8: return f(uint8_t{});
    case DType::i32: return f(int32_t{});
    case DType::i64: return f(int64_t{});
    case DType::f32: return f(float{});
    case DType::f64: return f(double{});
  }
}

}  // namespace

std::vector<double> Values::as_doubles() const {
  std::vector<double> doubles;
  with_type(dtype, [&](auto zero) {
    for (const auto element : as<decltype(zero)>()) doubles.push_back(static_cast<double>(element));
  });
  return doubles;
}

Values Values::from_doubles(DType dtype, std::vector<int64_t> sizes, const std::vector<double>& elements) {
  Values values;
  with_type(dtype, [&](auto zero) {
    std::vector<decltype(zero)> typed;
    for (const double element : elements) typed.push_back(static_cast<decltype(zero)>(element));
    values = of(std::move(sizes), typed);
  });
  return values;
}

std::vector<Values> evaluate(const std::vector<Tensor>& tensors, const std::map<std::string, Values>& inputs, Isa isa,
                             RunInfo run) {
  const Graph& graph = tensors.at(0).graph();
  std::vector<bool> needed(static_cast<size_t>(graph.node_count()), false);
  for (const Tensor& tensor : tensors) needed[static_cast<size_t>(tensor.node_id())] = true;
  for (int id = graph.node_count() - 1; id >= 0; --id) {
    if (!needed[static_cast<size_t>(id)]) continue;
    for (const Value& value : graph.node(id).inputs) needed[static_cast<size_t>(value.node)] = true;
  }
  std::map<Value, Values> values;
  for (int id = 0; id < graph.node_count(); ++id) {
    if (!needed[static_cast<size_t>(id)]) continue;
    const Node& node = graph.node(id);
    if (is_input(node) || is_parameter(node)) {
      const auto given = inputs.find(node.name);
      if (given == inputs.end()) throw std::runtime_error("no value given for " + node.name);
      values[{id, 0}] = given->second;
      continue;
    }
    if (is_constant(node)) {
      const Literal& literal = literal_of(node);
      values[{id, 0}] = {literal.dtype, literal.sizes, literal.bytes};
      continue;
    }
    std::vector<const void*> from;
    for (const Value& value : node.inputs) from.push_back(values.at(value).bytes.data());
    std::vector<void*> to;
    for (int i = 0; i < node.output_count(); ++i) {
      const TensorType& type = node.outputs[static_cast<size_t>(i)];
      Values& made = values[{id, i}];
      made = {type.dtype, type.shape.sizes(), {}};
      made.bytes.resize(static_cast<size_t>(type.shape.element_count().value()) * size_of(type.dtype));
      to.push_back(made.bytes.data());
    }
    run_plan(plan_node({graph, node, isa}), from, to, run);
  }
  std::vector<Values> results;
  for (const Tensor& tensor : tensors) results.push_back(values.at({tensor.node_id(), tensor.output()}));
  return results;
}

}  // namespace gradloom::test
