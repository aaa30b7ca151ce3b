#include "evaluate_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/extrema.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::Values;

using Floats = std::vector<float>;

BOOST_AUTO_TEST_SUITE(ops_extrema)

BOOST_AUTO_TEST_CASE(a_tie_gives_half_of_the_gradient_to_each) {
  Graph g;
  const Tensor a = g.input("a", {3}), b = g.input("b", {3});
  const std::map<std::string, Values> at{{"a", Values::of<float>({3}, {1, 2, 3})},
                                         {"b", Values::of<float>({3}, {2, 2, 2})}};
  const auto larger =
      evaluate({gradient(maximum(a, b), a), gradient(maximum(a, b), b), gradient(maximum(a, a), a)}, at);
  BOOST_TEST((larger[0].as<float>() == Floats{0, 0.5, 1}));
  BOOST_TEST((larger[1].as<float>() == Floats{1, 0.5, 0}));
  BOOST_TEST((larger[2].as<float>() == Floats{1, 1, 1}));
  const auto smaller = evaluate({gradient(minimum(a, b), a), gradient(minimum(a, b), b)}, at);
  BOOST_TEST((smaller[0].as<float>() == Floats{1, 0.5, 0}));
  BOOST_TEST((smaller[1].as<float>() == Floats{0, 0.5, 1}));
}

BOOST_AUTO_TEST_CASE(clamp_passes_the_gradient_to_x_at_its_bounds_and_to_the_bounds_beyond) {
  Graph g;
  const Tensor x = g.input("x", {5}), low = g.input("low", {5}), high = g.input("high", {5});
  const Tensor y = clamp(x, low, high);
  const auto values = evaluate({y, gradient(y, x), gradient(y, low), gradient(y, high)},
                               {{"x", Values::of<float>({5}, {-2, -1, 0, 1, 2})},
                                {"low", Values::of<float>({5}, {-1, -1, -1, -1, -1})},
                                {"high", Values::of<float>({5}, {1, 1, 1, 1, 1})}});
  BOOST_TEST((values[0].as<float>() == Floats{-1, -1, 0, 1, 1}));
  BOOST_TEST((values[1].as<float>() == Floats{0, 1, 1, 1, 0}));
  BOOST_TEST((values[2].as<float>() == Floats{1, 0, 0, 0, 0}));
  BOOST_TEST((values[3].as<float>() == Floats{0, 0, 0, 0, 1}));
}

BOOST_AUTO_TEST_CASE(clamp_with_crossed_bounds_is_the_upper_one) {
  Graph g;
  const Tensor x = g.input("x", {3}), low = g.input("low", {3}), high = g.input("high", {3});
  const Tensor y = clamp(x, low, high);
  const auto values = evaluate({y, gradient(y, x), gradient(y, low), gradient(y, high)},
                               {{"x", Values::of<float>({3}, {-2, 0, 2})},
                                {"low", Values::of<float>({3}, {1, 1, 1})},
                                {"high", Values::of<float>({3}, {-1, -1, -1})}});
  BOOST_TEST((values[0].as<float>() == Floats{-1, -1, -1}));
  BOOST_TEST((values[1].as<float>() == Floats{0, 0, 0}));
  BOOST_TEST((values[2].as<float>() == Floats{0, 0, 0}));
  BOOST_TEST((values[3].as<float>() == Floats{1, 1, 1}));
}

BOOST_AUTO_TEST_CASE(numbers_are_bounds_of_the_tensors_dtype) {
  Graph g;
  const Tensor x = g.input("x", {3}, DType::u8);
  const Tensor y = clamp(x, 10, 20);
  BOOST_TEST((y.dtype() == DType::u8));
  BOOST_TEST((evaluate({y}, {{"x", Values::of<uint8_t>({3}, {3, 15, 255})}})[0].as<uint8_t>() ==
              std::vector<uint8_t>{10, 15, 20}));
}

BOOST_AUTO_TEST_SUITE_END()
