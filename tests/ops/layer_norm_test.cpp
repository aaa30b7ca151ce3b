#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/layer_norm.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdint>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(ops_layer_norm)

BOOST_AUTO_TEST_CASE(values_by_the_formula) {
  const std::vector<double> x = {0.5, -1, 2, 101, 100, 99}, gain = {1, 2, -1}, bias = {0, 0.5, 3};
  Graph g;
  const Tensor input = g.input("x", {2, 3}, DType::f64);
  const Tensor scale = g.input("gain", {3}, DType::f64), shift = g.input("bias", {3}, DType::f64);
  for (const double epsilon : {1e-5, 0.5}) {
    const std::vector<double> y =
        evaluate({layer_norm(input, scale, shift, epsilon)},
                 {{"x", Values::of({2, 3}, x)}, {"gain", Values::of({3}, gain)}, {"bias", Values::of({3}, bias)}})[0]
            .as<double>();
    for (size_t row = 0; row < 2; ++row) {
      const double* const v = &x[3 * row];
      const double mean = (v[0] + v[1] + v[2]) / 3;
      double variance = 0;
      for (size_t i = 0; i < 3; ++i) variance += (v[i] - mean) * (v[i] - mean) / 3;
      for (size_t i = 0; i < 3; ++i) {
        const double expected = (v[i] - mean) / std::sqrt(variance + epsilon) * gain[i] + bias[i];
        BOOST_TEST(std::fabs(y[3 * row + i] - expected) < 1e-13);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_large_mean_does_not_cancel_and_equal_elements_give_the_bias) {
  Graph g;
  const Tensor x = g.input("x", {2, 2}), gain = g.input("gain", {2}), bias = g.input("bias", {2});
  const std::vector<float> y =
      evaluate({layer_norm(x, gain, bias)}, {{"x", Values::of<float>({2, 2}, {4097, 4099, 7, 7})},
                                             {"gain", Values::of<float>({2}, {1, 1})},
                                             {"bias", Values::of<float>({2}, {0, 2})}})[0]
          .as<float>();
  BOOST_TEST(std::fabs(y[0] + 1) < 1e-4f);
  BOOST_TEST(std::fabs(y[1] - 3) < 1e-4f);
  BOOST_TEST(y[2] == 0);
  BOOST_TEST(y[3] == 2);
}

BOOST_AUTO_TEST_CASE(gradients_by_finite_differences) {
  const Array x = Array::from<double>({0.3, -1.2, 0.7, 1.9, -0.4, 0.8, 1.1, -0.9}).reshaped({2, 4});
  const Array gain = Array::from<double>({1, -0.5, 2, 0.7}), bias = Array::from<double>({0, 0.1, -1, 2});
  const GradcheckReport report =
      gradcheck([](std::span<const Tensor> v) { return layer_norm(v[0], v[1], v[2]); }, {x, gain, bias});
  BOOST_TEST(report.passed, report.message);
}

BOOST_AUTO_TEST_CASE(shapes_that_only_broadcast_are_errors) {
  Graph g, other;
  const Tensor x = g.input("x", {"batch", 3}), gain = g.input("gain", {3}), one = g.input("one", {1});
  const std::string at = "layer_norm_test.cpp:", declared = at + std::to_string(__LINE__ - 1);
  const std::string rule = "\n  layer_norm needs x [..., n], gain [n] and bias [n] of one graph";
  std::string line = std::to_string(__LINE__ + 1);
  std::string message = message_of([&] { (void)layer_norm(x, gain, one); });
  BOOST_TEST(message ==
             at + line + ": layer_norm: gain and bias are not of shape [3]\n  x \"x\"        f32[batch, 3]  input, " +
                 declared + "\n  gain \"gain\"  f32[3]         input, " + declared +
                 "\n  bias \"one\"   f32[1]         input, " + declared + rule);
  line = std::to_string(__LINE__ + 1);
  message = message_of([&] { (void)layer_norm(x, other.input("gain", {3}), gain); });
  BOOST_TEST(message ==
             at + line +
                 ": layer_norm: gain is an empty Tensor or of another graph\n  x \"x\"  f32[batch, 3]  input, " +
                 declared + rule);
  const Tensor scalar = g.input("scalar", {});
  BOOST_TEST(message_of([&] { (void)layer_norm(scalar, gain, gain); }).find("layer_norm: x is a scalar") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(integers_become_f32) {
  Graph g;
  const Tensor gain = g.input("gain", {4});
  const Tensor y = layer_norm(g.input("x", {2, 4}, DType::i32), gain, gain);
  BOOST_TEST((y.dtype() == DType::f32));
  BOOST_TEST(y.node().path == "layer_norm");
}

BOOST_AUTO_TEST_SUITE_END()
