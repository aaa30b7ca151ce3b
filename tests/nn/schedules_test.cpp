#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/schedules.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <functional>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

namespace {

void check(const nn::Schedule& schedule, const std::function<double(int64_t)>& expected) {
  Graph g;
  const Tensor rate = nn::learning_rate(schedule, g.input("step", {}, DType::i64));
  BOOST_TEST((rate.dtype() == DType::f64));
  BOOST_TEST(rate.rank() == 0);
  for (const int64_t step : {0, 1, 2, 3, 4, 5, 9, 10, 11, 99, 100, 101, 1'000'000}) {
    const double got = evaluate({rate}, {{"step", Values::of<int64_t>({}, {step})}})[0].as<double>()[0];
    BOOST_TEST(std::abs(got - expected(step)) <= 1e-12 * std::abs(expected(step)) + 1e-18,
               "step " << step << ": " << got);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_schedules)

BOOST_AUTO_TEST_CASE(rates_follow_their_formulas) {
  check(0.1, [](int64_t) { return 0.1; });
  check(nn::step_decay(0.1, 10, 0.5), [](int64_t t) { return 0.1 * std::pow(0.5, t / 10); });
  check(nn::exponential_decay(0.1, 100, 0.5),
        [](int64_t t) { return 0.1 * std::pow(0.5, static_cast<double>(t) / 100); });
  check(nn::cosine_decay(0.1, 100, 0.01), [](int64_t t) {
    return 0.01 + 0.09 / 2 * (1 + std::cos(std::acos(-1) * static_cast<double>(std::min<int64_t>(t, 100)) / 100));
  });
}

BOOST_AUTO_TEST_CASE(any_schedule_can_be_warmed_up) {
  check(nn::warm_up(0.1, 5), [](int64_t t) { return 0.1 * std::min(1.0, static_cast<double>(t + 1) / 5); });
  check(nn::warm_up(nn::step_decay(0.1, 10, 0.5), 4),
        [](int64_t t) { return t < 4 ? 0.1 * static_cast<double>(t + 1) / 4 : 0.1 * std::pow(0.5, (t - 4) / 10); });
  check(nn::warm_up(0.1, 0), [](int64_t) { return 0.1; });
}

BOOST_AUTO_TEST_CASE(impossible_schedules_are_errors) {
  BOOST_TEST(message_of([] { (void)nn::step_decay(0.1, 0, 0.5); }) == "step_decay: every is 0\n  every is positive");
  BOOST_TEST(message_of([] { (void)nn::step_decay(0.1, 1, -1); }) == "step_decay: factor is -1\n  factor is positive");
  BOOST_TEST(message_of([] { (void)nn::exponential_decay(0.1, -2, 0.5); }) ==
             "exponential_decay: steps is -2\n  steps is positive");
  BOOST_TEST(message_of([] { (void)nn::exponential_decay(0.1, 2, 0); }) ==
             "exponential_decay: factor is 0\n  factor is positive");
  BOOST_TEST(message_of([] { (void)nn::cosine_decay(0.1, 0); }) == "cosine_decay: steps is 0\n  steps is positive");
  BOOST_TEST(message_of([] { (void)nn::warm_up(0.1, -1); }) == "warm_up: steps is -1\n  steps is not negative");
}

BOOST_AUTO_TEST_SUITE_END()
