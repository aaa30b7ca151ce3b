#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/embedding_losses.hpp>
#include <gradloom/ops/cosine_similarity.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using nn::Reduction;
using test::evaluate;
using test::message_of;
using test::Values;

namespace {

using Vector = std::vector<double>;

const Vector a = {1, 0, 3, -1, 2, 2, 0.5, 0.5}, b = {0, 1, 3, -1.5, -2, -2, 0.5, 0.25},
             c = {1, 1, 0, 2, 2, 1, -3, 0.5};  // [4, 2]

double dot(const Vector& x, const Vector& y, size_t row) {
  return x[2 * row] * y[2 * row] + x[2 * row + 1] * y[2 * row + 1];
}
double cosine(const Vector& x, const Vector& y, size_t row) {
  return dot(x, y, row) / std::sqrt(dot(x, x, row) * dot(y, y, row));
}
double distance(const Vector& x, const Vector& y, size_t row) {
  return std::hypot(x[2 * row] - y[2 * row], x[2 * row + 1] - y[2 * row + 1]);
}

std::vector<Values> evaluate_abc(const std::vector<Tensor>& tensors, const Vector& t) {
  return evaluate(tensors, {{"a", Values::of({4, 2}, a)},
                            {"b", Values::of({4, 2}, b)},
                            {"c", Values::of({4, 2}, c)},
                            {"t", Values::from_doubles(DType::i32, {4}, t)}});
}

void check_close(const Vector& got, const Vector& expected) {
  BOOST_REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i)
    BOOST_TEST(std::abs(got[i] - expected[i]) < 1e-14, got[i] << " instead of " << expected[i]);
}

struct Three {
  Graph g;
  Tensor a = g.input("a", {4, 2}, DType::f64), b = g.input("b", {4, 2}, DType::f64),
         c = g.input("c", {4, 2}, DType::f64);
  Tensor t = g.input("t", {4}, DType::i32);
};

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_embedding_losses)

BOOST_AUTO_TEST_CASE(cosine_embedding_pulls_and_pushes) {
  Three of;
  const auto loss = [&](Reduction r) {
    return nn::cosine_embedding(of.a, of.b, of.t, {.margin = 0.2, .reduction = r});
  };
  const Vector t = {1, -1, 1, -1};
  const auto values = evaluate_abc({loss(Reduction::none), loss(Reduction::sum), loss(Reduction::mean)}, t);
  Vector expected;
  double total = 0;
  for (size_t row = 0; row < 4; ++row) {
    const double s = cosine(a, b, row);
    expected.push_back(t[row] > 0 ? 1 - s : std::max(0.0, s - 0.2));
    total += expected.back();
  }
  check_close(values[0].as_doubles(), expected);
  check_close(values[1].as_doubles(), {total});
  check_close(values[2].as_doubles(), {total / 4});
}

BOOST_AUTO_TEST_CASE(triplet_margin_compares_distances) {
  Three of;
  const auto loss = [&](Reduction r, bool swap) {
    return nn::triplet_margin(of.a, of.b, of.c, {.margin = 1.5, .swap = swap, .reduction = r});
  };
  const auto values =
      evaluate_abc({loss(Reduction::none, false), loss(Reduction::mean, false), loss(Reduction::none, true)}, {});
  Vector expected, swapped;
  double total = 0;
  for (size_t row = 0; row < 4; ++row) {
    const double near = distance(a, b, row), far = distance(a, c, row);
    expected.push_back(std::max(0.0, near - far + 1.5));
    swapped.push_back(std::max(0.0, near - std::min(far, distance(b, c, row)) + 1.5));
    total += expected.back();
  }
  check_close(values[0].as_doubles(), expected);
  check_close(values[1].as_doubles(), {total / 4});
  check_close(values[2].as_doubles(), swapped);
}

BOOST_AUTO_TEST_CASE(equal_embeddings_have_finite_gradients) {
  Three of;
  const Tensor loss = nn::triplet_margin(of.a, of.a, of.a);
  const auto values = evaluate_abc({loss, gradient(loss, of.a)}, {});
  check_close(values[0].as_doubles(), {1});
  check_close(values[1].as_doubles(), Vector(8, 0.0));
}

BOOST_AUTO_TEST_CASE(gradients_of_first_and_second_order) {
  const Array x = Array::from<double>(a, {4, 2}), y = Array::from<double>(b, {4, 2}),
              z = Array::from<double>(c, {4, 2});
  const Array t = Array::from<int32_t>({1, -1, 1, -1});
  const auto check = [](const GradcheckReport& report) { BOOST_TEST(report.passed, report.message); };
  check(gradcheck(
      [](auto v) { return nn::cosine_embedding(v[0], v[1], v[2], {.margin = 0.2, .reduction = Reduction::none}); },
      {x, y, t}));
  check(gradcheck(
      [](auto v) { return nn::triplet_margin(v[0], v[1], v[2], {.margin = 1.5, .reduction = Reduction::none}); },
      {x, y, z}));
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "embedding_losses_test.cpp:";
  const std::string rule = "  embeddings need one shape, [..., n], and one graph; losses do not broadcast";
  Graph g;
  const Tensor x = g.input("x", {"batch", 3}), y = g.input("y", {"batch", 4}), s = g.input("s", {}),
               t = g.input("t", {"batch"});
  const std::string made = file + std::to_string(__LINE__ - 2) + "\n";

  int line = __LINE__ + 1;
  const std::string shapes = message_of([&] { (void)nn::triplet_margin(x, x, y); });
  BOOST_TEST(shapes == file + std::to_string(line) +
                           ": triplet_margin: the shapes of anchor and negative differ, [batch, 3] and [batch, 4]\n" +
                           "  anchor \"x\"    f32[batch, 3]  input, " + made +
                           "  negative \"y\"  f32[batch, 4]  input, " + made + rule);
  line = __LINE__ + 1;
  const std::string empty = message_of([&] { (void)nn::triplet_margin(x, {}, x); });
  BOOST_TEST(empty == file + std::to_string(line) + ": triplet_margin: positive is an empty Tensor\n" + rule);
  line = __LINE__ + 1;
  const std::string scalar = message_of([&] { (void)nn::cosine_embedding(s, s, s); });
  BOOST_TEST(scalar == file + std::to_string(line) + ": cosine_embedding: a is a scalar\n" + rule);
  line = __LINE__ + 1;
  const std::string margin = message_of([&] { (void)nn::cosine_embedding(x, x, t, {.margin = 2}); });
  BOOST_TEST(margin == file + std::to_string(line) + ": cosine_embedding: margin is 2\n  margin is in [-1, 1]");
  line = __LINE__ + 1;
  const std::string none = message_of([&] { (void)nn::cosine_embedding(x, x, {}); });
  BOOST_TEST(none == file + std::to_string(line) +
                         ": cosine_embedding: the target is an empty Tensor\n  cosine_embedding needs targets [...]");
  line = __LINE__ + 1;
  const std::string target = message_of([&] { (void)nn::cosine_embedding(x, x, x); });
  BOOST_TEST(target.starts_with(
                 file + std::to_string(line) +
                 ": cosine_embedding: the shapes of the similarity and target differ, [batch] and [batch, 3]\n"),
             target);
}

BOOST_AUTO_TEST_SUITE_END()
