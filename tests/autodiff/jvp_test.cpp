#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/autodiff/jvp.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::named_message_of;
using test::Values;

namespace {

// f(x, z) = x^2 z + x / z elementwise, at (2, 4) and (1, -2), along (10, 100).
struct Example {
  Graph g;
  Tensor x = g.input("x", {2}), z = g.input("z", {2}), v = g.input("v", {2}), y = x * x * z + x / z;

  std::vector<float> value_of(const Tensor& tensor) const {
    return evaluate({tensor}, {{"x", Values::of<float>({2}, {2, 1})},
                               {"z", Values::of<float>({2}, {4, -2})},
                               {"v", Values::of<float>({2}, {10, 100})}})[0]
        .as<float>();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(autodiff_jvp)

BOOST_AUTO_TEST_CASE(jvp_is_the_jacobian_times_the_tangent) {
  const Example e;
  BOOST_TEST((e.value_of(jvp(e.y, e.x, e.v)) == std::vector<float>{162.5, -450}));  // (2xz + 1/z) v
}

BOOST_AUTO_TEST_CASE(jvp_along_several_inputs_adds_up) {
  const Example e;
  const Tensor xs[] = {e.x, e.z}, tangents[] = {e.v, e.v};
  BOOST_TEST(
      (e.value_of(jvp(e.y, xs, tangents)) == std::vector<float>{162.5f + 38.75f, -450 + 75}));  // (x^2 - x/z^2) v
}

BOOST_AUTO_TEST_CASE(jvp_of_what_x_does_not_reach_is_zero) {
  const Example e;
  BOOST_TEST((e.value_of(jvp(e.z * e.z, e.x, e.v)) == std::vector<float>{0, 0}));
  BOOST_TEST((e.value_of(jvp(e.x, e.x, e.v)) == std::vector<float>{10, 100}));
}

BOOST_AUTO_TEST_CASE(jvp_can_be_differentiated) {
  const Example e;
  BOOST_TEST((e.value_of(gradient(jvp(e.y, e.x, e.v), e.x)) == std::vector<float>{80, -400}));  // 2 z v
}

BOOST_AUTO_TEST_CASE(hvp_is_the_hessian_times_v) {
  const Example e;
  BOOST_TEST((e.value_of(hvp(e.y, e.x, e.v)) == std::vector<float>{80, -400}));  // 2 z v
  const Tensor xs[] = {e.x, e.z}, vs[] = {e.v, e.v};
  const auto products = hvp(e.y, xs, vs);
  BOOST_TEST((e.value_of(products[0]) == std::vector<float>{80 + 39.375f, -400 + 175}));    // + (2x - 1/z^2) v
  BOOST_TEST((e.value_of(products[1]) == std::vector<float>{39.375f + 0.625f, 175 - 25}));  // + 2x/z^3 v
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  const Example e;
  const Tensor wrong = e.x + Tensor(e.x).graph().input("wide", {3, 2});
  BOOST_TEST(
      named_message_of([&] { (void)jvp(1, e.x, e.v); }) ==
      "<here>: jvp: y is a number or an empty Tensor\n  jvp needs, for each x, a direction of its shape and dtype");
  BOOST_TEST(named_message_of([&] { (void)jvp(e.y, e.x, wrong.named("wrong")); }) ==
             "<here>: jvp: direction 0 \"wrong\" is f32[3, 2], x \"x\" is f32[2]\n"
             "  jvp needs, for each x, a direction of its shape and dtype");
  BOOST_TEST(
      named_message_of([&] { (void)hvp(e.y, e.x, Tensor()); }) ==
      "<here>: hvp: direction 0 is an empty Tensor\n  hvp needs, for each x, a direction of its shape and dtype");
  BOOST_TEST(named_message_of([&] { (void)hvp(e.y, Tensor(), e.v); }) ==
             "<here>: hvp: x 0 is an empty Tensor\n  hvp needs, for each x, a direction of its shape and dtype");
  BOOST_TEST(named_message_of([&] { (void)jvp(e.y, std::span(&e.x, 1), {}); }) ==
             "<here>: jvp: 0 directions given for 1 xs\n  jvp needs, for each x, a direction of its shape and dtype");
}

BOOST_AUTO_TEST_SUITE_END()
