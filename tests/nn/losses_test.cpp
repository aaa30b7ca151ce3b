#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/dense.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>

using namespace gradloom;
using nn::Reduction;
using test::evaluate;
using test::message_of;
using test::Values;

namespace {

using Vector = std::vector<double>;

double mean_of(const Vector& values) {
  double total = 0;
  for (const double value : values) total += value;
  return total / static_cast<double>(values.size());
}

void check_close(const Vector& got, const Vector& expected, double tolerance) {
  BOOST_REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    BOOST_TEST(std::abs(got[i] - expected[i]) <= tolerance * (1 + std::abs(expected[i])),
               got[i] << " instead of " << expected[i]);
  }
}

/// Checks the three reductions of a loss over [2, 3] in f32 and f64 against the losses of the elements.
template <class Loss>
void check_elementwise(const Vector& x, const Vector& t, double (*formula)(double, double), Loss loss) {
  Vector expected;
  for (size_t i = 0; i < x.size(); ++i) expected.push_back(formula(x[i], t[i]));
  for (const DType dtype : {DType::f32, DType::f64}) {
    Graph g;
    const Tensor a = g.input("a", {2, 3}, dtype), b = g.input("b", {2, 3}, dtype);
    const Tensor none = loss(a, b, Reduction::none), total = loss(a, b, Reduction::sum),
                 mean = loss(a, b, Reduction::mean);
    BOOST_TEST((none.shape() == Shape{2, 3}));
    BOOST_TEST((mean.shape() == Shape{}));
    BOOST_TEST((mean.dtype() == dtype));
    const auto values = evaluate({none, total, mean}, {{"a", Values::from_doubles(dtype, {2, 3}, x)},
                                                       {"b", Values::from_doubles(dtype, {2, 3}, t)}});
    const double tolerance = dtype == DType::f32 ? 1e-6 : 1e-14;
    check_close(values[0].as_doubles(), expected, tolerance);
    check_close(values[1].as_doubles(), {6 * mean_of(expected)}, tolerance);
    check_close(values[2].as_doubles(), {mean_of(expected)}, tolerance);
  }
}

/// The loss and its gradient with respect to the f32 logits.
std::pair<Vector, Vector> value_and_gradient(Tensor (*loss)(const Tensor& x, const Tensor& t),
                                             std::vector<int64_t> sizes, const std::vector<float>& x, const Values& t) {
  Graph g;
  const Tensor logits = g.input("x", Shape(std::span<const int64_t>(sizes)));
  const Tensor value = loss(logits, g.input("t", Shape(std::span<const int64_t>(t.sizes)), t.dtype));
  const auto values = evaluate({value, gradient(value, logits)}, {{"x", Values::of(sizes, x)}, {"t", t}});
  return {values[0].as_doubles(), values[1].as_doubles()};
}

double softplus_of(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_losses)

BOOST_AUTO_TEST_CASE(mse_mae_and_huber) {
  const Vector x = {1, -2, 0.5, 3, 0, 4}, t = {0.5, -4, 0.75, 3, -0.25, -1};
  check_elementwise(
      x, t, [](double p, double q) { return (p - q) * (p - q); },
      [](const Tensor& a, const Tensor& b, Reduction r) { return nn::mse(a, b, {.reduction = r}); });
  check_elementwise(
      x, t, [](double p, double q) { return std::abs(p - q); },
      [](const Tensor& a, const Tensor& b, Reduction r) { return nn::mae(a, b, {.reduction = r}); });
  check_elementwise(
      x, t,
      [](double p, double q) {
        const double r = std::abs(p - q);
        return r <= 1.5 ? r * r / 2 : 1.5 * (r - 0.75);
      },
      [](const Tensor& a, const Tensor& b, Reduction r) { return nn::huber(a, b, {.delta = 1.5, .reduction = r}); });
}

