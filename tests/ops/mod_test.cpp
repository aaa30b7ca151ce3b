#include "evaluate_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/mod.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::Values;

using Floats = std::vector<float>;

BOOST_AUTO_TEST_SUITE(ops_mod)

BOOST_AUTO_TEST_CASE(integers_take_the_sign_of_the_divisor_and_zero_for_zero) {
  Graph g;
  const Tensor a = g.input("a", {6}, DType::i32), b = g.input("b", {6}, DType::i32);
  const auto values = evaluate({mod(a, b)}, {{"a", Values::of<int32_t>({6}, {7, -7, 7, -7, INT32_MIN, 5})},
                                             {"b", Values::of<int32_t>({6}, {3, 3, -3, -3, -1, 0})}});
  BOOST_TEST((values[0].as<int32_t>() == std::vector<int32_t>{1, 2, -2, -1, 0, 0}));
}

BOOST_AUTO_TEST_CASE(the_gradient_by_the_divisor_is_the_floor_of_the_quotient) {
  Graph g;
  const Tensor a = g.input("a", {3}), b = g.input("b", {3});
  // 1 / 0.1f rounds to 10, but its floor is 9: 0.1f is a little more than a tenth.
  const auto values = evaluate({gradient(mod(a, b), b)}, {{"a", Values::of<float>({3}, {1, -7, 7})},
                                                          {"b", Values::of<float>({3}, {0.1f, 3, -3})}});
  BOOST_TEST((values[0].as<float>() == Floats{-9, 3, 3}));
}

BOOST_AUTO_TEST_SUITE_END()
