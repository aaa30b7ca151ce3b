#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/ops/softmax.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

using namespace gradloom;
using nn::Reduction;
using test::evaluate;
using test::message_of;
using test::Values;

namespace {

using Vector = std::vector<double>;

void check_close(const Vector& got, const Vector& expected, double tolerance = 1e-14) {
  BOOST_REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    BOOST_TEST(std::abs(got[i] - expected[i]) <= tolerance * (1 + std::abs(expected[i])),
               got[i] << " instead of " << expected[i]);
  }
}

double sum_of(const Vector& values) {
  double total = 0;
  for (const double value : values) total += value;
  return total;
}

const Vector logits = {1, 2, 3, -1, 0, 1.5, 0.25, 0.5, 8, -3, 2, 2};  // [3, 4]
const std::vector<size_t> labels = {2, 0, 3};
const Vector class_weight = {0.5, 1, 3, 0.25};

Vector log_softmax_of_logits() {
  Vector result;
  for (size_t row = 0; row < 3; ++row) {
    double total = 0;
    for (size_t k = 0; k < 4; ++k) total += std::exp(logits[4 * row + k]);
    for (size_t k = 0; k < 4; ++k) result.push_back(logits[4 * row + k] - std::log(total));
  }
  return result;
}

/// The labels as class numbers and as rows of probabilities.
Values as_numbers() { return Values::from_doubles(DType::i32, {3}, Vector(labels.begin(), labels.end())); }
Values as_rows() {
  Vector rows(12, 0.0);
  for (size_t row = 0; row < 3; ++row) rows[4 * row + labels[row]] = 1;
  return Values::of({3, 4}, rows);
}

