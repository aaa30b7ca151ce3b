// What ops put in the place of formulas that overflow or cancel (OpDef::stabilize), and that their gradients are then
// finite and right as well.
#include "evaluate_helper.hpp"
#include "formula_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/ops/softmax.hpp>
#include <gradloom/runtime/passes_internal.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <functional>

using namespace gradloom;
using test::evaluate;
using test::formula;
using test::Values;

namespace {

using Function = std::function<Tensor(const Tensor&)>;

Module stable(const std::vector<Tensor>& outputs) { return stabilize(Rewriter(outputs[0].graph(), outputs, {}).run()); }

std::string stable_formula(const Function& f) {
  Graph g;
  const Module module = stable({f(g.input("x", {4}))});
  return formula(module.outputs[0]);
}

/// y, dy/dx and d2y/dx2 of a function of tensors: of the naive one after the pass, of the stable one as it stands.
std::vector<std::vector<double>> derivatives(const Function& f, DType dtype, const std::vector<double>& points,
                                             bool pass, std::vector<int64_t> sizes = {}) {
  if (sizes.empty()) sizes = {static_cast<int64_t>(points.size())};
  Graph g;
  const Tensor x = g.input("x", Shape(std::span<const int64_t>(sizes)), dtype);
  // Rows must not add up to a constant: sum(softmax) would have the gradient 0.
  const Tensor weights = g.input("weights", Shape(std::span<const int64_t>(sizes)), dtype);
  const Tensor y = f(x), first = gradient(weights * y, x), second = gradient(weights * first, x);
  std::vector<Tensor> outputs{y, first, second};
  std::vector<double> weight(points.size());
  for (size_t i = 0; i < weight.size(); ++i) weight[i] = 0.5 + static_cast<double>(i % 3);
  const std::map<std::string, Values> inputs{{"x", Values::from_doubles(dtype, sizes, points)},
                                             {"weights", Values::from_doubles(dtype, sizes, weight)}};
  const Module module = pass ? stable(outputs) : Rewriter(g, outputs, {}).run();
  std::vector<std::vector<double>> values;
  for (const Values& value : evaluate(module.outputs, inputs)) values.push_back(value.as_doubles());
  return values;
}

void check_finite_and_right(const std::string& name, const Function& naive, const Function& good,
                            const std::vector<double>& points, std::vector<int64_t> sizes = {}, size_t orders = 3) {
  const auto expected = derivatives(good, DType::f64, points, false, sizes);
  const auto actual = derivatives(naive, DType::f32, points, true, sizes);
  for (size_t order = 0; order < orders; ++order) {
    for (size_t i = 0; i < points.size(); ++i) {
      const double want = expected[order][i], got = actual[order][i];
      BOOST_TEST(std::fabs(got - want) <= 1e-5 * std::fabs(want) + 1e-6,
                 name << ", derivative " << order << " at " << points[i] << ": " << got << ", not " << want);
    }
  }
}

const std::vector<double> far = {-1e4, -200, -90, -20, -3, -0.5, 0, 0.25, 2, 15, 89, 100, 1e4};

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_stabilize)

