#include "bowl_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/nn/batch_norm.hpp>
#include <gradloom/nn/dense.hpp>
#include <gradloom/nn/lbfgs.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/movement.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::Bowl;
using test::elements;
using test::message_of;
using test::Vector;
using End = nn::LbfgsResult::End;

BOOST_AUTO_TEST_SUITE(nn_lbfgs)

BOOST_AUTO_TEST_CASE(finds_the_bottom_of_a_bowl) {
  Bowl bowl;
  State state = test::start();
  const nn::LbfgsResult result = nn::Lbfgs(bowl.loss, {.gradient_tolerance = 1e-5}).minimize(Executor{}, state);
  BOOST_TEST((result.end == End::gradient_tolerance));
  BOOST_TEST(result.loss < 1e-8);
  BOOST_TEST(result.iterations < 30);
  BOOST_TEST(result.evaluations < 40);
  BOOST_TEST(result.largest_gradient <= 1e-5);
  BOOST_TEST(std::abs(elements(state)[2]) < 2e-3);  // the flattest direction: curvature 0.01
}

// Rosenbrock's function in 10 dimensions, the classic bent valley: Nocedal & Wright's own test of line searches.
BOOST_AUTO_TEST_CASE(follows_a_bent_valley) {
  Graph g;
  const Tensor x = g.parameter("x", {10}, {}, {.dtype = DType::f64});
  const Tensor low = slice(x, {{0, 9}}), high = slice(x, {{1, 10}});
  const Tensor loss = sum(100 * square(high - square(low)) + square(1 - low));
  State state;
  state.set("x", Array::from<double>({-1.2, 1, -1.2, 1, -1.2, 1, -1.2, 1, -1.2, 1}));
  const nn::LbfgsResult result = nn::Lbfgs(loss, {.iterations = 200}).minimize(Executor{}, state);
  BOOST_TEST((result.end == End::gradient_tolerance));
  BOOST_TEST(result.evaluations < 200);
  for (const double v : state.get("x").to_vector<double>()) BOOST_TEST(std::abs(v - 1) < 1e-5, v);
}

BOOST_AUTO_TEST_CASE(trains_a_network_the_same_on_any_number_of_threads) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 1}), y = g.input("y", {"batch", 1});
  const Tensor loss = nn::mse(nn::dense(tanh(nn::dense(x, 12)), 1), y);
  std::vector<float> xs, ys;
  for (int i = -30; i <= 30; ++i) {
    xs.push_back(static_cast<float>(i) / 15);
    ys.push_back(std::sin(2 * xs.back()));
  }
  const Batch data = {{"x", Array::from(xs, {61, 1})}, {"y", Array::from(ys, {61, 1})}};
  const nn::Lbfgs fit(loss, {.iterations = 60});
  State one{{.seed = 1}}, two{{.seed = 1}};
  const nn::LbfgsResult result = fit.minimize(Executor{{.threads = 1}}, one, data);
  (void)fit.minimize(Executor{{.threads = 2}}, two, data);
  BOOST_TEST(result.loss < 1e-3);
  for (const std::string& name : one.names()) BOOST_TEST(same_bits(one.get(name), two.get(name)), name);
  // What it reports is the loss of the State that it leaves.
  const Program ask = compile({.outputs = {loss}});
  BOOST_TEST(static_cast<double>(ask.run(Executor{}, std::as_const(one), data)[0].item<float>()) == result.loss);
}

BOOST_AUTO_TEST_CASE(ends_as_it_says) {
  Bowl bowl;
  State state = test::start();
  const nn::LbfgsResult few = nn::Lbfgs(bowl.loss, {.iterations = 2}).minimize(Executor{}, state);
  BOOST_TEST((few.end == End::iterations));
  BOOST_TEST(few.iterations == 2);
  State other = test::start();
  const nn::LbfgsResult loose = nn::Lbfgs(bowl.loss, {.loss_tolerance = 1}).minimize(Executor{}, other);
  BOOST_TEST((loose.end == End::loss_tolerance));
  BOOST_TEST(loose.iterations == 1);

  // No bottom, and one evaluation cannot find a step that is flat: the best that was tried is taken.
  Graph g;
  const Tensor w = g.parameter("w", {1}, {}, {.dtype = DType::f64});
  const Tensor slope = sum(-w);
  State falling;
  falling.set("w", Array::from<double>({0}));
  const nn::LbfgsResult open = nn::Lbfgs(slope, {.line_search = 3}).minimize(Executor{}, falling);
  BOOST_TEST((open.end == End::line_search));
  BOOST_TEST(falling.get("w").to_vector<double>()[0] == 4);
}

BOOST_AUTO_TEST_CASE(a_step_into_nowhere_is_taken_back) {
  Graph g;
  const Tensor w = g.parameter("w", {1}, {}, {.dtype = DType::f64});
  const Tensor loss = sum(w - log(w));  // nan below 0, lowest at 1
  State state;
  state.set("w", Array::from<double>({20}));
  const nn::LbfgsResult result = nn::Lbfgs(loss).minimize(Executor{}, state);
  BOOST_TEST(std::abs(state.get("w").to_vector<double>()[0] - 1) < 1e-5);
  BOOST_TEST((result.end == End::gradient_tolerance || result.end == End::loss_tolerance));
  state.set("w", Array::from<double>({-1}));
  BOOST_TEST(message_of([&] { (void)nn::Lbfgs(loss).minimize(Executor{}, state); }) ==
             "lbfgs: the loss is nan where it begins");
}

BOOST_AUTO_TEST_CASE(evaluations_leave_running_statistics_alone) {
  Graph g;
  const Tensor x = g.input("x", {16, 3});
  const Tensor y = nn::dense(nn::batch_norm(x), 1);
  const Tensor loss = mean(square(y - 1));
  State state;
  Array values({16, 3});
  for (size_t i = 0; i < 48; ++i) values.data<float>()[i] = static_cast<float>((i * 7) % 11);
  const nn::LbfgsResult result = nn::Lbfgs(loss).minimize(Executor{}, state, {{"x", values}});
  BOOST_TEST(result.loss < 1e-6);
  BOOST_TEST(state.get("batch_norm_1/running_mean").to_vector<float>() == std::vector<float>(3));
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "lbfgs_test.cpp:";
  const std::string rule =
      "  history, iterations and line_search are positive, 0 < sufficient_decrease < curvature < 1";
  Bowl bowl;
  int line = __LINE__ + 1;
  const std::string history = message_of([&] { (void)nn::Lbfgs(bowl.loss, {.history = 0}); });
  BOOST_TEST(history ==
             file + std::to_string(line) + ": lbfgs: history is 0, iterations 100 and line_search 25\n" + rule);
  line = __LINE__ + 1;
  const std::string wolfe = message_of([&] { (void)nn::Lbfgs(bowl.loss, {.curvature = 1}); });
  BOOST_TEST(wolfe == file + std::to_string(line) + ": lbfgs: sufficient_decrease is 0.0001 and curvature 1\n" + rule);
  line = __LINE__ + 1;
  const std::string scalar = message_of([&] { (void)nn::Lbfgs(bowl.w); });
  BOOST_TEST(scalar.starts_with(file + std::to_string(line) + ": lbfgs: the loss is not a scalar\n"), scalar);
}

BOOST_AUTO_TEST_SUITE_END()
