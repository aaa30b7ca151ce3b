#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/initializers.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;

namespace {

struct Drawn {
  double lowest, highest, mean, stddev;
};

/// What a run makes of an initialiser, over a weight of fan-in 200 and fan-out 300.
Drawn draw(Initializer initializer) {
  Graph g;
  const Tensor weight = g.parameter("weight", {200, 300}, initializer, {.dtype = DType::f64});
  const Program program = compile({.outputs = {weight}});
  State state{{.seed = 7}};
  program.initialize(state);
  const std::vector<double> values = state.get("weight").to_vector<double>();
  Drawn drawn{values[0], values[0], 0, 0};
  const auto n = static_cast<double>(values.size());
  for (const double value : values) {
    drawn.lowest = std::min(drawn.lowest, value);
    drawn.highest = std::max(drawn.highest, value);
    drawn.mean += value / n;
  }
  for (const double value : values) drawn.stddev += (value - drawn.mean) * (value - drawn.mean) / n;
  drawn.stddev = std::sqrt(drawn.stddev);
  return drawn;
}

// 60,000 values: the mean of the sample is within 5 / sqrt(60000) = 2 % of a standard deviation.
void check_uniform(Initializer initializer, double low, double high) {
  const Drawn drawn = draw(initializer);
  const double width = high - low;
  BOOST_TEST(drawn.lowest >= low);
  BOOST_TEST(drawn.highest <= high);
  BOOST_TEST(drawn.lowest < low + 0.01 * width);
  BOOST_TEST(drawn.highest > high - 0.01 * width);
  BOOST_TEST(std::abs(drawn.mean - (low + high) / 2) < 0.01 * width);
}

void check_normal(Initializer initializer, double mean, double stddev) {
  const Drawn drawn = draw(initializer);
  BOOST_TEST(std::abs(drawn.mean - mean) < 0.02 * stddev);
  BOOST_TEST(std::abs(drawn.stddev - stddev) < 0.02 * stddev);
  BOOST_TEST(drawn.highest > mean + 3 * stddev);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_initializers)

BOOST_AUTO_TEST_CASE(constants) {
  BOOST_TEST(draw(nn::zeros()).highest == 0);
  const Drawn drawn = draw(nn::constant(0.25));
  BOOST_TEST(drawn.lowest == 0.25);
  BOOST_TEST(drawn.highest == 0.25);
}

BOOST_AUTO_TEST_CASE(plain_distributions) {
  check_uniform(nn::uniform(-1, 3), -1, 3);
  check_normal(nn::normal(2, 0.5), 2, 0.5);
}

BOOST_AUTO_TEST_CASE(scaled_distributions) {
  const double glorot = std::sqrt(6.0 / 500), he = std::sqrt(6.0 / 200);
  check_uniform(nn::glorot_uniform(), -glorot, glorot);
  check_normal(nn::glorot_normal(), 0, std::sqrt(2.0 / 500));
  check_uniform(nn::he_uniform(), -he, he);
  check_normal(nn::he_normal(), 0, std::sqrt(2.0 / 200));
  check_normal(nn::lecun(), 0, std::sqrt(1.0 / 200));
}

BOOST_AUTO_TEST_CASE(short_names) {
  BOOST_TEST((nn::glorot() == nn::glorot_uniform()));
  BOOST_TEST((nn::he() == nn::he_normal()));
}

BOOST_AUTO_TEST_SUITE_END()
