// What mish becomes: values where e^x overflows or underflows, and that no second exponential is left.
#include "evaluate_helper.hpp"
#include "formula_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/activations.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/tanh_log1p.hpp>
#include <gradloom/runtime/passes_internal.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <functional>
#include <limits>

using namespace gradloom;
using test::evaluate;
using test::formula;
using test::Values;

namespace {

using Function = std::function<Tensor(const Tensor&)>;

/// f(x) and its gradient, for an incoming gradient g, as a Program has them.
Module forward_and_gradient(Graph& graph, const Function& f) {
  const Tensor x = graph.input("x", {4}), g = graph.input("g", {4});
  const Tensor y = f(x);
  const Module written = Rewriter(graph, std::vector{y, gradient(g * y, x)}, {}).run();
  return simplify(stabilize(written), {});
}

const Function ways_to_write_mish[] = {
    [](auto x) { return mish(x); },
    [](auto x) { return x * tanh(softplus(x)); },
    [](auto x) { return x * tanh(log1p(exp(x))); },
    [](auto x) { return x * tanh(log(1 + exp(x))); },
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_tanh_log1p)

BOOST_AUTO_TEST_CASE(mish_and_its_gradient_share_one_exponential) {
  for (const Function& mish : ways_to_write_mish) {
    Graph g;
    const Module module = forward_and_gradient(g, mish);
    BOOST_TEST(formula(module.outputs[0]) == "mul(x, tanh_log1p(exp(x)))");
    BOOST_TEST(formula(module.outputs[1]) ==
               "add(mul(g, tanh_log1p(exp(x))), mul(mul(g, x), tanh_log1p_slope(exp(x))))");
    int exponentials = 0;
    for (int id = 0; id < module.graph.node_count(); ++id) exponentials += module.graph.node(id).op == &exp_def;
    BOOST_TEST(exponentials == 1);
  }
}

BOOST_AUTO_TEST_CASE(a_factor_stays_where_its_partner_has_another_argument) {
  Graph g;
  const Module module = forward_and_gradient(g, [](auto x) { return tanh(softplus(x)) * sigmoid(2 * x); });
  BOOST_TEST(formula(module.outputs[0]) == "mul(tanh_log1p(exp(x)), sigmoid(mul(2, x)))");
}

BOOST_AUTO_TEST_CASE(values_where_the_exponential_overflows_and_underflows) {
  constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> points = {-inf, -1e4, -103, -91, -50, 0, 20, 44, 60, 89, 1e4, inf, nan};
  const auto n = static_cast<int64_t>(points.size());
  Graph g;
  const Tensor v = exp(g.input("x", {n}));
  for (const Isa isa : supported_isas()) {
    const auto results =
        evaluate({tanh_log1p(v), tanh_log1p_slope(v)}, {{"x", Values::from_doubles(DType::f32, {n}, points)}}, isa);
    for (size_t i = 0; i < points.size(); ++i) {
      const double x = points[i], e = std::exp(x), s = 1 / (1 + std::exp(-x));
      const double y = x > 40 ? 1 : std::tanh(std::log1p(e));
      const double slope = x >= 20 ? 4 * std::exp(-2 * x) : (1 - y * y) * s;  // to within 3 e^-20
      const double expected[] = {y, slope};
      for (const size_t k : {0, 1}) {
        const double got = results[k].as_doubles()[i];
        const double want = std::isnan(x) ? nan : expected[k];
        BOOST_TEST((std::isnan(want) ? std::isnan(got) : std::fabs(got - want) <= 1e-6 * want + 3e-45),
                   "output " << k << " at " << x << ": " << got << ", not " << want);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
