// A loss whose gradients are known, and an optimiser's steps on it beside its formula in plain doubles.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace gradloom::test {

using Vector = std::vector<double>;

/// loss = 1/2 sum(curvature p^2) over two parameters of different dtypes, so that the gradient is curvature * p.
struct Bowl {
  Graph g;
  Tensor w = g.parameter("layer/w", {3}, {}, {.dtype = DType::f64});
  Tensor b = g.parameter("layer/b", {2});
  Vector w_curvature = {1, 10, 0.01}, b_curvature = {3, 0.5};
  Tensor loss = 0.5 * sum(constant<double>(g, {3}, w_curvature) * square(w)) +
                0.5 * sum(constant<float>(g, {2}, {3, 0.5f}) * square(b));
};

/// One step of an optimiser for one element, in plain doubles: slots start at 0, t counts from 1.
using Formula = std::function<double(double p, double g, std::map<std::string, double>& slots, int t)>;
/// What clipping does to all gradients together.
using Clip = std::function<void(Vector& gradients)>;

inline State start() {
  State state;
  state.set("layer/w", Array::from<double>({1, -2, 30}));
  state.set("layer/b", Array::from<float>({0.5f, -4}));
  return state;
}

inline Vector elements(const State& state) {
  Vector all = state.get("layer/w").to_vector<double>();
  for (const float x : state.get("layer/b").to_vector<float>()) all.push_back(static_cast<double>(x));
  return all;
}

/// Runs seven steps of both and compares all parameters after each: the first three are f64, the others f32.
inline void check(const Bowl& bowl, const std::vector<Update>& updates, const Formula& formula, const Clip& clip = {},
                  double f64_tolerance = 1e-13) {
  const Program train = compile({.outputs = {bowl.loss}, .updates = updates});
  State state = start();
  Vector p = elements(state);
  Vector curvature = bowl.w_curvature;
  curvature.insert(curvature.end(), bowl.b_curvature.begin(), bowl.b_curvature.end());
  std::vector<std::map<std::string, double>> slots(p.size());
  for (int t = 1; t <= 7; ++t) {
    Vector g;
    for (size_t i = 0; i < p.size(); ++i) g.push_back(curvature[i] * p[i]);
    if (clip) clip(g);
    for (size_t i = 0; i < p.size(); ++i) p[i] = formula(p[i], g[i], slots[i], t);
    (void)train.run(state, {});
    const Vector got = elements(state);
    for (size_t i = 0; i < p.size(); ++i) {
      BOOST_TEST_CONTEXT("step " << t << ", element " << i)
      BOOST_TEST(std::abs(got[i] - p[i]) <= (i < 3 ? f64_tolerance : 2e-6) * (1 + std::abs(p[i])),
                 got[i] << " instead of " << p[i]);
    }
  }
}

}  // namespace gradloom::test
