#include "evaluate_helper.hpp"
#include "linear_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/local_response_norm.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::evaluate;
using test::message_without_lines_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(ops_local_response_norm)

BOOST_AUTO_TEST_CASE(values_by_the_formula) {
  constexpr int64_t channels = 7;
  for (const int64_t size : {1, 3, 4, 9}) {
    Graph g;
    const Tensor x = g.input("x", {2, channels}, DType::f64);
    const Values given = test::scattered(DType::f64, {2, channels});
    const std::vector<double> from = given.as_doubles();
    const Tensor y = local_response_norm(x, {.size = size, .alpha = 0.5, .beta = 0.6, .bias = 2});
    const std::vector<double> made = evaluate({y}, {{"x", given}})[0].as<double>();
    for (int64_t row = 0; row < 2; ++row) {
      for (int64_t c = 0; c < channels; ++c) {
        double total = 0;
        for (int64_t k = c - (size - 1) / 2; k <= c + size / 2; ++k) {
          if (k >= 0 && k < channels) total += std::pow(from[static_cast<size_t>(row * channels + k)], 2);
        }
        const size_t at = static_cast<size_t>(row * channels + c);
        BOOST_TEST(std::fabs(made[at] - from[at] / std::pow(2 + 0.5 / static_cast<double>(size) * total, 0.6)) < 1e-12);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(gradients_by_finite_differences) {
  const GradcheckReport report =
      gradcheck([](std::span<const Tensor> v) { return local_response_norm(v[0], {.size = 3, .alpha = 0.3}); },
                {Array::from<double>({0.3, -1.2, 0.7, 1.9, -0.4, 0.8, 1.1, -0.9}).reshaped({2, 4})});
  BOOST_TEST(report.passed, report.message);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_an_error) {
  Graph g;
  const Tensor x = g.input("x", {2, 4}), open = g.input("open", {2, "c"}), scalar = g.input("scalar", {});
  const std::string at = "local_response_norm_test.cpp: local_response_norm: ";
  BOOST_TEST(message_without_lines_of([&] {
               (void)local_response_norm(x, {.size = 0});
             }).find(at + "the size is 0\n  x \"x\"  f32[2, 4]") == 0);
  BOOST_TEST(message_without_lines_of([&] {
               (void)local_response_norm(open);
             }).find(at + "the number of channels, c, is not known") == 0);
  BOOST_TEST(message_without_lines_of([&] { (void)local_response_norm(scalar); }).find(at + "x is a scalar") == 0);
}

BOOST_AUTO_TEST_SUITE_END()
