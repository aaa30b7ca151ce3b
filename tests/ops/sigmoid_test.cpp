#include "evaluate_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/sigmoid.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::Values;

using Floats = std::vector<float>;

BOOST_AUTO_TEST_SUITE(ops_sigmoid)

BOOST_AUTO_TEST_CASE(gradients_stay_finite_far_out) {
  Graph g;
  const Tensor x = g.input("x", {2});
  const auto values =
      evaluate({gradient(softplus(x), x), gradient(sigmoid(x), x)}, {{"x", Values::of<float>({2}, {-1e4f, 1e4f})}});
  BOOST_TEST((values[0].as<float>() == Floats{0, 1}));
  BOOST_TEST((values[1].as<float>() == Floats{0, 0}));
}

BOOST_AUTO_TEST_SUITE_END()