BOOST_AUTO_TEST_CASE(binary_cross_entropy) {
  check_elementwise(
      {1, -2, 0.5, 30, 0, -40}, {1, 0, 0.25, 1, 0.5, 1},
      [](double x, double t) { return t * softplus_of(-x) + (1 - t) * softplus_of(x); },
      [](const Tensor& a, const Tensor& b, Reduction r) { return nn::binary_cross_entropy(a, b, {.reduction = r}); });
  check_elementwise(
      {0.5, 0.25, 0.9, 0.125, 0.75, 0.01}, {1, 0, 0.25, 1, 0.5, 0},
      [](double p, double t) { return -t * std::log(p) - (1 - t) * std::log1p(-p); },
      [](const Tensor& a, const Tensor& b, Reduction r) {
        return nn::binary_cross_entropy_of_probabilities(a, b, {.reduction = r});
      });
}

BOOST_AUTO_TEST_CASE(poisson_and_gaussian_likelihoods) {
  constexpr double pi = 3.14159265358979323846;
  const Vector x = {1, -2, 0.5, 3, 0, 2}, counts = {3, 0, 1, 20, 2, 0.5};
  check_elementwise(
      x, counts, [](double r, double k) { return std::exp(r) - k * r; },
      [](const Tensor& a, const Tensor& b, Reduction r) { return nn::poisson_nll(a, b, {.reduction = r}); });
  check_elementwise(
      x, counts,
      [](double r, double k) {
        return std::exp(r) - k * r + (k > 1 ? k * std::log(k) - k + 0.5 * std::log(2 * pi * k) : 0);
      },
      [](const Tensor& a, const Tensor& b, Reduction r) {
        return nn::poisson_nll(a, b, {.full = true, .reduction = r});
      });
  // Stirling's formula is what it approximates, for large counts.
  BOOST_TEST(std::abs(20 * std::log(20.0) - 20 + 0.5 * std::log(40 * pi) - std::lgamma(21.0)) < 5e-3);

  check_elementwise(
      x, counts,
      [](double mean, double t) { return 0.5 * (std::log(0.25) + (mean - t) * (mean - t) / 0.25 + std::log(2 * pi)); },
      [](const Tensor& a, const Tensor& b, Reduction r) {
        return nn::gaussian_nll(a, b, full(a.graph(), a.shape(), 0.25, a.dtype()), {.full = true, .reduction = r});
      });
}

BOOST_AUTO_TEST_CASE(a_variance_is_held_above_epsilon) {
  Graph g;
  const Tensor mean = g.input("mean", {2}, DType::f64), variance = g.input("variance", {2}, DType::f64);
  const Tensor loss =
      nn::gaussian_nll(mean, zeros_like(mean), variance, {.epsilon = 0.01, .reduction = Reduction::sum});
  const auto values =
      evaluate({loss, gradient(loss, variance), gradient(loss, mean)},
               {{"mean", Values::of<double>({2}, {1, 1})}, {"variance", Values::of<double>({2}, {0, 2})}});
  check_close(values[0].as_doubles(), {0.5 * (std::log(0.01) + 100 + std::log(2.0) + 0.5)}, 1e-14);
  check_close(values[1].as_doubles(), {0, 0.5 * (0.5 - 0.25)}, 1e-14);
  check_close(values[2].as_doubles(), {100, 0.5}, 1e-14);
}

BOOST_AUTO_TEST_CASE(focal_and_hinge) {
  const Vector x = {1, -2, 0.5, 30, 0, -40};
  check_elementwise(
      x, {1, 0, 1, 1, 0, 1},
      [](double v, double t) {
        const double p = 1 / (1 + std::exp(-v)), q = 1 / (1 + std::exp(v));
        return t == 1 ? 0.3 * std::pow(q, 1.5) * softplus_of(-v) : 0.7 * std::pow(p, 1.5) * softplus_of(v);
      },
      [](const Tensor& a, const Tensor& b, Reduction r) {
        return nn::focal(a, b, {.gamma = 1.5, .alpha = 0.3, .reduction = r});
      });
  check_elementwise(
      x, {1, -1, -1, 1, 1, -1}, [](double v, double t) { return std::max(0.0, 1 - t * v); },
      [](const Tensor& a, const Tensor& b, Reduction r) { return nn::hinge(a, b, {.reduction = r}); });
  check_elementwise(
      x, {1, -1, -1, 1, 1, -1},
      [](double v, double t) {
        const double short_of = std::max(0.0, 0.5 - t * v);
        return short_of * short_of;
      },
      [](const Tensor& a, const Tensor& b, Reduction r) {
        return nn::hinge(a, b, {.margin = 0.5, .squared = true, .reduction = r});
      });
}

