#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/weight_norm.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(ops_weight_norm)

BOOST_AUTO_TEST_CASE(columns_get_the_length_of_the_gain) {
  Graph g;
  const Tensor y = weight_norm(g.input("v", {2, 1, 2}), g.input("gain", {2}));
  const Values made =
      evaluate({y}, {{"v", Values::of<float>({2, 1, 2}, {3, 0, 4, -2})}, {"gain", Values::of<float>({2}, {10, 7})}})[0];
  BOOST_TEST((made.as<float>() == std::vector<float>{6, 0, 8, -7}));
  const GradcheckReport report =
      gradcheck([](std::span<const Tensor> v) { return weight_norm(v[0], v[1]); },
                {Array::from<double>({0.3, -1.2, 0.7, 1.9}).reshaped({2, 2}), Array::from<double>({1, -0.5})});
  BOOST_TEST(report.passed, report.message);
}

BOOST_AUTO_TEST_CASE(a_vector_has_no_columns) {
  Graph g;
  const Tensor v = g.input("v", {2}), gain = g.input("gain", {2});
  BOOST_TEST(message_of([&] { (void)weight_norm(v, gain); }).find("weight_norm: the rank is 1\n") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
