// What tests of attention share: sizes, numbers, and how near two results are.
#pragma once

#include "evaluate_helper.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace gradloom::test {

/// Of an attention.
struct Sizes {
  int64_t batch, queries, keys, heads, kv_heads, depth, value_depth;
  bool causal = false;
};

inline std::vector<double> random_values(size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(-2, 2);
  std::vector<double> values(n);
  for (double& value : values) value = static_cast<float>(uniform(random));
  return values;
}

/// The largest one, relative where that is less.
inline double error_of(const Values& got, const std::vector<double>& expected) {
  const std::vector<double> values = got.as_doubles();
  BOOST_REQUIRE(values.size() == expected.size());
  double worst = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] == expected[i]) continue;  // infinities
    const double error = std::fabs(values[i] - expected[i]) / std::max(1.0, std::fabs(expected[i]));
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

inline void check_close(const char* what, const Values& got, const std::vector<double>& expected, double tolerance) {
  const double error = error_of(got, expected);
  BOOST_TEST(error <= tolerance, what << ": off by " << error);
}

}  // namespace gradloom::test