BOOST_AUTO_TEST_CASE(formulas) {
  BOOST_TEST(stable_formula([](auto x) { return log(1 + exp(x)); }) == "softplus(x)");
  BOOST_TEST(stable_formula([](auto x) { return log(exp(-x) + 1); }) == "softplus(neg(x))");
  BOOST_TEST(stable_formula([](auto x) { return log1p(exp(x)); }) == "softplus(x)");
  BOOST_TEST(stable_formula([](auto x) { return log(exp(x)); }) == "x");
  BOOST_TEST(stable_formula([](auto x) { return log1p(expm1(x)); }) == "x");
  BOOST_TEST(stable_formula([](auto x) { return log(1 + x); }) == "log1p(x)");
  BOOST_TEST(stable_formula([](auto x) { return log(1 - x); }) == "log1p(neg(x))");
  BOOST_TEST(stable_formula([](auto x) { return exp(x) - 1; }) == "expm1(x)");
  BOOST_TEST(stable_formula([](auto x) { return -1 + exp(x); }) == "expm1(x)");
  BOOST_TEST(stable_formula([](auto x) { return 1 / (1 + exp(-x)); }) == "sigmoid(x)");
  BOOST_TEST(stable_formula([](auto x) { return 1 / (exp(x) + 1); }) == "sigmoid(neg(x))");
  BOOST_TEST(stable_formula([](auto x) { return reciprocal(1 + exp(-x)); }) == "sigmoid(x)");
  BOOST_TEST(stable_formula([](auto x) { return x / (1 + exp(-x)); }) == "mul(x, sigmoid(x))");
  BOOST_TEST(stable_formula([](auto x) { return exp(x) / (1 + exp(x)); }) == "sigmoid(x)");
  BOOST_TEST(stable_formula([](auto x) { return exp(x) * reciprocal(exp(x) + 1); }) == "sigmoid(x)");
  BOOST_TEST(stable_formula([](auto x) { return log(sigmoid(x)); }) == "neg(softplus(neg(x)))");
  BOOST_TEST(stable_formula([](auto x) { return log(sigmoid(-x)); }) == "neg(softplus(x))");
  BOOST_TEST(stable_formula([](auto x) { return log(1 - sigmoid(x)); }) == "neg(softplus(x))");
  BOOST_TEST(stable_formula([](auto x) { return log1p(-sigmoid(x)); }) == "neg(softplus(x))");
  BOOST_TEST(stable_formula([](auto x) { return log(1 / (1 + exp(-x))); }) == "neg(softplus(neg(x)))");
  BOOST_TEST(stable_formula([](auto x) { return tanh(softplus(x)); }) == "tanh_log1p(exp(x))");
  BOOST_TEST(stable_formula([](auto x) { return tanh(log(1 + exp(x))); }) == "tanh_log1p(exp(x))");
  BOOST_TEST(stable_formula([](auto x) { return sqrt(square(x)); }) == "abs(x)");
  BOOST_TEST(stable_formula([](auto x) { return sqrt(x * x); }) == "abs(x)");
}

BOOST_AUTO_TEST_CASE(what_is_stable_stays) {
  BOOST_TEST(stable_formula([](auto x) { return x * sigmoid(x); }) == "mul(x, sigmoid(x))");
  BOOST_TEST(stable_formula([](auto x) { return exp(x) * sigmoid(x); }) == "mul(exp(x), sigmoid(x))");
  BOOST_TEST(stable_formula([](auto x) { return log(2 + exp(x)); }) == "log(add(2, exp(x)))");
  BOOST_TEST(stable_formula([](auto x) { return (x / exp(2 * x)) * exp(x); }) == "mul(div(x, exp(mul(2, x))), exp(x))");
  // A sum over another axis than the one it is divided along is no softmax.
  const auto columns = [](auto z) { return exp(z) / sum(exp(z), {.axes = {1}}); };
  Graph g;
  const Module module = stable({columns(g.input("x", {3, 3}))});
  BOOST_TEST(formula(module.outputs[0]) == "div(exp(x), sum(exp(x)))");
}

BOOST_AUTO_TEST_CASE(naive_activations_and_their_gradients) {
  const auto check = [](const std::string& name, const Function& naive, const Function& good) {
    check_finite_and_right(name, naive, good, far);
  };
  check(
      "log(1 + exp(x))", [](auto x) { return log(1 + exp(x)); }, [](auto x) { return softplus(x); });
  check(
      "log1p(exp(x))", [](auto x) { return log1p(exp(x)); }, [](auto x) { return softplus(x); });
  check(
      "mish", [](auto x) { return x * tanh(log1p(exp(x))); }, [](auto x) { return x * tanh(softplus(x)); });
  check(
      "mish by log", [](auto x) { return x * tanh(log(1 + exp(x))); }, [](auto x) { return x * tanh(softplus(x)); });
  check(
      "sigmoid", [](auto x) { return 1 / (1 + exp(-x)); }, [](auto x) { return sigmoid(x); });
  check(
      "sigmoid by reciprocal", [](auto x) { return reciprocal(1 + exp(-x)); }, [](auto x) { return sigmoid(x); });
  check(
      "exp / (1 + exp)", [](auto x) { return exp(x) / (1 + exp(x)); }, [](auto x) { return sigmoid(x); });
  check(
      "silu", [](auto x) { return x / (1 + exp(-x)); }, [](auto x) { return x * sigmoid(x); });
  check(
      "log sigmoid", [](auto x) { return log(sigmoid(x)); }, [](auto x) { return -softplus(-x); });
  check(
      "log naive sigmoid", [](auto x) { return log(1 / (1 + exp(-x))); }, [](auto x) { return -softplus(-x); });
  check(
      "log(1 - sigmoid)", [](auto x) { return log(1 - sigmoid(x)); }, [](auto x) { return -softplus(x); });
  check(
      "log(exp(x))", [](auto x) { return log(exp(x)); }, [](auto x) { return 1 * x; });
}

