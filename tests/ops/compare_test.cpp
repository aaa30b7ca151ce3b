#include "evaluate_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::Values;

using Booleans = std::vector<bool>;

BOOST_AUTO_TEST_SUITE(ops_compare)

BOOST_AUTO_TEST_CASE(operators_compare_with_numbers_and_promote) {
  Graph g;
  const Tensor x = g.input("x", {3}, DType::i32);
  const auto values = evaluate({x<2, 2 <= x, x> 1.5, x >= 2}, {{"x", Values::of<int32_t>({3}, {1, 2, 3})}});
  BOOST_TEST((values[0].as<bool>() == Booleans{true, false, false}));
  BOOST_TEST((values[1].as<bool>() == Booleans{false, true, true}));
  BOOST_TEST((values[2].as<bool>() == Booleans{false, true, true}));
  BOOST_TEST((values[3].as<bool>() == Booleans{false, true, true}));
}

BOOST_AUTO_TEST_CASE(no_gradient_passes) {
  Graph g;
  const Tensor x = g.input("x", {2});
  const Tensor positive = cast(x > 0, DType::f32);
  BOOST_TEST((evaluate({gradient(x * positive, x)}, {{"x", Values::of<float>({2}, {-2, 3})}})[0].as<float>() ==
              std::vector<float>{0, 1}));
}

BOOST_AUTO_TEST_SUITE_END()
