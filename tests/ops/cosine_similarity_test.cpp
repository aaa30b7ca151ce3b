#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/cosine_similarity.hpp>
#include <gradloom/ops/reduce.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(ops_cosine_similarity)

BOOST_AUTO_TEST_CASE(broadcasts_and_takes_any_axis) {
  Graph g;
  const Tensor a = g.input("a", {2, 3}), b = g.input("b", {3}), column = g.input("column", {2, 1});
  const Tensor rows = cosine_similarity(a, b), columns = cosine_similarity(a, column, {.axis = 0});
  BOOST_TEST((rows.shape() == Shape{2}));
  BOOST_TEST((columns.shape() == Shape{3}));
  const auto values = evaluate({rows, columns}, {{"a", Values::of<float>({2, 3}, {3, 4, 0, 1, 1, 1})},
                                                 {"b", Values::of<float>({3}, {2, 0, 0})},
                                                 {"column", Values::of<float>({2, 1}, {1, 0})}});
  const auto close = [](const std::vector<double>& got, const std::vector<double>& expected) {
    for (size_t i = 0; i < got.size(); ++i) BOOST_TEST(std::abs(got[i] - expected[i]) < 1e-6);
  };
  close(values[0].as_doubles(), {0.6, 1 / std::sqrt(3.0)});
  close(values[1].as_doubles(), {3 / std::sqrt(10.0), 4 / std::sqrt(17.0), 0});
}

BOOST_AUTO_TEST_CASE(lengths_neither_overflow_nor_vanish_together) {
  Graph g;
  const Tensor a = g.input("a", {3, 2}), b = g.input("b", {3, 2});
  const Tensor similarity = cosine_similarity(a, b);
  const auto values = evaluate({similarity, gradient(sum(similarity), a)},
                               {{"a", Values::of<float>({3, 2}, {1e15F, 0, 1e-5F, 0, 0, 0})},
                                {"b", Values::of<float>({3, 2}, {1e15F, 0, 1e-5F, 0, 1, 1})}});
  BOOST_TEST(std::abs(values[0].as<float>()[0] - 1) < 1e-6F);
  BOOST_TEST(std::abs(values[0].as<float>()[1] - 1) < 1e-6F);
  BOOST_TEST(values[0].as<float>()[2] == 0);
  for (const float slope : values[1].as<float>()) BOOST_TEST(std::isfinite(slope));
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  Graph g;
  const Tensor x = g.input("x", {2, 3});
  const std::string line = "cosine_similarity_test.cpp:" + std::to_string(__LINE__ + 1);
  const std::string epsilon = message_of([&] { (void)cosine_similarity(x, x, {.epsilon = 0}); });
  BOOST_TEST(epsilon ==
             line + ": cosine_similarity: epsilon is 0\n  x \"x\"  f32[2, 3]  input, cosine_similarity_test.cpp:" +
                 std::to_string(__LINE__ - 5) +
                 "\n  cosine_similarity needs vectors along an axis of both, and a positive epsilon");
  BOOST_TEST(message_of([&] { (void)cosine_similarity(x, x, {.axis = 2}); }).find("there is no axis 2") !=
             std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
