#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/recurrence.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(ops_recurrence)

BOOST_AUTO_TEST_CASE(values_along_any_axes_in_both_directions) {
  const std::vector<double> a = {2, 3, 1, -1, 5, 2}, b = {1, 0, 2, 1, 3, 1};
  Graph g;
  const Tensor at = g.input("a", {2, 3}, DType::f64), bt = g.input("b", {2, 3}, DType::f64);
  const std::vector<Tensor> ys = {exclusive_recurrence(at, bt, {.axes = {1}, .start = 1}),
                                  exclusive_recurrence(at, bt, {.axes = {-1}, .reverse = true}),
                                  exclusive_recurrence(at, bt, {.axes = {0}, .start = 2}),
                                  exclusive_recurrence(at, bt)};
  for (const Isa isa : supported_isas()) {
    const auto values = evaluate(ys, {{"a", Values::of({2, 3}, a)}, {"b", Values::of({2, 3}, b)}}, isa);
    BOOST_TEST((values[0].as<double>() == std::vector<double>{1, 3, 9, 1, 0, 3}));
    BOOST_TEST((values[1].as<double>() == std::vector<double>{6, 2, 0, 8, 1, 0}));
    BOOST_TEST((values[2].as<double>() == std::vector<double>{2, 2, 2, 5, 6, 4}));
    BOOST_TEST((values[3].as<double>() == std::vector<double>{0, 1, 3, 5, -4, -17}));
  }
}

BOOST_AUTO_TEST_CASE(wide_lines_are_cut_into_tiles_and_nothing_is_nothing) {
  Graph g;
  const Tensor a = g.input("a", {3, 2000}), none = g.input("none", {0, 4});
  const Tensor y = exclusive_recurrence(a, a, {.axes = {0}, .start = 1});
  const std::vector<float> x(6000, 2);
  const auto values = evaluate({y, exclusive_recurrence(none, none, {.axes = {0}})},
                               {{"a", Values::of({3, 2000}, x)}, {"none", Values::of<float>({0, 4}, {})}});
  const std::vector<float> result = values[0].as<float>();
  for (size_t j = 0; j < 2000; ++j) BOOST_TEST((result[j] == 1 && result[2000 + j] == 4 && result[4000 + j] == 10));
  BOOST_TEST(values[1].bytes.empty());
}

BOOST_AUTO_TEST_CASE(gradients) {
  const Array a = Array::from<double>({0.5, -1.2, 0, 0.7, 1.1, 0.9, -0.3, 1.4}).reshaped({2, 2, 2});
  const Array b = Array::from<double>({0.2, 0.4, -1, 1.7, 0.1, -0.9, 0.3, 0.6}).reshaped({2, 2, 2});
  for (const bool reverse : {false, true}) {
    for (const std::vector<int64_t>& axes : std::vector<std::vector<int64_t>>{{0}, {1, 2}, {0, 2}, {}}) {
      const auto y = [&](std::span<const Tensor> x) {
        return exclusive_recurrence(x[0], x[1], {.axes = axes, .reverse = reverse, .start = 1});
      };
      const GradcheckReport report = gradcheck(y, {a, b});
      BOOST_TEST(report.passed, report.message);
    }
  }
}

BOOST_AUTO_TEST_CASE(errors) {
  Graph g;
  const int made = __LINE__ + 1;
  const Tensor a = g.input("a", {2, 3}), wide = g.input("wide", {2, 4}), flat = g.input("flat", {2});
  const Tensor d = g.input("d", {2, 3}, DType::f64), i = g.input("i", {2, 3}, DType::i32);
  const auto input = [&](int line) { return "  input, recurrence_test.cpp:" + std::to_string(line) + "\n  "; };
  const auto at = [](int line) { return "recurrence_test.cpp:" + std::to_string(line) + ": exclusive_recurrence: "; };
  const std::string rule =
      "exclusive_recurrence needs two tensors of floats or of i64, of one shape, and axes of them, each once";

  int line = __LINE__ + 1;
  std::string text = message_of([&] { (void)exclusive_recurrence(a, wide); });
  BOOST_TEST(text == at(line) + "the sizes of the operands differ, 3 and 4\n  a \"a\"     f32[2, 3]" + input(made) +
                         "b \"wide\"  f32[2, 4]" + input(made) + rule);
  line = __LINE__ + 1;
  text = message_of([&] { (void)exclusive_recurrence(a, flat); });
  BOOST_TEST(text == at(line) + "the ranks differ\n  a \"a\"     f32[2, 3]" + input(made) + "b \"flat\"  f32[2]   " +
                         input(made) + rule);
  line = __LINE__ + 1;
  text = message_of([&] { (void)exclusive_recurrence(a, d); });
  BOOST_TEST(text == at(line) + "the dtypes differ\n  a \"a\"  f32[2, 3]" + input(made) + "b \"d\"  f64[2, 3]" +
                         input(made + 1) + rule);
  line = __LINE__ + 1;
  text = message_of([&] { (void)exclusive_recurrence(a, a, {.axes = {2}}); });
  BOOST_TEST(text == at(line) + "there is no axis 2 in a tensor of rank 2\n  a \"a\"  f32[2, 3]" + input(made) +
                         "b \"a\"  f32[2, 3]" + input(made) + rule);
  line = __LINE__ + 1;
  text = message_of([&] { (void)exclusive_recurrence(i, i); });
  BOOST_TEST(text == at(line) + "it takes i64, f32, f64, not i32\n  a \"i\"  i32[2, 3]" + input(made + 1) +
                         "b \"i\"  i32[2, 3]" + input(made + 1) + rule);
}

BOOST_AUTO_TEST_SUITE_END()
