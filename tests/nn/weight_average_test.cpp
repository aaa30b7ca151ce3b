#include "bowl_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/nn/weight_average.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::Bowl;
using test::elements;
using test::message_of;
using test::Vector;

namespace {

/// Trains seven steps and compares the averages after each with `next(average, weights, step)`.
template <class Next>
void check_average(const Bowl& bowl, const nn::WeightAverage& average, Next next) {
  const Program train = compile({.outputs = {bowl.loss}, .updates = average.updates});
  State state = test::start();
  Vector expected(5, 0.0);
  for (int step = 0; step < 7; ++step) {
    (void)train.run(state, {});
    const Vector weights = elements(state), got = elements(average.averaged(state));
    for (size_t i = 0; i < weights.size(); ++i) {
      expected[i] = next(expected[i], weights[i], step);
      BOOST_TEST(std::abs(got[i] - expected[i]) <= 2e-6 * (1 + std::abs(expected[i])),
                 got[i] << " instead of " << expected[i]);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_weight_average)

BOOST_AUTO_TEST_CASE(exponential_moving_average_follows_its_formula) {
  Bowl bowl;
  check_average(bowl, nn::exponential_moving_average(nn::adam(bowl.loss, {.learning_rate = 0.1}), {.decay = 0.8}),
                [](double average, double w, int step) { return step == 0 ? w : 0.8 * average + 0.2 * w; });
}

BOOST_AUTO_TEST_CASE(stochastic_weight_averaging_is_the_mean_of_what_counts) {
  Bowl bowl;
  const auto updates = nn::momentum(bowl.loss, {.learning_rate = 0.05});
  check_average(bowl, nn::stochastic_weight_averaging(updates),
                [](double average, double w, int step) { return (average * step + w) / (step + 1); });
  check_average(bowl, nn::stochastic_weight_averaging(updates, {.start = 2, .every = 2}),
                [](double average, double w, int step) {
                  const int counted = (step - 2) / 2;  // before this one
                  return step < 2 || step % 2 != 0 ? average : (average * counted + w) / (counted + 1);
                });
}

BOOST_AUTO_TEST_CASE(averages_are_frozen_parameters_of_weights_only) {
  Bowl bowl;
  const nn::WeightAverage first = nn::exponential_moving_average(nn::adam(bowl.loss));
  const nn::WeightAverage second = nn::exponential_moving_average(first.updates);
  const std::vector<std::pair<std::string, std::string>> names = {{"layer/w", "ema/layer/w"},
                                                                  {"layer/b", "ema/layer/b"}};
  BOOST_TEST((first.names == names));
  BOOST_TEST(second.names[0].second == "ema_2/layer/w");
  const Bowl fresh;
  State state = test::start();
  const std::string text = message_of([&] { (void)first.averaged(state); });
  BOOST_TEST(text.find("ema/layer/w") != std::string::npos, text);
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "weight_average_test.cpp:";
  Bowl bowl;
  const auto updates = nn::adam(bowl.loss);
  int line = __LINE__ + 1;
  const std::string decay = message_of([&] { (void)nn::exponential_moving_average(updates, {.decay = 2}); });
  BOOST_TEST(decay == file + std::to_string(line) + ": ema: decay is 2\n  decay is in [0, 1]");
  line = __LINE__ + 1;
  const std::string none = message_of([&] { (void)nn::exponential_moving_average({}); });
  BOOST_TEST(none == file + std::to_string(line) +
                         ": ema: there is no trainable parameter\n  it needs the updates that an optimiser returned");
  line = __LINE__ + 1;
  const std::string every = message_of([&] { (void)nn::stochastic_weight_averaging(updates, {.every = 0}); });
  BOOST_TEST(every == file + std::to_string(line) +
                          ": swa: start is 0 and every 0\n  start is not negative, and every is positive");
}

BOOST_AUTO_TEST_SUITE_END()