BOOST_AUTO_TEST_CASE(positive_targets_can_weigh_more) {
  check_elementwise(
      {1, -2, 0.5, 30, 0, -40}, {1, 0, 0.25, 1, 0.5, 1},
      [](double x, double t) { return 3 * t * softplus_of(-x) + (1 - t) * softplus_of(x); },
      [](const Tensor& a, const Tensor& b, Reduction r) {
        return nn::binary_cross_entropy(a, b, {.positive_weight = 3, .reduction = r});
      });
}

BOOST_AUTO_TEST_CASE(samples_have_weights) {
  const Vector x = {1, -2, 0.5, 3, 0, 4}, t = {0.5, -4, 0.75, 3, -0.25, -1};
  Graph g;
  const Tensor a = g.input("a", {2, 3}, DType::f64), b = g.input("b", {2, 3}, DType::f64);
  const Tensor each = g.input("each", {2, 3}), rows = g.input("rows", {2}), mask = g.input("mask", {2}, DType::boolean);
  std::vector<Tensor> losses;
  for (const Tensor& weight : {each, rows, mask}) {
    for (const Reduction reduction : {Reduction::none, Reduction::sum, Reduction::mean}) {
      losses.push_back(nn::mse(a, b, {.reduction = reduction, .sample_weight = weight}));
    }
  }
  const Vector w = {0, 1, 2, 0.5, 0, 3}, per_row = {2, 0.5};
  const auto values = evaluate(losses, {{"a", Values::of({2, 3}, x)},
                                        {"b", Values::of({2, 3}, t)},
                                        {"each", Values::from_doubles(DType::f32, {2, 3}, w)},
                                        {"rows", Values::from_doubles(DType::f32, {2}, per_row)},
                                        {"mask", Values::from_doubles(DType::boolean, {2}, {0, 1})}});
  size_t at = 0;
  for (const Vector& weight : {w, Vector{2, 2, 2, 0.5, 0.5, 0.5}, Vector{0, 0, 0, 1, 1, 1}}) {
    Vector expected;
    double total = 0, weights = 0;
    for (size_t i = 0; i < 6; ++i) {
      expected.push_back(weight[i] * (x[i] - t[i]) * (x[i] - t[i]));
      total += expected.back();
      weights += weight[i];
    }
    check_close(values[at++].as_doubles(), expected, 1e-14);
    check_close(values[at++].as_doubles(), {total}, 1e-14);
    check_close(values[at++].as_doubles(), {total / weights}, 1e-14);
  }
}

BOOST_AUTO_TEST_CASE(probabilities_of_0_and_1_are_clamped) {
  const auto loss = [](const Tensor& x, const Tensor& t) {
    return nn::binary_cross_entropy_of_probabilities(x, t, {.epsilon = 1e-3, .reduction = Reduction::none});
  };
  const auto [value, gradient] = value_and_gradient(loss, {4}, {0, 1, 0, 1}, Values::of<float>({4}, {1, 0, 0, 1}));
  check_close(value, {-std::log(1e-3), -std::log(1e-3), -std::log1p(-1e-3), -std::log1p(-1e-3)}, 1e-4);
  check_close(gradient, {0, 0, 0, 0}, 0);
}

