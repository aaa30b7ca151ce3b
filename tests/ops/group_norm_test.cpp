#include "evaluate_helper.hpp"
#include "linear_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/group_norm.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(ops_group_norm)

BOOST_AUTO_TEST_CASE(values_by_the_formula) {
  constexpr size_t images = 2, positions = 6, channels = 4;
  Graph g;
  const Tensor x = g.input("x", {2, 2, 3, 4}, DType::f64), gain = g.input("gain", {4}, DType::f64),
               bias = g.input("bias", {4}, DType::f64);
  const std::vector<double> given = test::scattered(DType::f64, {2, 2, 3, 4}).as_doubles(), scale = {1, 2, -1, 0.5},
                            shift = {0, 0.5, 3, -2};
  for (const size_t groups : {1, 2, 4}) {
    const Tensor y =
        groups == 4 ? instance_norm(x, gain, bias, 0.1) : group_norm(x, static_cast<int64_t>(groups), gain, bias, 0.1);
    const std::vector<double> made = evaluate({y}, {{"x", Values::of({2, 2, 3, 4}, given)},
                                                    {"gain", Values::of({4}, scale)},
                                                    {"bias", Values::of({4}, shift)}})[0]
                                         .as<double>();
    const size_t part = channels / groups;
    for (size_t n = 0; n < images; ++n) {
      for (size_t group = 0; group < groups; ++group) {
        const auto at = [&](size_t i) { return (n * positions + i / part) * channels + group * part + i % part; };
        double mean = 0, variance = 0;
        const double count = static_cast<double>(positions * part);
        for (size_t i = 0; i < positions * part; ++i) mean += given[at(i)] / count;
        for (size_t i = 0; i < positions * part; ++i) variance += (given[at(i)] - mean) * (given[at(i)] - mean) / count;
        for (size_t i = 0; i < positions * part; ++i) {
          const size_t channel = at(i) % channels;
          const double expected = (given[at(i)] - mean) / std::sqrt(variance + 0.1) * scale[channel] + shift[channel];
          BOOST_TEST(std::fabs(made[at(i)] - expected) < 1e-12);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(gradients_by_finite_differences) {
  const Array x = Array::from<double>({0.3, -1.2, 0.7, 1.9, -0.4, 0.8, 1.1, -0.9}).reshaped({1, 2, 4});
  const Array gain = Array::from<double>({1, -0.5, 2, 0.7}), bias = Array::from<double>({0, 0.1, -1, 2});
  for (const int64_t groups : {2, 4}) {
    const GradcheckReport report = gradcheck(
        [&](std::span<const Tensor> v) {
          return groups == 4 ? instance_norm(v[0], v[1], v[2]) : group_norm(v[0], groups, v[1], v[2]);
        },
        {x, gain, bias});
    BOOST_TEST(report.passed, report.message);
  }
}

BOOST_AUTO_TEST_CASE(groups_that_do_not_divide_and_shapes_that_only_broadcast_are_errors) {
  Graph g;
  const std::string file = "group_norm_test.cpp:";
  const Tensor x = g.input("x", {2, 5, 4}), gain = g.input("gain", {4}), one = g.input("one", {1});
  const std::string declared = file + std::to_string(__LINE__ - 1);
  const std::string rule =
      "\n  group_norm needs x [batch, spatial..., channels], gain [channels] and bias [channels] of one graph, and "
      "groups "
      "of equal numbers of channels";
  int line = __LINE__ + 1;
  std::string text = message_of([&] { (void)group_norm(x, 3, gain, gain); });
  BOOST_TEST(text == file + std::to_string(line) +
                         ": group_norm: 4 channels are no 3 groups\n  x \"x\"  f32[2, 5, 4]  input, " + declared +
                         rule);
  line = __LINE__ + 1;
  text = message_of([&] { (void)group_norm(x, 2, gain, one); });
  BOOST_TEST(text == file + std::to_string(line) +
                         ": group_norm: gain and bias are not of shape [4]\n  x \"x\"        f32[2, 5, 4]  input, " +
                         declared + "\n  gain \"gain\"  f32[4]        input, " + declared +
                         "\n  bias \"one\"   f32[1]        input, " + declared + rule);
  text = message_of([&] { (void)instance_norm(gain, gain, gain); });
  BOOST_TEST(text.find("instance_norm: the rank is 1") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
