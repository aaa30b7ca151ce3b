#include "evaluate_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

using namespace gradloom;
using test::evaluate;
using test::Values;

namespace {

const Array point =
    Array::from<double>({0.3, -1.2, 0.7, 1.9, -0.4, 0.8, 1.1, -0.9, 0.2, 0.6, -1.7, 1.3}).reshaped({2, 3, 2});

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_mean)

BOOST_AUTO_TEST_CASE(mean_variance_and_norm) {
  Graph g;
  const Tensor x = g.input("x", {2, 3});
  const auto values =
      evaluate({mean(x, {.axes = {1}}), mean(x), variance(x, {.axes = {0}}), norm(x, {.axes = {1}, .keepdims = true})},
               {{"x", Values::of<float>({2, 3}, {1, 2, 6, -2, 0, 2})}});
  BOOST_TEST((values[0].as<float>() == std::vector<float>{3, 0}));
  BOOST_TEST((values[1].as<float>() == std::vector<float>{1.5}));
  BOOST_TEST((values[2].as<float>() == std::vector<float>{2.25, 1, 4}));
  BOOST_TEST((values[3].as<float>() == std::vector<float>{std::sqrt(41.0f), std::sqrt(8.0f)}));
}

BOOST_AUTO_TEST_CASE(integers_become_f32_and_the_mean_of_nothing_is_nan) {
  Graph g;
  const Tensor i = g.input("i", {4}, DType::i32), b = g.input("b", {4}, DType::boolean), none = g.input("none", {0, 2});
  BOOST_TEST((mean(i).dtype() == DType::f32));
  const auto values =
      evaluate({mean(i), mean(b), mean(none, {.axes = {0}})}, {{"i", Values::of<int32_t>({4}, {1, 2, 3, 4})},
                                                               {"b", Values::of<bool>({4}, {true, false, true, true})},
                                                               {"none", Values::of<float>({0, 2}, {})}});
  BOOST_TEST(values[0].as<float>()[0] == 2.5f);
  BOOST_TEST(values[1].as<float>()[0] == 0.75f);
  BOOST_TEST(std::isnan(values[2].as<float>()[0]));
}

BOOST_AUTO_TEST_CASE(the_mean_over_a_symbolic_axis_divides_by_what_is_bound) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 2, "time"});
  const Program program = compile({.outputs = {mean(x), mean(x, {.axes = {0, 1}}), gradient(mean(x), x)}});
  State state;
  for (const int64_t batch : {2, 5}) {
    Array ones({batch, 2, 3});
    for (float& element : ones.data<float>()) element = 1;
    const std::vector<Array> results = program.run(state, {{"x", ones}});
    BOOST_TEST(results[0].item<float>() == 1);
    BOOST_TEST(results[1].at<float>({2}) == 1);
    BOOST_TEST(results[2].at<float>({1, 1, 1}) == 1 / static_cast<float>(6 * batch));
  }
}

BOOST_AUTO_TEST_CASE(the_gradient_of_a_norm_of_zeros_is_zero) {
  Graph g;
  const Tensor x = g.input("x", {2, 2});
  const auto values = evaluate({gradient(norm(x, {.axes = {1}}), x)}, {{"x", Values::of<float>({2, 2}, {0, 0, 3, 4})}});
  BOOST_TEST((values[0].as<float>() == std::vector<float>{0, 0, 0.6f, 0.8f}));
}

BOOST_AUTO_TEST_CASE(gradients_by_finite_differences) {
  for (const auto op : {mean, variance, norm}) {
    for (const std::vector<int64_t>& axes : std::vector<std::vector<int64_t>>{{}, {1}, {0, 2}}) {
      for (const bool keepdims : {false, true}) {
        const GradcheckReport report = gradcheck(
            [&](std::span<const Tensor> x) { return op(x[0], {.axes = axes, .keepdims = keepdims}); }, {point});
        BOOST_TEST(report.passed, report.message);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
