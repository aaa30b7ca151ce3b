// For ops that are linear in their first input, as those that move elements are.
#pragma once

#include "evaluate_helper.hpp"
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/gradient.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

namespace gradloom::test {

/// Whole numbers in -5..5 without a pattern that a wrong index could keep, cast to the dtype.
inline Values scattered(DType dtype, const std::vector<int64_t>& sizes, int64_t seed = 1) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t value = (i * 7919 + i * i * 31 + seed * 104729) % 11 - 5;
    values.push_back(static_cast<double>(is_float(dtype) || dtype > DType::u8 ? value : value < 0 ? -value : value));
  }
  return Values::from_doubles(dtype, sizes, values);
}

/// Checks the gradient rule of y's op, which is linear in its input 0, by what makes it one: <y, u> = <x, vjp(u)> for
/// all x and u. Then the same of the node that the rule made, as often as `order` says. Whole numbers, so exact.
inline void check_vjp_of_linear(const Tensor& y, std::map<std::string, Values> inputs, int order = 3) {
  Graph& graph = y.graph();
  const Node& node = y.node();
  const Tensor x = graph.tensor(node.inputs[0].node, node.inputs[0].output);
  const std::string name = "u" + std::to_string(graph.node_count());
  const Tensor u = graph.input(name, y.shape(), computed_as(y.dtype()));
  BOOST_REQUIRE(node.op->vjp != nullptr);
  const Gradients gradients = node.op->vjp(Vjp(graph, node, {u}));
  const Tensor gradient = gradients.at(0).tensor();
  BOOST_TEST((gradient.shape() == x.shape()));
  BOOST_TEST((gradient.dtype() == computed_as(x.dtype())));
  inputs[name] = scattered(computed_as(y.dtype()), y.shape().sizes(), order + 5);
  const auto values = evaluate({x, gradient, y, u}, inputs);
  const auto dot = [](const Values& a, const Values& b) {
    double sum = 0;
    const std::vector<double> left = a.as_doubles(), right = b.as_doubles();
    for (size_t i = 0; i < left.size(); ++i) sum += left[i] * right[i];
    return sum;
  };
  BOOST_TEST(dot(values[0], values[1]) == dot(values[2], values[3]));
  if (order > 1 && !same(gradient, u)) check_vjp_of_linear(gradient, inputs, order - 1);
}

}  // namespace gradloom::test
