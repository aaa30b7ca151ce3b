#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/custom_gradient.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/autodiff/jvp.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::named_message_of;
using test::Values;

namespace {

using Arguments = std::span<const Tensor>;
using Returned = std::vector<Tensor>;

// y = x^2, with the gradient 3 * x * cotangent, which no correct rule would give.
Tensor thrice(const Tensor& x) {
  return custom_gradient(
      x * x, {x}, [](Arguments in, const Tensor&, const Tensor& cotangent) { return Returned{3 * in[0] * cotangent}; });
}

std::vector<float> at_two(const Tensor& tensor) {
  return evaluate({tensor}, {{"x", Values::of<float>({1}, {2})}})[0].as<float>();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(autodiff_custom_gradient)

BOOST_AUTO_TEST_CASE(the_rule_replaces_the_gradient_of_the_value) {
  Graph g;
  const Tensor x = g.input("x", {1});
  const Tensor y = thrice(x);
  BOOST_TEST((at_two(y) == std::vector<float>{4}));
  const Tensor dx = gradient(y * 10, x);
  BOOST_TEST((at_two(dx) == std::vector<float>{60}));
  BOOST_TEST((at_two(gradient(dx, x)) == std::vector<float>{30}));
  BOOST_TEST((at_two(jvp(y, x, x)) == std::vector<float>{12}));
}

BOOST_AUTO_TEST_CASE(the_rule_may_use_the_value) {
  Graph g;
  const Tensor x = g.input("x", {1});
  const Tensor y = custom_gradient(1 / x, {x}, [](Arguments, const Tensor& value, const Tensor& cotangent) {
    return Returned{-(cotangent * value * value)};
  });
  const Tensor dx = gradient(y, x);
  BOOST_TEST((at_two(dx) == std::vector<float>{-0.25}));
  BOOST_TEST((at_two(gradient(dx, x)) == std::vector<float>{0.25}));  // 2 / x^3: through the value's own rule
}

BOOST_AUTO_TEST_CASE(an_input_may_have_no_gradient) {
  Graph g;
  const Tensor x = g.input("x", {1}), i = g.input("i", {1}, DType::i32), w = g.input("w", {1});
  const Tensor y = custom_gradient(x * w, {i, x, w}, [](Arguments in, const Tensor&, const Tensor& cotangent) {
    return Returned{{}, cotangent * cast(in[0], DType::f32), {}};
  });
  const auto grads = gradients(y, {x, w});
  const auto values = evaluate(grads, {{"i", Values::of<int32_t>({1}, {7})}});
  BOOST_TEST((values[0].as<float>() == std::vector<float>{7}));
  BOOST_TEST((values[1].as<float>() == std::vector<float>{0}));
}

BOOST_AUTO_TEST_CASE(shapes_may_be_symbolic) {
  Graph g;
  const Tensor x = g.input("x", {"batch"});
  BOOST_TEST((gradient(thrice(x), x).shape() == Shape{"batch"}));
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  Graph g;
  const int made = __LINE__ + 1;
  const Tensor x = g.input("x", {2}), i = g.input("i", {2}, DType::i32);
  const auto pass = [](Arguments, const Tensor&, const Tensor& cotangent) { return Returned{cotangent}; };
  const auto none = [](Arguments, const Tensor&, const Tensor&) { return Returned{}; };
  const auto outer = [&](Arguments, const Tensor&, const Tensor&) { return Returned{x}; };
  const auto wide = [](Arguments, const Tensor&, const Tensor& cotangent) {
    return Returned{cast(cotangent, DType::f64)};
  };
  const auto input = [](Arguments, const Tensor&, const Tensor& cotangent) {
    return Returned{cotangent * cotangent.graph().input("more", {2})};
  };
  BOOST_TEST(named_message_of([&] { (void)custom_gradient(i, {x}, pass); }) ==
             "<here>: custom_gradient: the value is i32[2]\n  only float tensors have gradients");
  BOOST_TEST(
      named_message_of([&] { (void)custom_gradient(x, {Tensor()}, pass); }) ==
      "<here>: custom_gradient: an input is an empty Tensor\n  custom_gradient needs a value and at least one input");
  BOOST_TEST(named_message_of([&] { (void)custom_gradient(x, {x}, none); }) ==
             "<here>: custom_gradient: the rule returned 0 gradients for 1 inputs\n"
             "  the rule returns one gradient per input, of the input's shape and dtype");
  BOOST_TEST(named_message_of([&] { (void)custom_gradient(x, {x}, outer); }) ==
             "<here>: custom_gradient: the gradient for input 0 \"x\" belongs to another graph\n"
             "  the rule computes with its arguments only: pass what it needs as an input");
  BOOST_TEST(named_message_of([&] { (void)custom_gradient(x, {x}, wide); }) ==
             "<here>: custom_gradient: the gradient for input 0 \"x\" is f64[2], the input is f32[2]\n"
             "  the rule returns one gradient per input, of the input's shape and dtype");
  BOOST_TEST(
      named_message_of([&] { (void)custom_gradient(x, {x}, input); }) ==
      "<here>: custom_gradient: the rule makes an input or a parameter\n  the rule computes with its arguments only");
  BOOST_TEST(named_message_of([&] { (void)custom_gradient(x, {}, none); }, {{"made", made}}) ==
             "<here>: custom_gradient: 1 inputs given, at least 2 needed\n  value \"x\"  f32[2]  input, <made>\n"
             "  custom_gradient needs a value and at least one input");
}

BOOST_AUTO_TEST_SUITE_END()
