#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/stop_gradient.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::Values;

BOOST_AUTO_TEST_SUITE(ops_stop_gradient)

BOOST_AUTO_TEST_CASE(the_value_passes_and_the_gradient_does_not) {
  Graph g;
  const Tensor x = g.input("x", {2});
  const Tensor y = stop_gradient(x * x) * x;
  const auto values = evaluate({y, gradient(y, x)}, {{"x", Values::of<float>({2}, {2, 3})}});
  BOOST_TEST((values[0].as<float>() == std::vector<float>{8, 27}));
  BOOST_TEST((values[1].as<float>() == std::vector<float>{4, 9}));
}

BOOST_AUTO_TEST_CASE(an_x_behind_it_has_a_gradient_of_zero) {
  Graph g;
  const Tensor x = g.input("x", {2});
  const auto values = evaluate({gradient(stop_gradient(x) * 2, x)});
  BOOST_TEST((values[0].as<float>() == std::vector<float>{0, 0}));
}

BOOST_AUTO_TEST_CASE(integers_pass_too) {
  Graph g;
  BOOST_TEST((stop_gradient(g.input("i", {2}, DType::i32)).dtype() == DType::i32));
}

BOOST_AUTO_TEST_CASE(a_number_is_an_error) {
  BOOST_TEST(test::named_message_of([] { (void)stop_gradient(1); }) ==
             "<here>: stop_gradient: its first argument is a number or an empty Tensor\n"
             "  stop_gradient needs a Tensor");
}

BOOST_AUTO_TEST_SUITE_END()
