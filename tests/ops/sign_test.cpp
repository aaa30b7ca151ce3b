#include "evaluate_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/sign.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::Values;

using Floats = std::vector<float>;

BOOST_AUTO_TEST_SUITE(ops_sign)

BOOST_AUTO_TEST_CASE(the_lowest_integer_stays) {
  Graph g;
  const Tensor x = g.input("x", {3}, DType::i32);
  const auto values = evaluate({abs(x), sign(x)}, {{"x", Values::of<int32_t>({3}, {INT32_MIN, -5, 0})}});
  BOOST_TEST((values[0].as<int32_t>() == std::vector<int32_t>{INT32_MIN, 5, 0}));
  BOOST_TEST((values[1].as<int32_t>() == std::vector<int32_t>{-1, -1, 0}));
}

BOOST_AUTO_TEST_CASE(the_derivative_of_abs_at_zero_is_zero) {
  Graph g;
  const Tensor x = g.input("x", {3});
  BOOST_TEST((evaluate({gradient(abs(x), x)}, {{"x", Values::of<float>({3}, {-2, 0, 3})}})[0].as<float>() ==
              Floats{-1, 0, 1}));
}

BOOST_AUTO_TEST_SUITE_END()
