#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/softmax.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

using namespace gradloom;
using test::evaluate;
using test::Values;

BOOST_AUTO_TEST_SUITE(ops_softmax)

BOOST_AUTO_TEST_CASE(values_along_either_axis) {
  const std::vector<double> x = {0.5, -1, 2, 1, 0, -0.25};
  Graph g;
  const Tensor input = g.input("x", {2, 3}, DType::f64);
  for (const Isa isa : supported_isas()) {
    const auto values = evaluate({softmax(input), softmax(input, 0), log_softmax(input), log_softmax(input, 0)},
                                 {{"x", Values::of({2, 3}, x)}}, isa);
    for (size_t i = 0; i < 2; ++i) {
      for (size_t j = 0; j < 3; ++j) {
        const double row = std::exp(x[3 * i]) + std::exp(x[3 * i + 1]) + std::exp(x[3 * i + 2]);
        const double column = std::exp(x[j]) + std::exp(x[j + 3]), e = std::exp(x[3 * i + j]);
        const double expected[] = {e / row, e / column, std::log(e / row), std::log(e / column)};
        for (size_t k = 0; k < 4; ++k) BOOST_TEST(std::fabs(values[k].as<double>()[3 * i + j] - expected[k]) < 1e-14);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(finite_at_large_numbers_with_their_gradients) {
  Graph g;
  const Tensor x = g.input("x", {2, 3}), weights = g.input("w", {2, 3});
  const Tensor y = softmax(x), z = log_softmax(x);
  const std::vector<Tensor> results = {y, z, gradient(sum(y * weights), x), gradient(sum(z * weights), x)};
  const auto values = evaluate(results, {{"x", Values::of<float>({2, 3}, {1e4f, -1e4f, 1e4f, -1e4f, -1e4f, -1e4f})},
                                         {"w", Values::of<float>({2, 3}, {1, 2, -3, 0.5, 0, 4})}});
  BOOST_TEST((values[0].as<float>() == std::vector<float>{0.5, 0, 0.5, 1.0f / 3, 1.0f / 3, 1.0f / 3}));
  BOOST_TEST(values[1].as<float>()[1] == -2e4f - std::log(2.0f));
  for (const Values& result : values) {
    for (const float element : result.as<float>()) BOOST_TEST(std::isfinite(element));
  }
}

BOOST_AUTO_TEST_CASE(masked_elements_get_nothing) {
  const float masked = -std::numeric_limits<float>::infinity();
  Graph g;
  const Tensor x = g.input("x", {1, 3});
  const auto values =
      evaluate({softmax(x), gradient(softmax(x) * softmax(x), x)}, {{"x", Values::of<float>({1, 3}, {1, masked, 1})}});
  BOOST_TEST((values[0].as<float>() == std::vector<float>{0.5, 0, 0.5}));
  BOOST_TEST((values[1].as<float>() == std::vector<float>{0, 0, 0}));
}

BOOST_AUTO_TEST_CASE(gradients_by_finite_differences) {
  const Array x = Array::from<double>({0.3, -1.2, 0.7, 1.9, -0.4, 0.8, 1.1, -0.9}).reshaped({2, 2, 2});
  for (const auto op : {softmax, log_softmax}) {
    for (const int axis : {-1, 0, 1}) {
      const GradcheckReport report = gradcheck([&](std::span<const Tensor> v) { return op(v[0], axis); }, {x});
      BOOST_TEST(report.passed, report.message);
    }
  }
}

BOOST_AUTO_TEST_CASE(integers_become_f32_and_a_missing_axis_is_an_error) {
  Graph g;
  const Tensor x = g.input("x", {4}, DType::i32);
  BOOST_TEST((softmax(x).dtype() == DType::f32));
  const std::string message = test::named_message_of([&] { (void)softmax(x, 1); });
  const std::string cast = g.tensor(g.node_count() - 1).name();
  BOOST_TEST(message == "<here>: max: there is no axis 1 in a tensor of rank 1\n  x \"" + cast +
                            "\"  f32[4]  to_f32, <here>\n  max needs axes of x, each once and none of size 0");
}

BOOST_AUTO_TEST_SUITE_END()