BOOST_AUTO_TEST_CASE(softmax_cross_entropy_of_class_numbers_and_of_probabilities) {
  const Vector x = {1, 2, 3, -1, 0, 1.5, 0.25, 0.5, 8, -3, 2, 2};
  const std::vector<int64_t> labels = {2, 0, 3};
  const auto expected = [&](double smoothing) {
    Vector losses;
    for (size_t row = 0; row < 3; ++row) {
      double total = 0;
      for (size_t k = 0; k < 4; ++k) total += std::exp(x[4 * row + k]);
      double loss = 0;
      for (size_t k = 0; k < 4; ++k) {
        const double target = (static_cast<int64_t>(k) == labels[row] ? 1 - smoothing : 0) + smoothing / 4;
        loss -= target * (x[4 * row + k] - std::log(total));
      }
      losses.push_back(loss);
    }
    return losses;
  };
  Vector one_hot(12, 0.0);
  for (size_t row = 0; row < 3; ++row) one_hot[4 * row + static_cast<size_t>(labels[row])] = 1;

  for (const DType label_type : {DType::u8, DType::i32, DType::i64, DType::f64}) {
    const bool dense = label_type == DType::f64;
    Graph g;
    const Tensor logits = g.input("x", {3, 4}, DType::f64),
                 t = g.input("t", dense ? Shape{3, 4} : Shape{3}, label_type);
    const Tensor none = nn::softmax_cross_entropy(logits, t, {.reduction = Reduction::none});
    const Tensor total = nn::softmax_cross_entropy(logits, t, {.reduction = Reduction::sum});
    const Tensor mean = nn::softmax_cross_entropy(logits, t);
    const Tensor smooth = nn::softmax_cross_entropy(logits, t, {.label_smoothing = 0.1, .reduction = Reduction::none});
    BOOST_TEST((none.shape() == Shape{3}));
    const Values given = dense ? Values::from_doubles(label_type, {3, 4}, one_hot)
                               : Values::from_doubles(label_type, {3}, Vector(labels.begin(), labels.end()));
    const auto values = evaluate({none, total, mean, smooth}, {{"x", Values::of({3, 4}, x)}, {"t", given}});
    check_close(values[0].as_doubles(), expected(0), 1e-14);
    check_close(values[1].as_doubles(), {3 * mean_of(expected(0))}, 1e-14);
    check_close(values[2].as_doubles(), {mean_of(expected(0))}, 1e-14);
    check_close(values[3].as_doubles(), expected(0.1), 1e-14);
  }
}

BOOST_AUTO_TEST_CASE(labels_may_have_any_leading_axes) {
  Graph g;
  const Tensor logits = g.input("x", {"batch", "time", 5}), labels = g.input("t", {"batch", "time"}, DType::i32);
  const Tensor loss = nn::softmax_cross_entropy(logits, labels, {.reduction = Reduction::none});
  BOOST_TEST((loss.shape() == Shape{"batch", "time"}));
}

BOOST_AUTO_TEST_CASE(values_and_gradients_are_exact_for_logits_of_any_size) {
  const auto binary = [](const Tensor& x, const Tensor& t) {
    return nn::binary_cross_entropy(x, t, {.reduction = Reduction::none});
  };
  const auto [b, db] = value_and_gradient(binary, {6}, {1e4f, -1e4f, 1e4f, -1e4f, 30, -30},
                                          Values::of<float>({6}, {1, 1, 0, 0, 1, 0.5f}));
  check_close(b, {0, 1e4, 1e4, 0, std::log1p(std::exp(-30.0)), 15}, 1e-6);
  check_close(db, {0, -1, 1, 0, 0, -0.5}, 1e-6);
  BOOST_TEST(b[4] > 0);  // confident and right is small, not rounded away
  BOOST_TEST(db[4] < 0);

  const auto softmax = [](const Tensor& x, const Tensor& t) {
    return nn::softmax_cross_entropy(x, t, {.reduction = Reduction::none});
  };
  const std::vector<float> x = {1e4f, -1e4f, 0, 1e4f, -1e4f, 0, 1e4f, 9999, -1e4f};
  const auto [s, ds] = value_and_gradient(softmax, {3, 3}, x, Values::of<int32_t>({3}, {0, 1, 1}));
  const double e = std::exp(-1.0);
  check_close(s, {0, 2e4, 1 + std::log1p(e)}, 1e-6);
  check_close(ds, {0, 0, 0, 1, -1, 0, 1 / (1 + e), e / (1 + e) - 1, 0}, 1e-6);
}

