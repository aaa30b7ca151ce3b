#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/rms_norm.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(ops_rms_norm)

BOOST_AUTO_TEST_CASE(values_and_gradients_by_the_formula) {
  Graph g;
  const Tensor y = rms_norm(g.input("x", {2, 2}, DType::f64), g.input("gain", {2}, DType::f64), 0.5);
  const std::vector<double> made =
      evaluate({y}, {{"x", Values::of<double>({2, 2}, {3, -1, 0, 0})}, {"gain", Values::of<double>({2}, {1, 2})}})[0]
          .as<double>();
  const std::vector<double> expected = {3 / std::sqrt(5.5), -2 / std::sqrt(5.5), 0, 0};
  for (size_t i = 0; i < 4; ++i) BOOST_TEST(std::fabs(made[i] - expected[i]) < 1e-15);
  const GradcheckReport report =
      gradcheck([](std::span<const Tensor> v) { return rms_norm(v[0], v[1]); },
                {Array::from<double>({0.3, -1.2, 0.7, 1.9}).reshaped({2, 2}), Array::from<double>({1, -0.5})});
  BOOST_TEST(report.passed, report.message);
}

BOOST_AUTO_TEST_CASE(a_gain_that_only_broadcasts_is_an_error) {
  Graph g;
  const std::string file = "rms_norm_test.cpp:";
  const Tensor x = g.input("x", {2, 3}), one = g.input("one", {1});
  const int line = __LINE__ + 1;
  const std::string text = message_of([&] { (void)rms_norm(x, one); });
  BOOST_TEST(text == file + std::to_string(line) +
                         ": rms_norm: the gain is not of shape [3]\n  x \"x\"       f32[2, 3]  input, " + file +
                         std::to_string(line - 2) + "\n  gain \"one\"  f32[1]     input, " + file +
                         std::to_string(line - 2) + "\n  rms_norm needs x [..., n] and gain [n] of one graph");
}

BOOST_AUTO_TEST_SUITE_END()
