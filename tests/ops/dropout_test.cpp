#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/dropout.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::message_of;

namespace {

Array ones(int64_t n) {
  Array array({n});
  for (float& element : array.data<float>()) element = 1;
  return array;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_dropout)

BOOST_AUTO_TEST_CASE(training_drops_and_scales_inference_does_nothing) {
  constexpr int64_t n = 10000;
  Graph g;
  const Tensor x = g.input("x", {n});
  const Tensor y = dropout(x, 0.2);
  const std::vector<Tensor> outputs = {y, gradient(y, x)};
  State state{{.seed = 1}};
  for (const Mode mode : {Mode::training, Mode::inference}) {
    const std::vector<Array> results = compile({.outputs = outputs, .mode = mode}).run(state, {{"x", ones(n)}});
    const std::span<float> values = results[0].data<float>();
    int64_t kept = 0;
    for (const float value : values) {
      BOOST_TEST((value == 0 || value == (mode == Mode::training ? 1.25f : 1.0f)));
      kept += value != 0 ? 1 : 0;
    }
    BOOST_TEST(std::fabs(static_cast<double>(kept) - (mode == Mode::training ? 8000 : n)) <
               (mode == Mode::training ? 200 : 1));
    BOOST_TEST(same_bits(results[0], results[1]));  // of ones, the gradient is the value
  }
}

BOOST_AUTO_TEST_CASE(a_rate_of_zero_keeps_all) {
  Graph g;
  const Tensor x = g.input("x", {4});
  BOOST_TEST(same(dropout(x, 0), x));
}

BOOST_AUTO_TEST_CASE(by_mode_picks_and_so_does_its_gradient) {
  Graph g;
  const Tensor a = g.input("a", {2}), b = g.input("b", {2});
  const Tensor y = by_mode(a, b);
  const std::vector<Tensor> slopes = gradients(y, {a, b});
  State state;
  const Batch inputs{{"a", Array::from<float>({1, 2})}, {"b", Array::from<float>({3, 4})}};
  for (const Optimize optimize : {Optimize::none, Optimize::all}) {
    for (const Mode mode : {Mode::training, Mode::inference}) {
      const bool training = mode == Mode::training;
      const std::vector<Array> results =
          compile({.outputs = {y, slopes[0], slopes[1]}, .mode = mode, .optimize = optimize}).run(state, inputs);
      BOOST_TEST((results[0].to_vector<float>() == (training ? std::vector<float>{1, 2} : std::vector<float>{3, 4})));
      BOOST_TEST((results[1].to_vector<float>() == std::vector<float>(2, training ? 1 : 0)));
      BOOST_TEST((results[2].to_vector<float>() == std::vector<float>(2, training ? 0 : 1)));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_rate_outside_its_range_is_an_error) {
  Graph g;
  const Tensor x = g.input("x", {2});
  for (const double rate : {-0.1, 1.0}) {
    const std::string at = "dropout_test.cpp:" + std::to_string(__LINE__ + 1);
    const std::string text = message_of([&] { (void)dropout(x, rate); });
    BOOST_TEST(text == at + ": dropout: the rate cannot be " + (rate < 0 ? "-0.1" : "1") +
                           "\n  a rate is at least 0 and less than 1");
  }
}

BOOST_AUTO_TEST_CASE(by_mode_needs_like_tensors) {
  Graph g;
  const int made = __LINE__ + 1;
  const Tensor x = g.input("x", {2}), w = g.input("w", {3}), m = g.input("m", {2, 1});
  const Tensor d = g.input("d", {2}, DType::f64);
  const auto input = [&](int line) { return "  input, dropout_test.cpp:" + std::to_string(line) + "\n  "; };
  const std::string rule = "by_mode needs two tensors of one shape and dtype";
  const auto at = [](int line) { return "dropout_test.cpp:" + std::to_string(line) + ": by_mode: "; };

  int line = __LINE__ + 1;
  std::string text = message_of([&] { (void)by_mode(x, d); });
  BOOST_TEST(text == at(line) + "the dtypes differ\n  training \"x\"   f32[2]" + input(made) +
                         "inference \"d\"  f64[2]" + input(made + 1) + rule);
  line = __LINE__ + 1;
  text = message_of([&] { (void)by_mode(x, m); });
  BOOST_TEST(text == at(line) + "the ranks differ\n  training \"x\"   f32[2]   " + input(made) +
                         "inference \"m\"  f32[2, 1]" + input(made) + rule);
  line = __LINE__ + 1;
  text = message_of([&] { (void)by_mode(x, w); });
  BOOST_TEST(text == at(line) + "the sizes of the operands differ, 2 and 3\n  training \"x\"   f32[2]" + input(made) +
                         "inference \"w\"  f32[3]" + input(made) + rule);
}

BOOST_AUTO_TEST_SUITE_END()
