#include "evaluate_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/rounding.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::Values;

using Floats = std::vector<float>;

BOOST_AUTO_TEST_SUITE(ops_rounding)

BOOST_AUTO_TEST_CASE(halves_go_to_the_even_integer) {
  Graph g;
  const Tensor x = g.input("x", {5});
  BOOST_TEST((evaluate({round(x)}, {{"x", Values::of<float>({5}, {0.5, 1.5, 2.5, -0.5, -1.5})}})[0].as<float>() ==
              Floats{0, 2, 2, 0, -2}));
}

BOOST_AUTO_TEST_CASE(integers_come_back_as_they_are) {
  Graph g;
  const Tensor x = g.input("x", {2}, DType::i64);
  BOOST_TEST(same(floor(x), x));
  BOOST_TEST(same(ceil(x), x));
  BOOST_TEST(same(round(x), x));
}

BOOST_AUTO_TEST_CASE(no_gradient_passes) {
  Graph g;
  const Tensor x = g.input("x", {2});
  BOOST_TEST((evaluate({gradient(x * floor(x), x)}, {{"x", Values::of<float>({2}, {1.5, -1.5})}})[0].as<float>() ==
              Floats{1, -2}));
}

BOOST_AUTO_TEST_SUITE_END()