BOOST_AUTO_TEST_CASE(square_root_of_a_square) {
  // Not at 0, where the naive gradient is 0 / 0; the square of 1e30 is inf.
  check_finite_and_right(
      "sqrt(square(x))", [](auto x) { return sqrt(square(x)); }, [](auto x) { return abs(x); },
      {-1e30, -1e4, -3, 0.5, 2, 1e30}, {}, 2);
}

BOOST_AUTO_TEST_CASE(naive_softmax_and_its_gradients) {
  const std::vector<double> rows = {-1e4, 0, 1, 1e4, 200, 201, -3, 202, 0.5, -0.5, 1, 2};
  const ReduceOptions row{.axes = {1}, .keepdims = true};
  const auto naive = [=](auto x) { return exp(x) / sum(exp(x), row); };
  const auto check = [&](const std::string& name, const Function& f, const Function& good, size_t orders) {
    check_finite_and_right(name, f, good, rows, {3, 4}, orders);
  };
  check(
      "softmax", naive, [](auto x) { return softmax(x); }, 2);
  check(
      "log(naive softmax)", [=](auto x) { return log(naive(x)); }, [](auto x) { return log_softmax(x); }, 2);
  check(
      "log(softmax)", [](auto x) { return log(softmax(x)); }, [](auto x) { return log_softmax(x); }, 2);
  check(
      "log of a sum of exponentials", [=](auto x) { return x * log(sum(exp(x), row)); },
      [=](auto x) { return x * logsumexp(x, row); }, 2);
  check(
      "without the axis", [=](auto x) { return x * expand_dims(log(sum(exp(x), {.axes = {1}})), 1); },
      [=](auto x) { return x * logsumexp(x, row); }, 2);
  check(
      "over all", [=](auto x) { return x * log(sum(exp(x))); }, [=](auto x) { return x * logsumexp(x); }, 2);
  // Not an overflow, but 0 / 0 where a probability underflows to 0.
  check(
      "cross entropy", [=](auto x) { return -square(x) * log(softmax(x)); },
      [](auto x) { return -square(x) * log_softmax(x); }, 2);
}

// Only a softmax over the same axes cancels with a sum of exponentials.
BOOST_AUTO_TEST_CASE(other_quotients_of_shifted_exponentials_stay) {
  const std::vector<double> points = {0.5, -0.5, 1, 2, -1, 0.25};
  const ReduceOptions row{.axes = {1}, .keepdims = true}, column{.axes = {0}, .keepdims = true};
  for (const ReduceOptions& over : {row, column}) {
    for (const bool by_sum : {true, false}) {
      const Function f = [&](const Tensor& z) {
        const Tensor e = exp(z - max(z, over));
        const Tensor p = by_sum ? e / sum(e, over) : e / (3 + square(z));
        return z / p / sum(exp(z), row) * exp(z);
      };
      const auto expected = derivatives(f, DType::f64, points, false, {2, 3})[0];
      const auto got = derivatives(f, DType::f64, points, true, {2, 3})[0];
      for (size_t i = 0; i < points.size(); ++i) BOOST_TEST(std::fabs(got[i] - expected[i]) < 1e-12);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_shifted_already_is_not_shifted_again) {
  for (const Function& f :
       {Function([](auto x) { return softmax(x); }), Function([](auto x) { return log_softmax(x); }),
        Function([](auto x) { return logsumexp(x, {.axes = {1}}); })}) {
    Graph g;
    const Tensor x = g.input("x", {3, 4});
    const Tensor y = f(x), dx = gradient(square(y), x);
    const Module written = Rewriter(g, std::vector{y, dx}, {}).run(), module = stabilize(written);
    BOOST_TEST(formula(module.outputs[0]) == formula(written.outputs[0]));
    BOOST_TEST(formula(module.outputs[1]) == formula(written.outputs[1]));
  }
}

BOOST_AUTO_TEST_CASE(what_replaces_a_node_takes_its_name_and_line) {
  Graph g;
  const Tensor x = g.input("x", {4});
  const int line = __LINE__ + 1;
  const Tensor y = log(1 + exp(x)).named("positive");
  const Module module = stable({y});
  const Node& node = module.outputs[0].node();
  BOOST_TEST(node.op->name == "softplus");
  BOOST_TEST(node.name == "positive");
  BOOST_TEST(node.location.line == line);
}

BOOST_AUTO_TEST_SUITE_END()
