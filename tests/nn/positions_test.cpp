#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/nn/positions.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::evaluate;
using test::message_without_lines_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(nn_positions)

BOOST_AUTO_TEST_CASE(sinusoids_by_the_formula) {
  Graph g;
  const Tensor at = nn::positions(g, 3, g.input("start", {}, DType::i64));
  const std::vector<float> got =
      evaluate({nn::sinusoidal_positions(at, 5)}, {{"start", Values::of<int64_t>({}, {7})}})[0].as<float>();
  BOOST_REQUIRE(got.size() == 15u);
  for (size_t row = 0; row < 3; ++row) {
    for (size_t column = 0; column < 5; ++column) {
      const double pair = static_cast<double>(column / 2 * 2);
      const double angle = (7 + static_cast<double>(row)) / std::pow(10000, pair / 5);
      BOOST_TEST(std::fabs(got[row * 5 + column] - (column % 2 == 0 ? std::sin(angle) : std::cos(angle))) < 2e-6);
    }
  }
}

BOOST_AUTO_TEST_CASE(sinusoids_of_f64) {
  Graph g;
  const std::vector<double> got =
      evaluate({nn::sinusoidal_positions(nn::positions(g, 3), 4, DType::f64)}, {})[0].as<double>();
  BOOST_TEST(std::fabs(got[2 * 4 + 2] - std::sin(2 / std::pow(10000.0, 0.5))) < 1e-15);
  BOOST_TEST(message_without_lines_of([&] {
               (void)nn::sinusoidal_positions(nn::positions(g, 3), 4, DType::i64);
             }).find("the dtype is i64") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(rotary_turns_pairs_by_the_formula) {
  Graph g;
  const Tensor x = g.input("x", {3, 2, 4}, DType::f64), at = g.input("at", {3}, DType::i32);
  std::vector<double> values(24);
  for (size_t i = 0; i < 24; ++i) values[i] = std::sin(static_cast<double>(i) + 1);
  const auto got =
      evaluate({nn::rotary(x), nn::rotary(x, {.base = 100, .positions = at})},
               {{"x", Values::of<double>({3, 2, 4}, values)}, {"at", Values::of<int32_t>({3}, {5, 0, 9})}});
  for (const int which : {0, 1}) {
    const std::vector<double> turned = got[static_cast<size_t>(which)].as<double>();
    for (size_t i = 0; i < 24; ++i) {
      const size_t row = i / 8, c = i % 4 % 2;
      const double position = which == 0 ? static_cast<double>(row) : std::vector<double>{5, 0, 9}[row];
      const double angle = position / std::pow(which == 0 ? 10000 : 100, static_cast<double>(c) / 2);
      const size_t first = i - i % 4 + c;
      const double a = values[first], b = values[first + 2];
      const double expected =
          i % 4 < 2 ? a * std::cos(angle) - b * std::sin(angle) : b * std::cos(angle) + a * std::sin(angle);
      BOOST_TEST(std::fabs(turned[i] - expected) < 1e-14);
    }
  }
}

BOOST_AUTO_TEST_CASE(learned_positions_are_added) {
  Graph g;
  nn::LearnedPositions places(4);
  const Tensor x = g.input("x", {1, 2, 2}), at = g.input("at", {2}, DType::i64);
  const std::vector<Tensor> results = {places(x), places(x, at)};
  BOOST_TEST(g.parameters().size() == 1u);
  BOOST_TEST(places.table().name() == "positions_1/table");
  const auto got = evaluate(results, {{"x", Values::of<float>({1, 2, 2}, {10, 20, 30, 40})},
                                      {"at", Values::of<int64_t>({2}, {3, 2})},
                                      {"positions_1/table", Values::of<float>({4, 2}, {0, 1, 2, 3, 4, 5, 6, 7})}});
  BOOST_TEST((got[0].as<float>() == std::vector<float>{10, 21, 32, 43}));
  BOOST_TEST((got[1].as<float>() == std::vector<float>{16, 27, 34, 45}));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_an_error) {
  Graph g, other;
  const auto problem = [](auto&& f) {
    const std::string text = message_without_lines_of(f);
    return text.substr(0, text.find('\n'));
  };
  const std::string at = "positions_test.cpp: ";
  const Tensor x = g.input("x", {2, 5, 3}), flat = g.input("flat", {3}), open = g.input("open", {2, 5, "d"});
  BOOST_TEST(problem([&] { (void)nn::sinusoidal_positions(nn::positions(g, 3), 0); }) ==
             at + "sinusoidal_positions: the width is 0");
  BOOST_TEST(problem([&] { (void)nn::rotary(x); }) == at + "rotary: the depth is 3");
  BOOST_TEST(problem([&] { (void)nn::rotary(open); }) == at + "rotary: the depth is d");
  BOOST_TEST(problem([&] { (void)nn::rotary(flat); }) == at + "rotary: x has fewer than three axes");
  BOOST_TEST(message_without_lines_of([&] { (void)nn::rotary(flat); }) ==
             at + "rotary: x has fewer than three axes\n  x \"flat\"  f32[3]  input, positions_test.cpp\n"
                  "  rotary needs x [..., length, heads, depth], with depth a number that is even");
  BOOST_TEST(problem([&] { (void)nn::LearnedPositions(0); }) == at + "positions: 0 positions were asked for");
  nn::LearnedPositions places(4);
  BOOST_TEST(problem([&] { (void)places(x); }) == at + "positions: x is 5 long, and there are 4 positions");
  BOOST_TEST(problem([&] { (void)places(flat); }) == at + "positions: x has fewer than two axes");
  BOOST_TEST(problem([&] { (void)places(g.input("wide", {2, "w"})); }) == at + "positions: the width w is not known");
  BOOST_TEST(problem([&] { (void)places(Tensor()); }) == at + "positions: x is a number or an empty Tensor");
  (void)places(g.input("short", {2, 3}));
  BOOST_TEST(problem([&] {
               (void)places(other.input("short", {2, 3}));
             }) == at + "positions: the table belongs to another graph, that of the first call");
}

BOOST_AUTO_TEST_SUITE_END()
