#include "../message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/text.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/cond.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/op_table.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/scan.hpp>
#include <gradloom/ops/trigonometric.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::message_without_lines_of;

namespace {

Array scalar(double value) { return Array::from(std::vector<double>{value}, {}); }

/// sin(a b) where a is positive, else exp(a) b.
Tensor choice(const Tensor& a, const Tensor& b) {
  return cond(
      a > 0, [&] { return std::vector{sin(a * b)}; }, [&] { return std::vector{exp(a) * b}; })[0];
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_cond)

BOOST_AUTO_TEST_CASE(it_takes_one_branch_and_so_do_its_gradients) {
  Graph g;
  const Tensor a = g.input("a", {}, DType::f64), b = g.input("b", {}, DType::f64);
  const Tensor y = choice(a, b);
  std::vector<Tensor> outputs = gradients(y, {a, b});
  outputs.push_back(y);
  for (const Optimize optimize : {Optimize::none, Optimize::all}) {
    const Program program = compile({.outputs = outputs, .optimize = optimize});
    State state;
    for (const double at : {0.4, -0.3}) {
      Batch inputs;
      inputs.set("a", scalar(at));
      inputs.set("b", scalar(1.5));
      const std::vector<Array> results = program.run(state, inputs);
      const double value = at > 0 ? std::sin(at * 1.5) : std::exp(at) * 1.5;
      const double by_a = at > 0 ? std::cos(at * 1.5) * 1.5 : std::exp(at) * 1.5;
      const double by_b = at > 0 ? std::cos(at * 1.5) * at : std::exp(at);
      BOOST_TEST(results[0].item<double>() == by_a, boost::test_tools::tolerance(1e-12));
      BOOST_TEST(results[1].item<double>() == by_b, boost::test_tools::tolerance(1e-12));
      BOOST_TEST(results[2].item<double>() == value, boost::test_tools::tolerance(1e-12));
    }
  }
}

BOOST_AUTO_TEST_CASE(gradients_of_second_order) {
  for (const double at : {0.4, -0.3}) {
    const GradcheckReport report =
        gradcheck([](std::span<const Tensor> x) { return choice(x[0], x[1]); }, {scalar(at), scalar(1.5)});
    BOOST_TEST(report.passed, report.message);
  }
}

// An index that is out of range in a branch that is not taken is no error.
BOOST_AUTO_TEST_CASE(the_other_branch_does_not_run) {
  Graph g;
  const Tensor table = g.input("table", {3}), index = g.input("index", {}, DType::i32);
  const Tensor y = cond(
      index < 3, [&] { return std::vector{gather(table, index)}; }, [&] { return std::vector{sum(table)}; })[0];
  const Program program = compile({.outputs = {y}});
  State state;
  Batch inputs;
  inputs.set("table", Array::from(std::vector<float>{1, 2, 4}, {3}));
  for (const auto& [at, expected] : {std::pair{1, 2.0F}, std::pair{1000000, 7.0F}}) {
    inputs.set("index", Array::from(std::vector<int32_t>{at}, {}));
    BOOST_TEST(program.run(state, inputs)[0].item<float>() == expected);
  }
  inputs.set("index", Array::from(std::vector<int32_t>{-1}, {}));
  BOOST_CHECK_THROW((void)program.run(state, inputs), Error);
}

BOOST_AUTO_TEST_CASE(inside_a_loop) {
  const auto f = [](std::span<const Tensor> x) {
    const ScanResult r = scan(
        [&](std::span<const Tensor> h, std::span<const Tensor> s) {
          return ScanStep{cond(
              s[0] > 0, [&] { return std::vector{h[0] * x[1] + s[0]}; },
              [&] { return std::vector{sin(h[0]) * s[0]}; })};
        },
        {.carried = {x[1]}, .sequences = {x[0]}});
    return r.carried[0];
  };
  const GradcheckReport report =
      gradcheck(f, {Array::from(std::vector<double>{0.5, -0.7, 0.9, -1.1, 0.3}, {5}), scalar(0.8)});
  BOOST_TEST(report.passed, report.message);
}

BOOST_AUTO_TEST_CASE(its_text_parses_back) {
  Graph g;
  const Tensor a = g.input("a", {}, DType::f64), b = g.input("b", {}, DType::f64);
  const std::vector<Tensor> outputs = {gradient(choice(a, b), a)};
  const std::string text = to_text(g, outputs);
  BOOST_TEST(to_text(parse_text(text, all_ops())) == text);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
  Graph g;
  const Tensor p = g.input("p", {}, DType::boolean), x = g.input("x", {3}), y = g.input("y", {4});
  const auto one = [&] { return std::vector{x * 2}; };
  BOOST_TEST(message_without_lines_of([&] { (void)cond(x, one, one); }) ==
             "cond_test.cpp: cond: the predicate is f32[3]\n"
             "  predicate \"x\"  f32[3]  input, cond_test.cpp\n"
             "  operand 1 \"x\"  f32[3]  input, cond_test.cpp\n"
             "  cond needs a boolean scalar, and two branches that return Tensors of the same shapes and dtypes");
  BOOST_TEST(message_without_lines_of([&] {
               (void)cond(p, one, [&] { return std::vector{y}; });
             }).starts_with("cond_test.cpp: cond: result 0 is f32[3] in one branch, f32[4] in the other\n"));
  BOOST_TEST(message_without_lines_of([&] {
               (void)cond(p, one, [&] { return std::vector<Tensor>{}; });
             }).starts_with("cond_test.cpp: cond: one branch returns 1 Tensors, the other 0\n"));
  BOOST_TEST(message_without_lines_of([&] { (void)cond(1, one, one); }) ==
             "cond_test.cpp: cond: the predicate is a number or an empty Tensor\n"
             "  cond needs a boolean scalar, and two branches that return Tensors of the same shapes and dtypes");
}

BOOST_AUTO_TEST_SUITE_END()
