#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/rearrange.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

namespace {

using Floats = std::vector<float>;

/// Functions of x [2, 3] = 1 ... 6.
void check(const Tensor& result, const std::vector<int64_t>& sizes, const Floats& expected) {
  const auto values = evaluate({result}, {{"x", Values::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})}});
  BOOST_TEST((values[0].sizes == sizes));
  BOOST_TEST(values[0].as<float>() == expected, boost::test_tools::per_element());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_rearrange)

BOOST_AUTO_TEST_CASE(flip_and_roll) {
  Graph g;
  const Tensor x = g.input("x", {2, 3});
  check(flip(x), {2, 3}, {6, 5, 4, 3, 2, 1});
  check(flip(x, {-1}), {2, 3}, {3, 2, 1, 6, 5, 4});
  check(flip(x, {0}), {2, 3}, {4, 5, 6, 1, 2, 3});
  check(roll(x, 1), {2, 3}, {3, 1, 2, 6, 4, 5});
  check(roll(x, -1), {2, 3}, {2, 3, 1, 5, 6, 4});
  check(roll(x, 5), {2, 3}, {2, 3, 1, 5, 6, 4});
  check(roll(x, 3), {2, 3}, {1, 2, 3, 4, 5, 6});
  check(roll(x, 1, 0), {2, 3}, {4, 5, 6, 1, 2, 3});
}

BOOST_AUTO_TEST_CASE(tile_and_repeat) {
  Graph g;
  const Tensor x = g.input("x", {2, 3});
  check(tile(x, {2}), {2, 6}, {1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6});
  check(tile(x, {2, 1}), {4, 3}, {1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6});
  check(tile(x, {2, 1, 1}), {2, 2, 3}, {1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6});
  check(tile(x, {0, 2}), {0, 6}, {});
  check(tile(x, {}), {2, 3}, {1, 2, 3, 4, 5, 6});
  check(repeat(x, 2), {2, 6}, {1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6});
  check(repeat(x, 2, 0), {4, 3}, {1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6});
  check(repeat(x, 0), {2, 0}, {});
}

BOOST_AUTO_TEST_CASE(triangles_and_the_diagonal) {
  Graph g;
  const Tensor x = g.input("x", {2, 3});
  check(tril(x), {2, 3}, {1, 0, 0, 4, 5, 0});
  check(tril(x, 1), {2, 3}, {1, 2, 0, 4, 5, 6});
  check(tril(x, -1), {2, 3}, {0, 0, 0, 4, 0, 0});
  check(triu(x), {2, 3}, {1, 2, 3, 0, 5, 6});
  check(triu(x, 1), {2, 3}, {0, 2, 3, 0, 0, 6});
  Graph h;
  const Tensor square = h.input("x", {2, 2, 2});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto values =
      evaluate({diagonal(square), tril(square)}, {{"x", Values::of<float>({2, 2, 2}, {1, nan, 3, 4, 5, nan, 7, 8})}});
  BOOST_TEST((values[0].as<float>() == Floats{1, 4, 5, 8}));
  BOOST_TEST((values[1].as<float>() == Floats{1, 0, 3, 4, 5, 0, 7, 8}));
}

BOOST_AUTO_TEST_CASE(sizes_may_be_symbols) {
  Graph g;
  const Tensor x = g.input("x", {"n", "m"});
  BOOST_TEST((tril(x).shape() == Shape{"n", "m"}));
  BOOST_TEST((flip(x).shape() == Shape{"n", "m"}));
  BOOST_TEST((roll(x, 2).shape() == Shape{"n", "m"}));
  BOOST_TEST((tile(x, {3, 2}).shape() == Shape{"3 * n", "2 * m"}));
  BOOST_TEST((repeat(x, 2, 0).shape() == Shape{"2 * n", "m"}));
}

BOOST_AUTO_TEST_CASE(gradients) {
  const Array x = Array::from<double>({0.3, -1.2, 0.8, 2.1, -0.4, 1.7, 1.1, -0.9, 0.6}, {3, 3});
  const auto correct = [](const GradcheckReport& report) { BOOST_TEST(report.passed, report.message); };
  correct(gradcheck([](auto v) { return flip(v[0]); }, {x}));
  correct(gradcheck([](auto v) { return roll(v[0], 1); }, {x}));
  correct(gradcheck([](auto v) { return tile(v[0], {2, 2}); }, {x}));
  correct(gradcheck([](auto v) { return repeat(v[0], 3, 0); }, {x}));
  correct(gradcheck([](auto v) { return tril(v[0]); }, {x}));
  correct(gradcheck([](auto v) { return triu(v[0], 1); }, {x}));
  correct(gradcheck([](auto v) { return diagonal(v[0]); }, {x}));
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "rearrange_test.cpp:";
  Graph g;
  const Tensor x = g.input("x", {2, 3}), v = g.input("v", {3});
  const std::string shown = "\n  x \"x\"  f32[2, 3]  input, " + file + std::to_string(__LINE__ - 1) + "\n  ";
  int line = __LINE__ + 1;
  const std::string axis = message_of([&] { (void)flip(x, {2}); });
  BOOST_TEST(axis == file + std::to_string(line) + ": flip: there is no axis 2 in a tensor of rank 2" + shown +
                         "flip needs axes of x");
  line = __LINE__ + 1;
  const std::string times = message_of([&] { (void)repeat(x, -1); });
  BOOST_TEST(times == file + std::to_string(line) + ": repeat: -1 repetitions were asked for" + shown +
                          "repeat needs an axis of x and a number that is not negative");
  BOOST_TEST(message_of([&] {
               (void)roll(x, 1, -3);
             }).ends_with("there is no axis -3 in a tensor of rank 2" + shown + "roll needs an axis of x"));
  BOOST_TEST(message_of([&] {
               (void)tile(x, {-2});
             }).ends_with("tile: -2 repetitions were asked for" + shown + "tile needs numbers that are not negative"));
  BOOST_TEST(message_of([&] { (void)diagonal(x); })
                 .ends_with("diagonal: the last two sizes are 2 and 3" + shown +
                            "diagonal needs x [..., n, n] with n a number"));
  BOOST_TEST(message_of([&] { (void)triu(v); }).ends_with("\n  triu needs x [..., n, m]"));
}

BOOST_AUTO_TEST_SUITE_END()