BOOST_AUTO_TEST_CASE(a_class_that_is_ruled_out_does_no_harm) {
  const float inf = std::numeric_limits<float>::infinity();
  const auto loss = [](const Tensor& x, const Tensor& t) { return nn::softmax_cross_entropy(x, t); };
  const auto [value, gradient] = value_and_gradient(loss, {1, 3}, {1, -inf, 1}, Values::of<int32_t>({1}, {2}));
  check_close(value, {std::log(2.0)}, 1e-6);
  check_close(gradient, {0.5, 0, -0.5}, 1e-6);
}

BOOST_AUTO_TEST_CASE(gradients_of_first_and_second_order) {
  const Array x = Array::from<double>(Vector{0.3, -1.2, 0.8, 2.1, -0.4, 1.7}, {2, 3});
  const Array t = Array::from<double>(Vector{0.1, 0.9, 0.5, 0.2, 0.7, 0.3}, {2, 3});
  const Array p = Array::from<double>(Vector{0.2, 0.4, 0.6, 0.8, 0.35, 0.55}, {2, 3});
  const Array labels = Array::from<int32_t>({2, 0});
  const auto check = [](const GradcheckReport& report) { BOOST_TEST(report.passed, report.message); };
  check(gradcheck([](auto v) { return nn::mse(v[0], v[1], {.reduction = Reduction::none}); }, {x, t}));
  check(gradcheck([](auto v) { return nn::mae(v[0], v[1], {.reduction = Reduction::none}); }, {x, t}));
  check(gradcheck([](auto v) { return nn::huber(v[0], v[1], {.delta = 0.7, .reduction = Reduction::none}); }, {x, t}));
  check(gradcheck([](auto v) { return nn::binary_cross_entropy(v[0], v[1], {.reduction = Reduction::none}); }, {x, t}));
  check(gradcheck(
      [](auto v) { return nn::binary_cross_entropy_of_probabilities(v[0], v[1], {.reduction = Reduction::none}); },
      {p, t}));
  check(
      gradcheck([](auto v) { return nn::softmax_cross_entropy(v[0], v[1], {.reduction = Reduction::none}); }, {x, t}));
  check(gradcheck([](auto v) { return nn::poisson_nll(v[0], v[1], {.full = true}); }, {x, t}));
  check(
      gradcheck([](auto v) { return nn::gaussian_nll(v[0], v[1], v[2], {.reduction = Reduction::none}); }, {x, t, p}));
  check(gradcheck([](auto v) { return nn::focal(v[0], v[1], {.gamma = 1.5, .reduction = Reduction::none}); }, {x, t}));
  check(
      gradcheck([](auto v) { return nn::hinge(v[0], v[1], {.squared = true, .reduction = Reduction::none}); }, {x, t}));
  check(gradcheck([](auto v) { return nn::mse(v[0], v[1], {.sample_weight = v[2]}); }, {x, t, p}));
  check(gradcheck([](auto v) { return nn::softmax_cross_entropy(v[0], v[1], {.label_smoothing = 0.2}); }, {x, labels}));
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "losses_test.cpp:";
  Graph g, other;
  const Tensor x = g.input("x", {"batch", 1}), column = g.input("t", {"batch"});
  const std::string made = file + std::to_string(__LINE__ - 1) + "\n";
  const std::string shapes = "  the target needs the shape of the prediction; losses do not broadcast";

  int line = __LINE__ + 1;
  const std::string differ = message_of([&] { (void)nn::mse(x, column); });
  BOOST_TEST(differ == file + std::to_string(line) +
                           ": mse: the shapes of prediction and target differ, [batch, 1] and [batch]\n" +
                           "  prediction \"x\"  f32[batch, 1]  input, " + made +
                           "  target \"t\"      f32[batch]     input, " + made + shapes);
  line = __LINE__ + 1;
  const std::string stretched = message_of([&] { (void)nn::mae(x, g.input("wide", {"batch", "n"})); });
  BOOST_TEST(stretched.starts_with(file + std::to_string(line) +
                                   ": mae: the shapes of prediction and target differ, [batch, 1] and [batch, n]\n"),
             stretched);
  line = __LINE__ + 1;
  const std::string empty = message_of([&] { (void)nn::huber(x, {}); });
  BOOST_TEST(empty == file + std::to_string(line) + ": huber: the target is an empty Tensor\n" + shapes);
  line = __LINE__ + 1;
  const std::string foreign = message_of([&] { (void)nn::binary_cross_entropy(x, other.input("t", {"batch", 1})); });
  BOOST_TEST(foreign ==
             file + std::to_string(line) + ": binary_cross_entropy: target belongs to another graph\n" + shapes);
  line = __LINE__ + 1;
  const std::string delta = message_of([&] { (void)nn::huber(x, x, {.delta = 0}); });
  BOOST_TEST(delta == file + std::to_string(line) + ": huber: delta is 0\n  delta is positive");
  const auto refusal = [&](auto make) {
    const std::string text = message_of(make);
    return text.substr(text.find(": ") + 2);
  };
  BOOST_TEST(refusal([&] { (void)nn::binary_cross_entropy(x, x, {.positive_weight = 0}); }) ==
             "binary_cross_entropy: positive_weight is 0\n  positive_weight is positive");
  BOOST_TEST(refusal([&] { (void)nn::focal(x, x, {.gamma = -1}); }) == "focal: gamma is -1\n  gamma is not negative");
  BOOST_TEST(refusal([&] { (void)nn::focal(x, x, {.alpha = 2}); }) == "focal: alpha is 2\n  alpha is in [0, 1]");
  BOOST_TEST(refusal([&] { (void)nn::hinge(x, x, {.margin = 0}); }) == "hinge: margin is 0\n  margin is positive");
  BOOST_TEST(refusal([&] { (void)nn::gaussian_nll(x, x, x, {.epsilon = 0}); }) ==
             "gaussian_nll: epsilon is 0\n  epsilon is positive");
  BOOST_TEST(refusal([&] { (void)nn::gaussian_nll(x, x, {}); }) ==
             "gaussian_nll: the variance is an empty Tensor\n" + shapes);
  const std::string variance = refusal([&] { (void)nn::gaussian_nll(x, x, column); });
  BOOST_TEST(variance.starts_with("gaussian_nll: the shapes of mean and variance differ, [batch, 1] and [batch]\n"));
  BOOST_TEST(variance.ends_with("\n  mean, target and variance need one shape; losses do not broadcast"));
  line = __LINE__ + 1;
  const std::string weight = message_of([&] { (void)nn::mse(x, x, {.sample_weight = g.input("w", {"batch", 2})}); });
  BOOST_TEST(weight == file + std::to_string(line) +
                           ": mse: sample_weight [batch, 2] does not fit losses [batch, 1]\n"
                           "  sample_weight has the shape of the losses, or that of their first axes, and their graph");
  line = __LINE__ + 2;
  const std::string epsilon =
      message_of([&] { (void)nn::binary_cross_entropy_of_probabilities(x, x, {.epsilon = 0.5}); });
  BOOST_TEST(epsilon == file + std::to_string(line) +
                            ": binary_cross_entropy_of_probabilities: epsilon is 0.5\n  epsilon is in (0, 0.5)");
}

