#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/cumulative.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(ops_cumulative)

BOOST_AUTO_TEST_CASE(sums_and_products_both_ways_with_and_without_the_element) {
  Graph g;
  const Tensor x = g.input("x", {4});
  const auto values = evaluate({cumsum(x), cumsum(x, {.exclusive = true}), cumsum(x, {.reverse = true}),
                                cumsum(x, {.exclusive = true, .reverse = true}), cumprod(x),
                                cumprod(x, {.exclusive = true}), cumprod(x, {.reverse = true})},
                               {{"x", Values::of<float>({4}, {1, 2, 3, 4})}});
  const std::vector<std::vector<float>> expected = {{1, 3, 6, 10}, {0, 1, 3, 6}, {10, 9, 7, 4},  {9, 7, 4, 0},
                                                    {1, 2, 6, 24}, {1, 1, 2, 6}, {24, 24, 12, 4}};
  for (size_t i = 0; i < expected.size(); ++i) BOOST_TEST((values[i].as<float>() == expected[i]), "result " << i);
}

BOOST_AUTO_TEST_CASE(integers_are_summed_in_i64) {
  Graph g;
  const Tensor x = g.input("x", {2, 2}, DType::i32), mask = g.input("mask", {3}, DType::boolean);
  const Tensor sums = cumsum(x, {.axis = 0});
  BOOST_TEST((sums.dtype() == DType::i64));
  const auto values = evaluate({sums, cumprod(x), cumsum(mask)},
                               {{"x", Values::of<int32_t>({2, 2}, {2'000'000'000, -1, 2'000'000'000, -5})},
                                {"mask", Values::from_doubles(DType::boolean, {3}, {1, 0, 1})}});
  BOOST_TEST((values[0].as<int64_t>() == std::vector<int64_t>{2'000'000'000, -1, 4'000'000'000, -6}));
  BOOST_TEST(
      (values[1].as<int64_t>() == std::vector<int64_t>{2'000'000'000, -2'000'000'000, 2'000'000'000, -10'000'000'000}));
  BOOST_TEST((values[2].as<int64_t>() == std::vector<int64_t>{1, 1, 2}));
}

BOOST_AUTO_TEST_CASE(gradients_are_right_where_elements_are_0) {
  const Array x = Array::from<double>({0.3, 0, 0.8, 2.1, 0, 0, -0.4, 1.7}, {2, 4});
  const auto check = [](const GradcheckReport& report) { BOOST_TEST(report.passed, report.message); };
  for (const bool exclusive : {false, true}) {
    for (const bool reverse : {false, true}) {
      check(gradcheck([&](auto v) { return cumsum(v[0], {.axis = 0, .exclusive = exclusive, .reverse = reverse}); },
                      {x}));
      check(gradcheck([&](auto v) { return cumprod(v[0], {.exclusive = exclusive, .reverse = reverse}); }, {x}));
    }
  }
}

BOOST_AUTO_TEST_CASE(an_axis_that_is_not_there_is_an_error) {
  Graph g;
  const Tensor x = g.input("x", {2, 3});
  const std::string at = "cumulative_test.cpp:" + std::to_string(__LINE__ + 1);
  const std::string text = message_of([&] { (void)cumsum(x, {.axis = 2}); });
  BOOST_TEST(text.starts_with(at), text);
  BOOST_TEST(text.find("there is no axis 2") != std::string::npos, text);
}

BOOST_AUTO_TEST_SUITE_END()
