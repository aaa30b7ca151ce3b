#include "evaluate_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/where.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::evaluate;
using test::Values;

using Floats = std::vector<float>;

BOOST_AUTO_TEST_SUITE(ops_where)

BOOST_AUTO_TEST_CASE(what_is_not_chosen_leaves_no_nan_and_takes_no_gradient) {
  Graph g;
  const Tensor x = g.input("x", {2});
  const Tensor y = where(x > 0, x, INFINITY - x * INFINITY);
  const Tensor z = where(x > 0, x, 7 * x);
  const auto values = evaluate({y, gradient(z, x)}, {{"x", Values::of<float>({2}, {2, -1})}});
  BOOST_TEST((values[0].as<float>() == Floats{2, INFINITY}));
  BOOST_TEST((values[1].as<float>() == Floats{1, 7}));
}

BOOST_AUTO_TEST_CASE(numbers_and_conditions_of_any_dtype) {
  Graph g;
  const Tensor x = g.input("x", {3}, DType::i32);
  const Tensor y = where(x, 1, 2);
  BOOST_TEST((y.dtype() == DType::f32));
  BOOST_TEST((evaluate({y}, {{"x", Values::of<int32_t>({3}, {0, 5, -1})}})[0].as<float>() == Floats{2, 1, 1}));
  BOOST_TEST((where(x, x, 2).dtype() == DType::i32));
}

BOOST_AUTO_TEST_SUITE_END()