BOOST_AUTO_TEST_CASE(labels_that_do_not_fit_are_errors) {
  const std::string file = "losses_test.cpp:";
  Graph g;
  const Tensor x = g.input("x", {"batch", 10}), open = g.input("open", {2, "n"}), scalar = g.input("scalar", {});
  const Tensor flat = g.input("flat", {"batch"}, DType::i32), pair = g.input("pair", {"batch", 1}, DType::i32);
  const std::string made = file + std::to_string(__LINE__ - 2) + "\n";
  const std::string labels_made = file + std::to_string(__LINE__ - 2) + "\n";
  const std::string rule =
      "  softmax_cross_entropy needs logits [..., classes] and labels: integers [...], or floats [..., classes]";
  const auto problem_of = [](const Tensor& logits, const Tensor& labels) {
    const std::string text = message_of([&] { (void)nn::softmax_cross_entropy(logits, labels); });
    return text.substr(text.find(": ") + 2, text.find('\n') - text.find(": ") - 2);
  };

  int line = __LINE__ + 1;
  const std::string shapes = message_of([&] { (void)nn::softmax_cross_entropy(x, pair); });
  BOOST_TEST(shapes == file + std::to_string(line) +
                           ": softmax_cross_entropy: labels [batch, 1] do not fit logits [batch, 10]\n" +
                           "  logits \"x\"     f32[batch, 10]  input, " + made +
                           "  labels \"pair\"  i32[batch, 1]   input, " + labels_made + rule);
  line = __LINE__ + 1;
  const std::string smoothing = message_of([&] { (void)nn::softmax_cross_entropy(x, flat, {.label_smoothing = 1.5}); });
  BOOST_TEST(smoothing == file + std::to_string(line) +
                              ": softmax_cross_entropy: label_smoothing is 1.5\n  label_smoothing is in [0, 1]");
  BOOST_TEST(problem_of(scalar, flat) == "softmax_cross_entropy: the logits are a scalar");
  BOOST_TEST(problem_of(open, flat) == "softmax_cross_entropy: the number of classes, n, is not known");
  BOOST_TEST(problem_of(x, {}) == "softmax_cross_entropy: labels is an empty Tensor or of another graph");
  BOOST_TEST(problem_of(x, g.input("mask", {"batch"}, DType::boolean)) ==
             "softmax_cross_entropy: the labels are booleans");
  BOOST_TEST(problem_of(x, g.input("nine", {"batch", 9})) ==
             "softmax_cross_entropy: labels [batch, 9] do not fit logits [batch, 10]");
}

