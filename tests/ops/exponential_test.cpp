#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/exponential.hpp>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <cmath>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

using Floats = std::vector<float>;

BOOST_AUTO_TEST_SUITE(ops_exponential)

BOOST_AUTO_TEST_CASE(integers_become_f32) {
  Graph g;
  const Tensor x = g.input("x", {2}, DType::i64);
  BOOST_TEST(
      (evaluate({exp(x)}, {{"x", Values::of<int64_t>({2}, {0, 1})}})[0].as<float>() == Floats{1, std::exp(1.0f)}));
}

BOOST_AUTO_TEST_CASE(the_derivative_of_expm1_keeps_what_the_value_has_lost) {
  Graph g;
  const Tensor x = g.input("x", {1});
  const float derivative = evaluate({gradient(expm1(x), x)}, {{"x", Values::of<float>({1}, {-20})}})[0].as<float>()[0];
  BOOST_TEST(derivative == std::exp(-20.0f), boost::test_tools::tolerance(1e-6f));
}

BOOST_AUTO_TEST_CASE(a_number_alone_is_an_error) {
  const int line = __LINE__;
  const std::string message = message_of([] { (void)gradloom::log(2.0); });
  BOOST_TEST(message == fmt::format("exponential_test.cpp:{}: log: all operands are numbers or empty Tensors\n"
                                    "  log needs at least one Tensor",
                                    line + 1));
}

BOOST_AUTO_TEST_SUITE_END()
