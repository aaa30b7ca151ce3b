#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/reduce.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

namespace {

const float infinite = std::numeric_limits<float>::infinity();
const float not_a_number = std::numeric_limits<float>::quiet_NaN();

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_logsumexp)

BOOST_AUTO_TEST_CASE(large_numbers_do_not_overflow) {
  Graph g;
  const Tensor x = g.input("x", {3, 2});
  const auto values = evaluate({logsumexp(x, {.axes = {1}}), gradient(logsumexp(x, {.axes = {1}}), x)},
                               {{"x", Values::of<float>({3, 2}, {1e4f, 1e4f, -1e4f, -1e4f, 1e4f, -1e4f})}});
  const float log2 = std::log(2.0f);
  BOOST_TEST((values[0].as<float>() == std::vector<float>{1e4f + log2, -1e4f + log2, 1e4f}));
  BOOST_TEST((values[1].as<float>() == std::vector<float>{0.5, 0.5, 0.5, 0.5, 1, 0}));
}

BOOST_AUTO_TEST_CASE(infinities_and_nan) {
  Graph g;
  const Tensor x = g.input("x", {5, 2});
  const Values input = Values::of<float>(
      {5, 2}, {-infinite, -infinite, infinite, 1, infinite, -infinite, -infinite, 2, not_a_number, 1});
  for (const Isa isa : supported_isas()) {
    const auto values =
        evaluate({logsumexp(x, {.axes = {1}}), gradient(logsumexp(x, {.axes = {1}}), x)}, {{"x", input}}, isa);
    const std::vector<float> y = values[0].as<float>();
    BOOST_TEST(y[0] == -infinite);
    BOOST_TEST(y[1] == infinite);
    BOOST_TEST(y[2] == infinite);
    BOOST_TEST(y[3] == 2);
    BOOST_TEST(std::isnan(y[4]));
    BOOST_TEST((values[1].as<float>() == std::vector<float>{0, 0, 0, 0, 0, 0, 0, 1, 0, 0}));
  }
}

BOOST_AUTO_TEST_CASE(gradients_by_finite_differences) {
  const Array x = Array::from<double>({0.3, -1.2, 0.7, 1.9, -0.4, 0.8, 1.1, -0.9}).reshaped({2, 2, 2});
  for (const std::vector<int64_t>& axes : std::vector<std::vector<int64_t>>{{}, {1}, {0, 2}}) {
    for (const bool keepdims : {false, true}) {
      const GradcheckReport report = gradcheck(
          [&](std::span<const Tensor> v) { return logsumexp(v[0], {.axes = axes, .keepdims = keepdims}); }, {x});
      BOOST_TEST(report.passed, report.message);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_axis_of_size_0_is_an_error_with_the_users_line) {
  Graph g;
  const int line = __LINE__ + 1;
  const Tensor x = g.input("x", {3, 0});
  const std::string text = message_of([&] { (void)logsumexp(x, {.axes = {1}}); });
  const auto at = [](int n) { return "logsumexp_test.cpp:" + std::to_string(n); };
  BOOST_TEST(text == at(line + 1) + ": max: axis 1 has size 0\n  x \"x\"  f32[3, 0]  input, " + at(line) +
                         "\n  max needs axes of x, each once and none of size 0");
}

BOOST_AUTO_TEST_SUITE_END()
