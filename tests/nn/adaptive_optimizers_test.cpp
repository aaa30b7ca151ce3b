#include "bowl_helper.hpp"
#include <gradloom/nn/optimizers.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::Bowl;
using test::check;
using test::Vector;

namespace {

using Slots = std::map<std::string, double>;

double sign_of(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

double norm_of(const double* x, size_t n) {
  double squares = 0;
  for (size_t i = 0; i < n; ++i) squares += x[i] * x[i];
  return std::sqrt(squares);
}

/// Seven steps of an optimiser on 1/2 sum(curvature W^2), W [2, 3] or [6] in f64, beside `step` of all elements.
template <class Step>
void check_matrix(const Shape& shape, std::vector<Update> (*optimizer)(const Tensor& loss), Step step) {
  const Vector curvature = {1, 10, 0.01, 2, 0.5, 3};
  Vector p = {1, -2, 30, 0.25, -4, 0.001};
  Graph g;
  const Tensor w = g.parameter("w", shape, {}, {.dtype = DType::f64});
  const Tensor c = reshape(constant<double>(g, {6}, curvature), shape);
  const Tensor loss = 0.5 * sum(c * square(w));
  const Program train = compile({.outputs = {loss}, .updates = optimizer(loss)});
  State state;
  std::vector<int64_t> sizes;
  for (const Dim& dim : shape) sizes.push_back(dim.value());
  state.set("w", Array::from<double>(p, sizes));
  for (int t = 1; t <= 7; ++t) {
    Vector gradient(6);
    for (size_t i = 0; i < 6; ++i) gradient[i] = curvature[i] * p[i];
    step(p, gradient, t);
    (void)train.run(state, {});
    const Vector got = state.get("w").to_vector<double>();
    for (size_t i = 0; i < 6; ++i) {
      BOOST_TEST_CONTEXT("step " << t << ", element " << i)
      BOOST_TEST(std::abs(got[i] - p[i]) <= 1e-13 * (1 + std::abs(p[i])), got[i] << " instead of " << p[i]);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_adaptive_optimizers)

BOOST_AUTO_TEST_CASE(adadelta_follows_its_formula) {
  Bowl bowl;
  check(bowl, nn::adadelta(bowl.loss, {.learning_rate = 0.5, .decay = 0.8, .epsilon = 1e-3, .weight_decay = 0.1}),
        [](double p, double g, Slots& slots, int) {
          g += 0.1 * p;
          slots["v"] = 0.8 * slots["v"] + (1 - 0.8) * g * g;
          const double d = std::sqrt(slots["u"] + 1e-3) / std::sqrt(slots["v"] + 1e-3) * g;
          slots["u"] = 0.8 * slots["u"] + (1 - 0.8) * d * d;
          return p - 0.5 * d;
        });
}

BOOST_AUTO_TEST_CASE(adamax_follows_its_formula) {
  Bowl bowl;
  check(bowl, nn::adamax(bowl.loss, {.learning_rate = 0.1, .beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3}),
        [](double p, double g, Slots& slots, int t) {
          slots["m"] = 0.8 * slots["m"] + (1 - 0.8) * g;
          slots["u"] = std::max(0.9 * slots["u"], std::abs(g) + 1e-3);
          return p - 0.1 / (1 - std::pow(0.8, t)) * slots["m"] / slots["u"];
        });
}

BOOST_AUTO_TEST_CASE(nadam_follows_its_formula) {
  Bowl bowl;
  check(bowl, nn::nadam(bowl.loss, {.learning_rate = 0.1, .beta1 = 0.8, .beta2 = 0.99, .momentum_decay = 0.3}),
        [](double p, double g, Slots& slots, int t) {
          const auto mu = [](int step) { return 0.8 * (1 - 0.5 * std::pow(0.96, 0.3 * step)); };
          if (t == 1) slots["product"] = 1;
          slots["product"] *= mu(t);
          slots["m"] = 0.8 * slots["m"] + (1 - 0.8) * g;
          slots["v"] = 0.99 * slots["v"] + (1 - 0.99) * g * g;
          const double m =
              mu(t + 1) * slots["m"] / (1 - slots["product"] * mu(t + 1)) + (1 - mu(t)) * g / (1 - slots["product"]);
          return p - 0.1 * m / (std::sqrt(slots["v"] / (1 - std::pow(0.99, t))) + 1e-8);
        });
}

BOOST_AUTO_TEST_CASE(radam_follows_its_formula_on_both_sides_of_its_threshold) {
  Bowl bowl;
  int rectified = 0;
  check(bowl, nn::radam(bowl.loss, {.learning_rate = 0.1, .beta1 = 0.8, .beta2 = 0.97, .epsilon = 1e-3}),
        [&](double p, double g, Slots& slots, int t) {
          slots["m"] = 0.8 * slots["m"] + (1 - 0.8) * g;
          slots["v"] = 0.97 * slots["v"] + (1 - 0.97) * g * g;
          const double m = slots["m"] / (1 - std::pow(0.8, t)), power = std::pow(0.97, t);
          const double limit = 2 / (1 - 0.97) - 1, r = limit - 2 * t * power / (1 - power);
          if (r <= 5) return p - 0.1 * m;
          ++rectified;
          const double factor = std::sqrt((r - 4) * (r - 2) * limit / ((limit - 4) * (limit - 2) * r));
          return p - 0.1 * m * factor * std::sqrt(1 - power) / (std::sqrt(slots["v"]) + 1e-3);
        });
  BOOST_TEST(rectified > 0);
  BOOST_TEST(rectified < 35);
}

BOOST_AUTO_TEST_CASE(lion_follows_its_formula) {
  Bowl bowl;
  check(bowl, nn::lion(bowl.loss, {.learning_rate = 0.03, .beta1 = 0.8, .beta2 = 0.9, .weight_decay = 0.1}),
        [](double p, double g, Slots& slots, int) {
          const double step = sign_of(0.8 * slots["m"] + (1 - 0.8) * g);
          slots["m"] = 0.9 * slots["m"] + (1 - 0.9) * g;
          return p - 0.03 * (step + 0.1 * p);
        });
}

BOOST_AUTO_TEST_CASE(lamb_follows_its_formula) {
  Vector m(6), v(6);
  check_matrix(
      {2, 3},
      [](const Tensor& loss) {
        return nn::lamb(loss, {.learning_rate = 0.1, .beta1 = 0.8, .beta2 = 0.99, .weight_decay = 0.1});
      },
      [&](Vector& p, const Vector& g, int t) {
        Vector u(6);
        for (size_t i = 0; i < 6; ++i) {
          m[i] = 0.8 * m[i] + (1 - 0.8) * g[i];
          v[i] = 0.99 * v[i] + (1 - 0.99) * g[i] * g[i];
          u[i] = m[i] / (1 - std::pow(0.8, t)) / (std::sqrt(v[i] / (1 - std::pow(0.99, t))) + 1e-6) + 0.1 * p[i];
        }
        const double trust = norm_of(p.data(), 6) / norm_of(u.data(), 6);
        for (size_t i = 0; i < 6; ++i) p[i] -= 0.1 * trust * u[i];
      });
}

BOOST_AUTO_TEST_CASE(lamb_trusts_a_step_away_from_0) {
  Graph g;
  const Tensor w = g.parameter("w", {2}, {}, {.dtype = DType::f64});  // zeros: their norm is no measure of anything
  const Tensor loss = sum(w);
  const Program train =
      compile({.outputs = {loss}, .updates = nn::lamb(loss, {.learning_rate = 0.1, .weight_decay = 0})});
  State state;
  state.set("w", Array::from<double>({0, 0}));
  (void)train.run(state, {});
  for (const double x : state.get("w").to_vector<double>()) BOOST_TEST(std::abs(x + 0.1) < 1e-6);
}

BOOST_AUTO_TEST_CASE(adafactor_follows_its_formula_for_a_matrix) {
  Vector rows(2), columns(3);
  check_matrix(
      {2, 3},
      [](const Tensor& loss) {
        return nn::adafactor(loss, {.learning_rate = 0.45, .beta2_decay = 0.7, .clip = 0.8, .weight_decay = 0.1});
      },
      [&](Vector& p, const Vector& g, int t) {
        const double b = 1 - std::pow(t, -0.7);
        double all = 0;
        for (size_t i = 0; i < 2; ++i) {
          double mean = 0;
          for (size_t j = 0; j < 3; ++j) mean += (g[3 * i + j] * g[3 * i + j] + 1e-30) / 3;
          rows[i] = b * rows[i] + (1 - b) * mean;
          all += rows[i] / 2;
        }
        for (size_t j = 0; j < 3; ++j) {
          double mean = 0;
          for (size_t i = 0; i < 2; ++i) mean += (g[3 * i + j] * g[3 * i + j] + 1e-30) / 2;
          columns[j] = b * columns[j] + (1 - b) * mean;
        }
        Vector u(6);
        for (size_t i = 0; i < 6; ++i) u[i] = g[i] / std::sqrt(rows[i / 3] * columns[i % 3] / all);
        const double root = std::sqrt(6.0), size = std::max(1e-3, norm_of(p.data(), 6) / root);
        const double rate = std::min(0.45, 1 / std::sqrt(t)), over = std::max(1.0, norm_of(u.data(), 6) / root / 0.8);
        for (size_t i = 0; i < 6; ++i) p[i] = p[i] * (1 - 0.1 * 0.45) - rate * size * u[i] / over;
      });
}

BOOST_AUTO_TEST_CASE(adafactor_keeps_all_squares_of_a_vector) {
  Vector v(6);
  check_matrix(
      {6}, [](const Tensor& loss) { return nn::adafactor(loss, {.learning_rate = 0.3}); },
      [&](Vector& p, const Vector& g, int t) {
        const double b = 1 - std::pow(t, -0.8);
        Vector u(6);
        for (size_t i = 0; i < 6; ++i) {
          v[i] = b * v[i] + (1 - b) * (g[i] * g[i] + 1e-30);
          u[i] = g[i] / std::sqrt(v[i]);
        }
        const double root = std::sqrt(6.0), size = std::max(1e-3, norm_of(p.data(), 6) / root);
        const double rate = std::min(0.3, 1 / std::sqrt(t)), over = std::max(1.0, norm_of(u.data(), 6) / root);
        for (size_t i = 0; i < 6; ++i) p[i] -= rate * size * u[i] / over;
      });
}

BOOST_AUTO_TEST_CASE(adafactor_keeps_a_row_and_a_column_of_every_matrix) {
  Graph g;
  const Tensor w = g.parameter("w", {4, 2, 3});
  (void)nn::adafactor(sum(square(w)));
  BOOST_TEST((g.find_parameter("adafactor/w/rows").shape() == Shape{4, 2, 1}));
  BOOST_TEST((g.find_parameter("adafactor/w/columns").shape() == Shape{4, 1, 3}));
}

BOOST_AUTO_TEST_SUITE_END()
