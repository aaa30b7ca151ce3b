#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/spectral_norm.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::message_of;

BOOST_AUTO_TEST_SUITE(nn_spectral_norm)

// [[3, 0], [4, 5]] has the singular values sqrt(45) and sqrt(5).
BOOST_AUTO_TEST_CASE(the_estimate_converges_to_the_largest_singular_value) {
  Graph g;
  const Tensor w = g.input("w", {1, 2, 2}, DType::f64), y = nn::spectral_norm(w);
  const Batch given = {{"w", Array::from<double>({3, 0, 4, 5}).reshaped({1, 2, 2})}};
  const Program train = compile({.outputs = {y}}), use = compile({.outputs = {y}, .mode = Mode::inference});
  State state;
  for (int step = 0; step < 30; ++step) (void)train.run(Executor{}, state, given);
  const State before = state;
  const Array made = use.run(Executor{}, state, given)[0];
  BOOST_TEST(std::fabs(made.data<const double>()[0] - 3 / std::sqrt(45)) < 1e-9);
  BOOST_TEST(std::fabs(made.data<const double>()[3] - 5 / std::sqrt(45)) < 1e-9);
  BOOST_TEST(same_bits(before.get("spectral_norm_1/u"), state.get("spectral_norm_1/u")));
}

// Once u and v are the singular vectors, treating them as constants is exact: w / s has the slope of differences.
BOOST_AUTO_TEST_CASE(its_gradient_agrees_with_differences) {
  Graph g;
  const Tensor w = g.input("w", {3, 4}, DType::f64), weights = g.input("weights", {3, 4}, DType::f64);
  const Tensor loss = sum(nn::spectral_norm(w, {.iterations = 200}) * weights);
  const Program program = compile({.outputs = {loss, gradient(loss, w)}});
  Array at({3, 4}, DType::f64), factors({3, 4}, DType::f64);
  for (size_t i = 0; i < 12; ++i) {
    at.data<double>()[i] = std::sin(3.0 * static_cast<double>(i));
    factors.data<double>()[i] = std::cos(5.0 * static_cast<double>(i));
  }
  State state;
  const auto run = [&](const Array& value) { return program.run(state, {{"w", value}, {"weights", factors}}); };
  (void)run(at);
  const Array slope = run(at)[1];
  for (size_t i = 0; i < 12; ++i) {
    const auto loss_at = [&](double change) {
      Array varied = at.clone();
      varied.data<double>()[i] += change;
      return run(varied)[0].item<double>();
    };
    BOOST_TEST(std::fabs(slope.data<const double>()[i] - (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5) < 1e-8);
  }
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "spectral_norm_test.cpp:";
  Graph g;
  const Tensor v = g.input("v", {3});
  const int line = __LINE__ + 1;
  std::string text = message_of([&] { (void)nn::spectral_norm(v); });
  BOOST_TEST(
      text ==
      file + std::to_string(line) + ": spectral_norm: the rank is 1\n  weight \"v\"  f32[3]  input, " + file +
          std::to_string(line - 2) +
          "\n  spectral_norm needs a weight [..., out] of two or more axes of known sizes, and at least 0 iterations");
  text = message_of([&] { (void)nn::spectral_norm(g.input("w", {"n", 2})); });
  BOOST_TEST(text.find("a size is not known") != std::string::npos);
  text = message_of([&] { (void)nn::spectral_norm(g.input("empty", {2, 0})); });
  BOOST_TEST(text.find("the last axis has size 0") != std::string::npos);
  text = message_of([&] { (void)nn::spectral_norm(g.input("u", {2, 2}), {.iterations = -1}); });
  BOOST_TEST(text.find("-1 iterations were asked for") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
