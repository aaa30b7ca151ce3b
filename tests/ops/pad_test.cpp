#include "linear_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/movement.hpp>

#include <boost/test/unit_test.hpp>

#include <limits>

using namespace gradloom;
using test::evaluate;
using test::message_without_lines_of;
using test::scattered;
using test::Values;

BOOST_AUTO_TEST_SUITE(ops_pad)

BOOST_AUTO_TEST_CASE(before_after_and_between) {
  Graph g;
  const Tensor x = g.input("x", {2, 3}, DType::i32);
  const auto y =
      evaluate({pad(x, {.low = {1, 0}, .high = {0, 2}, .interior = {0, 1}, .value = 9}), pad(x, {.interior = {2, 0}})},
               {{"x", Values::of<int32_t>({2, 3}, {1, 2, 3, 4, 5, 6})}});
  BOOST_TEST((y[0].sizes == std::vector<int64_t>{3, 7}));
  BOOST_TEST((y[0].as<int32_t>() == std::vector<int32_t>{9, 9, 9, 9, 9, 9, 9,  //
                                                         1, 9, 2, 9, 3, 9, 9,  //
                                                         4, 9, 5, 9, 6, 9, 9}));
  BOOST_TEST((y[1].as<int32_t>() == std::vector<int32_t>{1, 2, 3, 0, 0, 0, 0, 0, 0, 4, 5, 6}));
}

BOOST_AUTO_TEST_CASE(every_dtype_against_plain_loops) {
  for (int d = 0; d < dtype_count; ++d) {
    const DType dtype = static_cast<DType>(d);
    Graph g;
    const Tensor x = g.input("x", {5, 4, 3}, dtype);
    const Values given = scattered(dtype, {5, 4, 3});
    const auto y =
        evaluate({pad(x, {.low = {2, 1, 0}, .high = {1, 0, 0}, .interior = {1, 0, 0}, .value = 1})}, {{"x", given}})[0];
    BOOST_REQUIRE((y.sizes == std::vector<int64_t>{12, 5, 3}));
    const auto from = given.as_doubles(), to = y.as_doubles();
    for (size_t i = 0; i < 12; ++i) {
      for (size_t j = 0; j < 5; ++j) {
        for (size_t k = 0; k < 3; ++k) {
          const bool inside = i >= 2 && i < 11 && i % 2 == 0 && j >= 1;
          BOOST_TEST(to[(i * 5 + j) * 3 + k] == (inside ? from[((i - 2) / 2 * 4 + j - 1) * 3 + k] : 1));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(infinity_is_a_value_of_floats) {
  Graph g;
  const Tensor x = g.input("x", {1});
  const float infinity = std::numeric_limits<float>::infinity();
  const auto y = evaluate({pad(x, {.low = {1}, .value = -infinity})}, {{"x", Values::of<float>({1}, {2})}});
  BOOST_TEST((y[0].as<float>() == std::vector<float>{-infinity, 2}));
}

BOOST_AUTO_TEST_CASE(symbolic_sizes) {
  Graph g;
  const Tensor x = g.input("x", {"n", 3});
  BOOST_TEST((pad(x, {.low = {1, 0}, .high = {"m", 0}}).shape() == Shape{"m + n + 1", 3}));
  BOOST_TEST((pad(x, {.interior = {2, 0}}).shape() == Shape{"3 * n - 2", 3}));
  BOOST_TEST(same(pad(x, {}), x));
}

BOOST_AUTO_TEST_CASE(sizes_of_zero) {
  Graph g;
  const Tensor x = g.input("x", {0, 2});
  const auto given = scattered(DType::f32, {0, 2});
  const auto y = evaluate({pad(x, {.low = {1, 0}, .value = 3}), pad(x, {.low = {0, 1}})}, {{"x", given}});
  BOOST_TEST((y[0].as<float>() == std::vector<float>{3, 3}));
  BOOST_TEST((y[1].sizes == std::vector<int64_t>{0, 3}));
}

BOOST_AUTO_TEST_CASE(many_rows_are_cut_into_chunks) {
  Graph g;
  const Tensor x = g.input("x", {1000, 99}, DType::u8);
  const auto given = scattered(DType::u8, {1000, 99});
  const auto y =
      evaluate({slice(pad(x, {.low = {7, 1}, .high = {1, 0}}), {{7, 1007}, {.start = 1}})}, {{"x", given}})[0];
  BOOST_TEST((y.bytes == given.bytes));
}

BOOST_AUTO_TEST_CASE(gradients) {
  Graph g;
  const Tensor x = g.input("x", {3, 4}, DType::f64);
  const auto given = scattered(DType::f64, {3, 4});
  test::check_vjp_of_linear(pad(x, {.low = {1, 0}, .high = {2, 1}, .interior = {0, 2}}), {{"x", given}});
}

BOOST_AUTO_TEST_CASE(errors) {
  Graph g;
  const Tensor x = g.input("x", {2, 3}, DType::u8);
  const std::string at = "pad_test.cpp";
  const auto expected = [&](const std::string& problem) {
    return at + ": pad: " + problem + "\n  x \"x\"  u8[2, 3]  input, " + at +
           "\n  pad adds a number of elements to each axis: low, high and interior have one for each, or none";
  };
  BOOST_TEST(message_without_lines_of([&] { (void)pad(x, {.low = {1}}); }) == expected("low has 1 numbers for 2 axes"));
  BOOST_TEST(message_without_lines_of([&] {
               (void)pad(x, {.high = {0, -1}});
             }) == expected("high has a negative number, -1"));
  BOOST_TEST(message_without_lines_of([&] {
               (void)pad(x, {.interior = {-1, 0}});
             }) == expected("interior has a negative number, -1"));
  BOOST_TEST(message_without_lines_of([&] {
               (void)pad(x, {.low = {1, 0}, .value = 0.5});
             }) == expected("0.5 is no u8"));
}

BOOST_AUTO_TEST_SUITE_END()
