#include "../message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/ops/while_loop.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::message_without_lines_of;

namespace {

/// Newton's method for the square root.
Tensor root(const Tensor& a, int64_t bound) {
  return while_loop([&](std::span<const Tensor> x) { return abs(x[0] * x[0] - a) > 1e-13; },
                    [&](std::span<const Tensor> x) { return std::vector{(x[0] + a / x[0]) / 2}; }, {a},
                    {.bound = bound})[0];
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_while_loop)

BOOST_AUTO_TEST_CASE(it_ends_when_its_condition_says_so) {
  for (const int64_t bound : {0, 40}) {
    Graph g;
    const Tensor a = g.input("a", {}, DType::f64);
    const Tensor y = root(a, bound);
    for (const Optimize optimize : {Optimize::none, Optimize::all}) {
      const Program program = compile({.outputs = {y}, .optimize = optimize});
      State state;
      for (const double at : {2.0, 1.0, 0.3, 1.7}) {
        Batch inputs;
        inputs.set("a", Array::from(std::vector<double>{at}, {}));
        BOOST_TEST(program.run(state, inputs)[0].item<double>() == std::sqrt(at), boost::test_tools::tolerance(1e-12));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_bound_ends_it_too_and_gives_it_gradients) {
  Graph g;
  const Tensor x = g.input("x", {2}, DType::f64);
  const Tensor y =
      while_loop([](std::span<const Tensor> v) { return sum(v[0]) > 0; },  // always
                 [](std::span<const Tensor> v) { return std::vector{v[0] * v[0] + 1}; }, {x}, {.bound = 2})[0];
  Batch inputs;
  inputs.set("x", Array::from(std::vector<double>{1, 2}, {2}));
  State state;
  const std::vector<Array> results = compile({.outputs = {y, gradient(sum(y), x)}}).run(state, inputs);
  BOOST_TEST(results[0].to_vector<double>() == std::vector<double>({5, 26}), boost::test_tools::per_element());
  BOOST_TEST(results[1].to_vector<double>() == std::vector<double>({8, 40}), boost::test_tools::per_element());

  const GradcheckReport report = gradcheck([](std::span<const Tensor> a) { return root(a[0], 12); },
                                           {Array::from(std::vector<double>{1.7}, {})}, {.tolerance = 1e-5});
  BOOST_TEST(report.passed, report.message);
}

BOOST_AUTO_TEST_CASE(without_a_bound_it_has_no_gradient) {
  Graph g;
  const Tensor a = g.input("a", {}, DType::f64);
  const Tensor y = root(a, 0);
  BOOST_TEST(message_without_lines_of([&] { (void)gradient(y, a); }).find("give it a bound") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
  Graph g;
  const Tensor x = g.input("x", {2});
  const auto positive = [](std::span<const Tensor> v) { return sum(v[0]) > 0; };
  const auto same = [](std::span<const Tensor> v) { return std::vector{v[0]}; };
  const std::string rule =
      "\n  while_loop carries at least one value, which its body returns in its shape and dtype, and needs a condition "
      "that "
      "is a boolean scalar";
  BOOST_TEST(message_without_lines_of([&] { (void)while_loop(positive, same, {}); }) ==
             "while_loop_test.cpp: while_loop: it is given no Tensor to carry" + rule);
  BOOST_TEST(message_without_lines_of([&] {
               (void)while_loop([](std::span<const Tensor> v) { return v[0] > 0; }, same, {x});
             }) == "while_loop_test.cpp: while_loop: the condition is boolean[2]" + rule);
  BOOST_TEST(message_without_lines_of([&] {
               (void)while_loop(positive, [](std::span<const Tensor> v) { return std::vector{sum(v[0])}; }, {x});
             }) == "while_loop_test.cpp: while_loop: carried value 0 \"x\" is f32[2], the body returned f32[]" + rule);
  BOOST_TEST(message_without_lines_of([&] {
               (void)while_loop(positive, [](std::span<const Tensor> v) { return std::vector{v[0], v[0]}; }, {x});
             }) == "while_loop_test.cpp: while_loop: the body returned 2 values, 1 are carried" + rule);
  BOOST_TEST(message_without_lines_of([&] { (void)while_loop(positive, same, {x}, {.bound = -1}); }) ==
             "while_loop_test.cpp: while_loop: it cannot be bound to -1 steps\n  a bound is a number of steps");
}

BOOST_AUTO_TEST_SUITE_END()