/// Checks none, sum and mean of a loss, with labels of both kinds, against the losses of the rows and what they count.
template <class Loss>
void check_rows(const Vector& expected, const Vector& shares, Loss loss) {
  for (const Values& given : {as_numbers(), as_rows()}) {
    Graph g;
    const Tensor x = g.input("x", {3, 4}, DType::f64), w = g.input("w", {4});
    const Tensor t = g.input("t", Shape(std::span<const int64_t>(given.sizes)), given.dtype);
    const auto values = evaluate(
        {loss(x, t, w, Reduction::none), loss(x, t, w, Reduction::sum), loss(x, t, w, Reduction::mean)},
        {{"x", Values::of({3, 4}, logits)}, {"t", given}, {"w", Values::from_doubles(DType::f32, {4}, class_weight)}});
    check_close(values[0].as_doubles(), expected);
    check_close(values[1].as_doubles(), {sum_of(expected)});
    check_close(values[2].as_doubles(), {sum_of(expected) / sum_of(shares)});
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_class_losses)

BOOST_AUTO_TEST_CASE(classes_have_weights) {
  const Vector log_p = log_softmax_of_logits();
  for (const double smoothing : {0.0, 0.2}) {
    Vector expected, shares;
    for (size_t row = 0; row < 3; ++row) {
      double loss = 0;
      for (size_t k = 0; k < 4; ++k) {
        const double t = (k == labels[row] ? 1 - smoothing : 0) + smoothing / 4;
        loss -= class_weight[k] * t * log_p[4 * row + k];
      }
      expected.push_back(loss);
      shares.push_back(class_weight[labels[row]]);
    }
    check_rows(expected, shares, [=](const Tensor& x, const Tensor& t, const Tensor& w, Reduction r) {
      return nn::softmax_cross_entropy(x, t, {.label_smoothing = smoothing, .class_weight = w, .reduction = r});
    });
  }
}

BOOST_AUTO_TEST_CASE(weights_of_classes_and_samples_multiply) {
  Graph g;
  const Tensor x = g.input("x", {3, 4}, DType::f64), t = g.input("t", {3}, DType::i32), w = g.input("w", {4}),
               sample = g.input("sample", {3});
  const Tensor loss = nn::softmax_cross_entropy(x, t, {.class_weight = w, .sample_weight = sample});
  const auto values = evaluate({loss}, {{"x", Values::of({3, 4}, logits)},
                                        {"t", as_numbers()},
                                        {"w", Values::from_doubles(DType::f32, {4}, class_weight)},
                                        {"sample", Values::of<float>({3}, {2, 0, 1})}});
  const Vector log_p = log_softmax_of_logits();
  check_close(values[0].as_doubles(), {(-2 * 3 * log_p[2] - 0.25 * log_p[11]) / (2 * 3 + 0.25)});
}

BOOST_AUTO_TEST_CASE(softmax_focal_follows_its_formula) {
  const Vector log_p = log_softmax_of_logits();
  Vector expected, shares;
  for (size_t row = 0; row < 3; ++row) {
    const double l = log_p[4 * row + labels[row]];
    expected.push_back(-class_weight[labels[row]] * std::pow(1 - std::exp(l), 1.5) * l);
    shares.push_back(class_weight[labels[row]]);
  }
  check_rows(expected, shares, [](const Tensor& x, const Tensor& t, const Tensor& w, Reduction r) {
    return nn::softmax_focal(x, t, {.gamma = 1.5, .class_weight = w, .reduction = r});
  });
  Vector cross_entropy;
  for (size_t row = 0; row < 3; ++row) cross_entropy.push_back(-log_p[4 * row + labels[row]]);
  check_rows(cross_entropy, {1, 1, 1}, [](const Tensor& x, const Tensor& t, const Tensor&, Reduction r) {
    return nn::softmax_focal(x, t, {.gamma = 0, .reduction = r});
  });
}

BOOST_AUTO_TEST_CASE(softmax_focal_is_calm_at_the_ends) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const double gamma : {0.5, 2.0}) {
    Graph g;
    const Tensor x = g.input("x", {2, 3}), t = g.input("t", {2}, DType::i32);
    const Tensor loss = nn::softmax_focal(x, t, {.gamma = gamma, .reduction = Reduction::sum});
    const auto values = evaluate({loss, gradient(loss, x)}, {{"x", Values::of<float>({2, 3}, {1e4F, 0, 0, 0, -inf, 0})},
                                                             {"t", Values::of<int32_t>({2}, {0, 2})}});
    check_close(values[0].as_doubles(), {std::pow(0.5, gamma) * std::log(2.0)}, 1e-6);
    const Vector slopes = values[1].as_doubles();
    for (const size_t i : {size_t{0}, size_t{1}, size_t{2}, size_t{4}}) BOOST_TEST(slopes[i] == 0);
    BOOST_TEST(slopes[3] > 0.1);
    BOOST_TEST(slopes[5] < -0.1);
  }
}

BOOST_AUTO_TEST_CASE(kl_divergence_of_rows) {
  const Vector log_q = log_softmax_of_logits(), t = {0.5, 0.5, 0, 0, 0.25, 0.25, 0.25, 0.25, 1, 0, 0, 0};
  Vector expected, log_t;
  for (size_t row = 0; row < 3; ++row) {
    double total = 0;
    for (size_t k = 4 * row; k < 4 * row + 4; ++k) {
      log_t.push_back(std::log(t[k]));
      if (t[k] > 0) total += t[k] * (log_t.back() - log_q[k]);
    }
    expected.push_back(total);
  }
  for (const bool log_target : {false, true}) {
    Graph g;
    const Tensor x = g.input("x", {3, 4}, DType::f64), target = g.input("t", {3, 4}, DType::f64);
    const auto loss = [&](Reduction r) {
      return nn::kl_divergence(log_softmax(x), target, {.log_target = log_target, .reduction = r});
    };
    const auto values =
        evaluate({loss(Reduction::none), loss(Reduction::sum), loss(Reduction::mean)},
                 {{"x", Values::of({3, 4}, logits)}, {"t", Values::of({3, 4}, log_target ? log_t : t)}});
    check_close(values[0].as_doubles(), expected);
    check_close(values[1].as_doubles(), {sum_of(expected)});
    check_close(values[2].as_doubles(), {sum_of(expected) / 3});
  }
}