BOOST_AUTO_TEST_CASE(a_label_that_is_no_class_ends_the_run_and_leaves_the_state_whole) {
  Graph g;
  const Tensor logits = nn::dense(g.input("x", {"batch", 4}), 3);
  const std::string file = "losses_test.cpp:";
  const int line = __LINE__ + 1;
  const Tensor label = g.input("label", {"batch"}, DType::i32);
  const Tensor loss = nn::softmax_cross_entropy(logits, label);
  const Program train = compile({.outputs = {loss}, .updates = nn::adam(loss, {})});
  const auto labelled = [](std::initializer_list<int32_t> labels) {
    const auto n = static_cast<int64_t>(labels.size());
    return Batch{{"x", Array({n, 4})}, {"label", Array::from<int32_t>(labels)}};
  };
  for (const int threads : {1, 2}) {
    const Executor executor{{.threads = threads}};
    State state;
    (void)train.run(executor, state, labelled({0, 1, 2, 0}));
    const State before = state;
    for (const int32_t wrong : {3, -1, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()}) {
      const std::string text = message_of([&] { (void)train.run(executor, state, labelled({0, 2, wrong, 1, 0})); });
      BOOST_TEST(text == file + std::to_string(line + 1) + ": one_hot: indices[2] is " + std::to_string(wrong) +
                             ", but there are 3 classes\n  indices \"label\"  i32[5]  input, " + file +
                             std::to_string(line) +
                             "\n  one_hot needs indices from 0 to below the number of classes, i32 or i64");
      BOOST_TEST(state.step() == 1);
      BOOST_TEST((state.names() == before.names()));
      for (const std::string& name : before.names()) BOOST_TEST(same_bits(state.get(name), before.get(name)), name);
    }
    (void)train.run(executor, state, labelled({2, 2}));
    BOOST_TEST(state.step() == 2);
  }
}

BOOST_AUTO_TEST_SUITE_END()
