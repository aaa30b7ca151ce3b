#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/relu.hpp>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

using Floats = std::vector<float>;

BOOST_AUTO_TEST_SUITE(ops_relu)

BOOST_AUTO_TEST_CASE(the_derivative_at_zero_is_chosen) {
  Graph g;
  const Tensor x = g.input("x", {4});
  const auto values = evaluate({gradient(relu(x), x), gradient(relu(x, {.derivative_at_zero = 0}), x)},
                               {{"x", Values::of<float>({4}, {-1, 0, -0.0f, 1})}});
  BOOST_TEST((values[0].as<float>() == Floats{0, 1, 1, 1}));
  BOOST_TEST((values[1].as<float>() == Floats{0, 0, 0, 1}));
}

BOOST_AUTO_TEST_CASE(any_other_derivative_at_zero_is_an_error) {
  Graph g;
  const int line = __LINE__;
  const Tensor x = g.input("x", {4});
  const std::string message = message_of([&] { (void)relu(x, {.derivative_at_zero = 2}); });
  BOOST_TEST(message == fmt::format("relu_test.cpp:{}: relu: the derivative at 0 cannot be 2\n"
                                    "  x \"x\"  f32[4]  input, relu_test.cpp:{}\n"
                                    "  relu needs a tensor of numbers, and 0 or 1 as its derivative at 0",
                                    line + 2, line + 1));
}

BOOST_AUTO_TEST_SUITE_END()
