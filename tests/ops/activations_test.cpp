#include "evaluate_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/activations.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/erf.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/runtime/passes_internal.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <utility>

using namespace gradloom;
using test::evaluate;
using test::Values;

namespace {

using Function = std::function<Tensor(const Tensor&)>;

struct Activation {
  const char* name;
  Function op;
  double (*reference)(double);
};

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double elu_of(double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x); }

const Activation activations[] = {
    {"leaky_relu", [](const Tensor& x) { return leaky_relu(x); }, [](double x) { return x >= 0 ? x : 0.01 * x; }},
    {"leaky_relu 0.2", [](const Tensor& x) { return leaky_relu(x, 0.2); },
     [](double x) { return x >= 0 ? x : 0.2 * x; }},
    {"elu", [](const Tensor& x) { return elu(x); }, [](double x) { return elu_of(x, 1); }},
    {"elu 0.5", [](const Tensor& x) { return elu(x, 0.5); }, [](double x) { return elu_of(x, 0.5); }},
    {"selu", [](const Tensor& x) { return selu(x); },
     [](double x) { return 1.0507009873554805 * elu_of(x, 1.6732632423543772); }},
    {"gelu", [](const Tensor& x) { return gelu(x); }, [](double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; }},
    {"gelu tanh", [](const Tensor& x) { return gelu(x, GeluForm::tanh); },
     [](double x) { return x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x))) / 2; }},
    {"silu", [](const Tensor& x) { return silu(x); }, [](double x) { return x * sigmoid_of(x); }},
    {"mish", [](const Tensor& x) { return mish(x); },
     [](double x) { return x * std::tanh(x > 30 ? x : std::log1p(std::exp(x))); }},
    {"hardsigmoid", [](const Tensor& x) { return hardsigmoid(x); },
     [](double x) { return std::fmin(std::fmax(x / 6 + 0.5, 0), 1); }},
    {"hardswish", [](const Tensor& x) { return hardswish(x); },
     [](double x) { return x * std::fmin(std::fmax(x / 6 + 0.5, 0), 1); }},
    {"softsign", [](const Tensor& x) { return softsign(x); }, [](double x) { return x / (1 + std::fabs(x)); }},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_activations)

BOOST_AUTO_TEST_CASE(values_against_their_formulas) {
  const std::vector<double> points = {-1e4, -88, -12, -3, -2.9, -1, -1e-3, 0, 1e-3, 0.7, 2.9, 3, 12, 88, 1e4};
  const int64_t n = static_cast<int64_t>(points.size());
  for (const Activation& activation : activations) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      Graph g;
      const Tensor y = activation.op(g.input("x", {n}, dtype));
      const double tolerance = dtype == DType::f32 ? 1e-6 : 1e-14;
      for (const Isa isa : supported_isas()) {
        const std::vector<double> result =
            evaluate({y}, {{"x", Values::from_doubles(dtype, {n}, points)}}, isa)[0].as_doubles();
        for (size_t i = 0; i < points.size(); ++i) {
          const double expected = activation.reference(points[i]);
          BOOST_TEST(std::fabs(result[i] - expected) <= tolerance * std::fmax(1, std::fabs(expected)),
                     activation.name << " at " << points[i]);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(gradients_are_finite_far_out_and_at_kinks) {
  const std::vector<float> points = {-1e4f, -100, -3, -0.0f, 0, 3, 100, 1e4f};
  for (const Activation& activation : activations) {
    Graph g;
    const Tensor x = g.input("x", {8});
    const Tensor slope = gradient(activation.op(x), x);
    for (const Values& values : evaluate({slope, gradient(slope, x)}, {{"x", Values::of({8}, points)}})) {
      const std::vector<float> result = values.as<float>();
      for (size_t i = 0; i < points.size(); ++i)
        BOOST_TEST(std::isfinite(result[i]), activation.name << " at " << points[i]);
    }
  }
}

BOOST_AUTO_TEST_CASE(slopes_at_the_kinks_are_those_that_the_docs_state) {
  Graph g;
  const Tensor x = g.input("x", {3});
  const auto slopes =
      evaluate({gradient(leaky_relu(x, 0.25), x), gradient(elu(x, 0.5), x), gradient(hardsigmoid(x), x)},
               {{"x", Values::of<float>({3}, {0, -3, 3})}});
  BOOST_TEST(slopes[0].as<float>()[0] == 1);
  BOOST_TEST(slopes[1].as<float>()[0] == 0.5f);
  BOOST_TEST(slopes[2].as<float>()[1] == 1.0f / 6);
  BOOST_TEST(slopes[2].as<float>()[2] == 1.0f / 6);
}

BOOST_AUTO_TEST_CASE(gradients_by_finite_differences) {
  const Array x = Array::from<double>({-4.1, -2.3, -0.6, -0.1, 0.2, 0.9, 2.2, 3.7});
  for (const Activation& activation : activations) {
    const GradcheckReport report = gradcheck([&](std::span<const Tensor> v) { return activation.op(v[0]); }, {x});
    BOOST_TEST(report.passed, activation.name << ": " << report.message);
  }
}

// What costs most in an activation is computed once for its value and its gradient. The two of gelu are erf and the
// bell curve, its derivative; those of a sigmoid written out are sigmoid(x) and sigmoid(-x), which is more than 1 -
// sigmoid(x) where that rounds to 0.
BOOST_AUTO_TEST_CASE(values_and_gradients_share_their_transcendental_functions) {
  const OpDef* const transcendental[] = {&exp_def,  &expm1_def, &log_def,     &log1p_def,
                                         &tanh_def, &erf_def,   &sigmoid_def, &softplus_def};
  const std::pair<Function, int> cases[] = {
      {[](const Tensor& x) { return sigmoid(x); }, 1},
      {[](const Tensor& x) { return 1 / (1 + exp(-x)); }, 2},
      {[](const Tensor& x) { return silu(x); }, 1},
      {[](const Tensor& x) { return x / (1 + exp(-x)); }, 2},
      {[](const Tensor& x) { return x * (1 / (1 + exp(-1.702 * x))); }, 2},
      {[](const Tensor& x) { return tanh(x); }, 1},
      {[](const Tensor& x) { return gelu(x, GeluForm::tanh); }, 1},
      {[](const Tensor& x) { return gelu(x); }, 2},
      {[](const Tensor& x) { return mish(x); }, 1},
      {[](const Tensor& x) { return softplus(x); }, 2},
  };
  for (size_t i = 0; i < std::size(cases); ++i) {
    Graph g;
    const Tensor x = g.input("x", {4}), dy = g.input("dy", {4});
    const Tensor y = cases[i].first(x);
    const Module module = simplify(stabilize(Rewriter(g, std::vector{y, gradient(y, x, dy)}, {}).run()), {});
    int found = 0;
    for (int id = 0; id < module.graph.node_count(); ++id) {
      const OpDef* const op = module.graph.node(id).op;
      found += std::find(std::begin(transcendental), std::end(transcendental), op) != std::end(transcendental);
    }
    BOOST_TEST(found == cases[i].second, "case " << i << ": " << found << ", not " << cases[i].second);
  }
}

BOOST_AUTO_TEST_CASE(integers_become_f32_and_nodes_report_the_users_line) {
  Graph g;
  const Tensor x = g.input("x", {2}, DType::i32);
  const Tensor y = mish(x);
  BOOST_TEST((y.dtype() == DType::f32));
  BOOST_TEST(y.node().path == "mish");
  BOOST_TEST(y.node().location.line == __LINE__ - 3);
}

BOOST_AUTO_TEST_SUITE_END()