BOOST_AUTO_TEST_CASE(a_class_that_cannot_be_adds_nothing_to_a_divergence) {
  const double inf = std::numeric_limits<double>::infinity();
  Graph g;
  const Tensor q = g.input("q", {3}, DType::f64), t = g.input("t", {3}, DType::f64);
  const Tensor loss = nn::kl_divergence(q, t);
  const auto values =
      evaluate({loss, gradient(loss, q)}, {{"q", Values::of<double>({3}, {-inf, std::log(0.5), std::log(0.5)})},
                                           {"t", Values::of<double>({3}, {0, 0, 1})}});
  check_close(values[0].as_doubles(), {std::log(2.0)});
  check_close(values[1].as_doubles(), {0, 0, -1});
}

BOOST_AUTO_TEST_CASE(gradients_of_first_and_second_order) {
  const Array x = Array::from<double>(Vector{0.3, -1.2, 0.8, 2.1, -0.4, 1.7}, {2, 3});
  const Array t = Array::from<double>(Vector{0.1, 0.9, 0.5, 0.2, 0.7, 0.3}, {2, 3});
  const Array w = Array::from<double>({0.5, 2, 1});
  const Array numbers = Array::from<int32_t>({2, 0});
  const auto check = [](const GradcheckReport& report) { BOOST_TEST(report.passed, report.message); };
  check(gradcheck([](auto v) { return nn::softmax_cross_entropy(v[0], v[1], {.class_weight = v[2]}); }, {x, t, w}));
  check(
      gradcheck([](auto v) { return nn::softmax_cross_entropy(v[0], v[1], {.class_weight = v[2]}); }, {x, numbers, w}));
  check(gradcheck([](auto v) { return nn::softmax_focal(v[0], v[1], {.class_weight = v[2]}); }, {x, t, w}));
  check(gradcheck([](auto v) { return nn::softmax_focal(v[0], v[1], {.gamma = 1.5}); }, {x, numbers}));
  check(gradcheck([](auto v) { return nn::kl_divergence(log_softmax(v[0]), v[1]); }, {x, t}));
  check(gradcheck([](auto v) { return nn::kl_divergence(v[0], v[1], {.log_target = true}); }, {x, t}));
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "class_losses_test.cpp:";
  Graph g;
  const Tensor x = g.input("x", {"batch", 10}), t = g.input("t", {"batch"}, DType::i32), scalar = g.input("s", {});
  const std::string made = file + std::to_string(__LINE__ - 1) + "\n";
  const std::string labels_rule =
      "  softmax_focal needs logits [..., classes] and labels: integers [...], or floats [..., classes]";

  int line = __LINE__ + 2;
  const std::string weight =
      message_of([&] { (void)nn::softmax_cross_entropy(x, t, {.class_weight = g.input("w", {9})}); });
  BOOST_TEST(weight == file + std::to_string(line) +
                           ": softmax_cross_entropy: class_weight [9] does not fit 10 classes\n"
                           "  class_weight is [classes], of the graph of the scores");
  line = __LINE__ + 1;
  const std::string fit = message_of([&] { (void)nn::softmax_focal(x, g.input("t2", {"batch", 1}, DType::i32)); });
  BOOST_TEST(fit == file + std::to_string(line) + ": softmax_focal: labels [batch, 1] do not fit logits [batch, 10]\n" +
                        "  logits \"x\"   f32[batch, 10]  input, " + made + "  labels \"t2\"  i32[batch, 1]   input, " +
                        file + std::to_string(line) + "\n" + labels_rule);
  line = __LINE__ + 1;
  const std::string gamma = message_of([&] { (void)nn::softmax_focal(x, t, {.gamma = -1}); });
  BOOST_TEST(gamma == file + std::to_string(line) + ": softmax_focal: gamma is -1\n  gamma is not negative");
  line = __LINE__ + 1;
  const std::string rank = message_of([&] { (void)nn::kl_divergence(scalar, scalar); });
  BOOST_TEST(rank ==
             file + std::to_string(line) +
                 ": kl_divergence: log_prediction is a scalar\n  kl_divergence needs log_prediction [..., classes]");
}

BOOST_AUTO_TEST_SUITE_END()
