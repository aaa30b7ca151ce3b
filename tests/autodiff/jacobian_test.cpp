#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/jacobian.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/relu.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::named_message_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(autodiff_jacobian)

BOOST_AUTO_TEST_CASE(the_jacobian_of_a_linear_map_is_its_matrix) {
  Graph g;
  const Tensor a = g.input("a", {2, 3}, DType::f64), x = g.input("x", {3, 1}, DType::f64);
  const Tensor j = jacobian(matmul(a, x), x);
  BOOST_TEST((j.shape() == Shape{2, 1, 3, 1}));
  const std::vector<double> matrix = {1, 2, 3, 4, 5, 6};
  BOOST_TEST((evaluate({j}, {{"a", Values::of<double>({2, 3}, matrix)}})[0].as<double>() == matrix));
}

BOOST_AUTO_TEST_CASE(the_hessian_of_a_scalar) {
  Graph g;
  const Tensor x = g.input("x", {3});
  const Tensor total = sum(x);
  const Tensor h = hessian(total * total * total + sum(relu(x)), x);  // 6 * sum(x) everywhere; relu'' is 0
  BOOST_TEST((h.shape() == Shape{3, 3}));
  BOOST_TEST((evaluate({h}, {{"x", Values::of<float>({3}, {1, 2, -1})}})[0].as<float>() == std::vector<float>(9, 12)));
}

BOOST_AUTO_TEST_CASE(no_elements_and_scalars) {
  Graph g;
  const Tensor x = g.input("x", {2}), nothing = g.input("nothing", {0}), s = g.input("s", {});
  BOOST_TEST((jacobian(nothing * 2, nothing).shape() == Shape{0, 0}));
  BOOST_TEST((jacobian(x * s, s).shape() == Shape{2}));
  BOOST_TEST((hessian(s * s, s).shape() == Shape{}));
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  Graph g;
  const Tensor x = g.input("x", {"n"}), v = g.input("v", {2});
  BOOST_TEST(named_message_of([&] { (void)jacobian(x, x); }) ==
             "<here>: jacobian: the shape [n] of y \"x\" has a symbol\n  jacobian makes nodes for each element of y");
  BOOST_TEST(named_message_of([&] { (void)hessian(v, v); }) ==
             "<here>: hessian: y \"v\" is f32[2]\n  hessian needs a scalar y");
  BOOST_TEST(named_message_of([&] { (void)hessian(sum(x), x); }) ==
             "<here>: hessian: the shape [n] of x \"x\" has a symbol\n  hessian makes nodes for each element of x");
  BOOST_TEST(named_message_of([&] { (void)jacobian(v, Tensor()); }) ==
             "<here>: gradients: x 0 is an empty Tensor\n  gradients needs Tensors");
}

BOOST_AUTO_TEST_SUITE_END()
