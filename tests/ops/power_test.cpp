#include "evaluate_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/power.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::evaluate;
using test::Values;

using Floats = std::vector<float>;

BOOST_AUTO_TEST_SUITE(ops_power)

BOOST_AUTO_TEST_CASE(pow_has_finite_gradients_of_both_orders_at_zero) {
  Graph g;
  const Tensor x = g.input("x", {3}), y = g.input("y", {3});
  const std::map<std::string, Values> at{{"x", Values::of<float>({3}, {0, 0, 0})},
                                         {"y", Values::of<float>({3}, {2, 1, 0})}};
  const Tensor power = pow(x, y);
  const Tensor dx = gradient(power, x), dy = gradient(power, y);
  const auto first = evaluate({dx, dy}, at);
  BOOST_TEST((first[0].as<float>() == Floats{0, 1, 0}));
  BOOST_TEST((first[1].as<float>() == Floats{0, 0, 0}));
  const auto second = evaluate({gradient(dx, x), gradient(dx, y), gradient(dy, y)}, at);
  BOOST_TEST((second[0].as<float>() == Floats{2, 0, 0}));
  BOOST_TEST(std::isfinite(second[1].as<float>()[0]));
  BOOST_TEST((second[2].as<float>() == Floats{0, 0, 0}));
}

BOOST_AUTO_TEST_CASE(pow_of_a_negative_base_has_a_gradient_by_the_base) {
  Graph g;
  const Tensor x = g.input("x", {2});
  const auto values = evaluate({pow(x, 3), gradient(pow(x, 3), x)}, {{"x", Values::of<float>({2}, {-2, 3})}});
  BOOST_TEST((values[0].as<float>() == Floats{-8, 27}));
  BOOST_TEST((values[1].as<float>() == Floats{12, 27}));
}

BOOST_AUTO_TEST_CASE(integers_stay_integers_in_square_only) {
  Graph g;
  const Tensor x = g.input("x", {2}, DType::i32);
  const auto values =
      evaluate({square(x), sqrt(x), 2 - reciprocal(x)}, {{"x", Values::of<int32_t>({2}, {4, INT32_MIN})}});
  BOOST_TEST((values[0].as<int32_t>() == std::vector<int32_t>{16, 0}));
  BOOST_TEST(values[1].as<float>()[0] == 2);
  BOOST_TEST(values[2].as<float>()[0] == 1.75);
}

BOOST_AUTO_TEST_CASE(the_derivative_of_sqrt_at_zero_is_inf) {
  Graph g;
  const Tensor x = g.input("x", {1});
  BOOST_TEST(evaluate({gradient(sqrt(x), x)}, {{"x", Values::of<float>({1}, {0})}})[0].as<float>()[0] == INFINITY);
}

BOOST_AUTO_TEST_SUITE_END()
