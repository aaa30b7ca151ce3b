#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/sort.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

namespace {

using Indices = std::vector<int64_t>;

/// The order by the standard library's stable sort, with nan as the largest.
template <class T>
Indices expected_order(const std::vector<T>& x, bool descending) {
  Indices order(x.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto less = [](T a, T b) { return b != b ? a == a : a < b; };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const T u = x[static_cast<size_t>(a)], v = x[static_cast<size_t>(b)];
    return descending ? less(v, u) : less(u, v);
  });
  return order;
}

template <class T>
void check_order(const std::vector<T>& x) {
  const auto n = static_cast<int64_t>(x.size());
  Graph g;
  const Tensor input = g.input("x", {n}, dtype_of<T>);
  for (const bool descending : {false, true}) {
    const int64_t few = std::min<int64_t>(n, 5);
    const std::vector<Values> values =
        evaluate({argsort(input, {.descending = descending}), top_k(input, few, {.largest = descending}).indices},
                 {{"x", Values::of({n}, x)}});
    const Indices expected = expected_order(x, descending);
    BOOST_TEST((values[0].as<int64_t>() == expected), "n = " << n << ", descending: " << descending);
    BOOST_TEST((values[1].as<int64_t>() == Indices(expected.begin(), expected.begin() + few)),
               "first " << few << " of " << n);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_sort)

// 200 and 201: the last length sorted by comparison, and the first sorted by digits.
BOOST_AUTO_TEST_CASE(orders_are_stable_at_every_length_and_of_every_dtype) {
  std::mt19937 random(1);
  for (const size_t n : {1, 2, 3, 8, 39, 41, 200, 201, 1000, 70'000}) {
    std::vector<float> f32(n);
    std::vector<double> f64(n);
    std::vector<int32_t> i32(n), narrow(n);
    std::vector<int64_t> i64(n);
    std::vector<uint8_t> u8(n);
    for (size_t i = 0; i < n; ++i) {
      f32[i] =
          static_cast<float>(static_cast<int32_t>(random())) * std::ldexp(1.0F, static_cast<int>(random() % 60) - 60);
      f64[i] =
          static_cast<double>(static_cast<int32_t>(random())) * std::ldexp(1.0, static_cast<int>(random() % 600) - 300);
      i32[i] = static_cast<int32_t>(random());
      narrow[i] = static_cast<int32_t>(random() % 7) - 3;  // many equal ones
      i64[i] = static_cast<int64_t>((uint64_t{random()} << 32) | random());
      u8[i] = static_cast<uint8_t>(random());
    }
    check_order(f32);
    check_order(f64);
    check_order(i32);
    check_order(narrow);
    check_order(i64);
    check_order(u8);
  }
}

BOOST_AUTO_TEST_CASE(nan_is_the_largest_and_zeros_are_equal) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const float least = std::numeric_limits<float>::denorm_min();
  check_order<float>(
      {0.0F, -0.0F, nan, -inf, inf, -nan, -0.0F, 0.0F, -least, least, 1, -1, std::numeric_limits<float>::lowest()});
  Graph g;
  const Tensor x = g.input("x", {4});
  const auto values = evaluate({sort(x), top_k(x, 2).values}, {{"x", Values::of<float>({4}, {nan, 2, -0.0F, 0.0F})}});
  const std::vector<float> sorted = values[0].as<float>(), top = values[1].as<float>();
  BOOST_TEST((std::signbit(sorted[0]) && !std::signbit(sorted[1])));
  BOOST_TEST(sorted[2] == 2);
  BOOST_TEST((std::isnan(sorted[3]) && std::isnan(top[0])));
  BOOST_TEST(top[1] == 2);
}

BOOST_AUTO_TEST_CASE(any_axis_is_sorted) {
  Graph g;
  const Tensor x = g.input("x", {2, 3, 2}, DType::i32);
  const Values given = Values::of<int32_t>({2, 3, 2}, {3, 1, 1, 2, 2, 3, 9, 7, 8, 8, 7, 9});
  const TopK top = top_k(x, 2, {.axis = 1});
  const auto values = evaluate(
      {sort(x, {.axis = 1}), sort(x, {.axis = 0, .descending = true}), top.values, top.indices}, {{"x", given}});
  BOOST_TEST((values[0].as<int32_t>() == std::vector<int32_t>{1, 1, 2, 2, 3, 3, 7, 7, 8, 8, 9, 9}));
  BOOST_TEST((values[1].as<int32_t>() == std::vector<int32_t>{9, 7, 8, 8, 7, 9, 3, 1, 1, 2, 2, 3}));
  BOOST_TEST((values[2].as<int32_t>() == std::vector<int32_t>{3, 3, 2, 2, 9, 9, 8, 8}));
  BOOST_TEST((values[3].as<int64_t>() == Indices{0, 2, 2, 1, 0, 2, 1, 1}));
  BOOST_TEST((values[2].sizes == std::vector<int64_t>{2, 2, 2}));
}

BOOST_AUTO_TEST_CASE(nothing_is_sorted_into_nothing) {
  Graph g;
  const Tensor x = g.input("x", {0, 3}), y = g.input("y", {2, 0});
  const auto values = evaluate({sort(x), argsort(y), top_k(x, 0).values},
                               {{"x", Values::of<float>({0, 3}, {})}, {"y", Values::of<float>({2, 0}, {})}});
  BOOST_TEST((values[0].sizes == std::vector<int64_t>{0, 3}));
  BOOST_TEST((values[1].sizes == std::vector<int64_t>{2, 0}));
  BOOST_TEST((values[2].sizes == std::vector<int64_t>{0, 0}));
}

BOOST_AUTO_TEST_CASE(gradients_go_where_the_elements_were) {
  const Array x = Array::from<double>({0.3, -1.2, 0.8, 2.1, -0.4, 1.7}, {2, 3});
  const auto check = [](const GradcheckReport& report) { BOOST_TEST(report.passed, report.message); };
  check(gradcheck([](auto v) { return sort(v[0]); }, {x}));
  check(gradcheck([](auto v) { return sort(v[0], {.axis = 0, .descending = true}); }, {x}));
  check(gradcheck([](auto v) { return top_k(v[0], 2).values; }, {x}));
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "sort_test.cpp:";
  Graph g;
  const Tensor x = g.input("x", {2, 3}), open = g.input("open", {"n"});
  const std::string shown = "\n  x \"x\"  f32[2, 3]  input, " + file + std::to_string(__LINE__ - 1) +
                            "\n  argsort needs an axis of x, and a count from 0 to its size";
  const std::string at = file + std::to_string(__LINE__ + 1) + ": argsort";
  BOOST_TEST(
      message_of([&] { (void)top_k(x, 4); }).ends_with(": 4 elements were asked for, but the axis has 3" + shown));
  BOOST_TEST(message_of([&] { (void)top_k(x, -1); }).ends_with(": -1 elements were asked for" + shown));
  BOOST_TEST(
      message_of([&] { (void)sort(x, {.axis = 2}); }).ends_with("there is no axis 2 in a tensor of rank 2" + shown));
  const Program few = compile({.outputs = {top_k(open, 3).values}});
  const std::string text = message_of([&] {
    State state;
    (void)few.run(state, {{"open", Array({2})}});
  });
  BOOST_TEST(text.find("3 elements were asked for, but the axis has 2") != std::string::npos, text);
}

BOOST_AUTO_TEST_SUITE_END()
