#include "linear_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/movement.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_without_lines_of;
using test::scattered;

namespace {
const std::string at = "reshape_test.cpp";
const std::string rule = "\n  reshape keeps the number of elements; one size may be -1, to be inferred";
}  // namespace

BOOST_AUTO_TEST_SUITE(ops_reshape)

BOOST_AUTO_TEST_CASE(elements_keep_their_order_for_every_dtype) {
  for (int i = 0; i < dtype_count; ++i) {
    const DType dtype = static_cast<DType>(i);
    Graph g;
    const Tensor x = g.input("x", {2, 6}, dtype);
    const Tensor y = reshape(x, {3, -1, 2});
    BOOST_TEST((y.shape() == Shape{3, 2, 2}));
    const auto given = scattered(dtype, {2, 6});
    BOOST_TEST((evaluate({y}, {{"x", given}})[0].bytes == given.bytes));
  }
}

BOOST_AUTO_TEST_CASE(a_symbolic_size_is_inferred) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 28, 28});
  BOOST_TEST((reshape(x, {"batch", -1}).shape() == Shape{"batch", 784}));
  BOOST_TEST((reshape(x, {-1, 28}).shape() == Shape{"28 * batch", 28}));
  BOOST_TEST(g.constraints().empty());
}

BOOST_AUTO_TEST_CASE(what_only_a_binding_can_tell_is_noted) {
  Graph g;
  const Tensor x = g.input("x", {"n"});
  const Tensor y = reshape(x, {"rows", "columns"});
  BOOST_TEST((y.shape() == Shape{"rows", "columns"}));
  BOOST_REQUIRE(g.constraints().size() == 1);
  BOOST_TEST(g.constraints()[0].a.to_string() == "n");
  BOOST_TEST(g.constraints()[0].b.to_string() == "columns*rows");
  BOOST_TEST(g.constraints()[0].what == "the numbers of elements");
}

BOOST_AUTO_TEST_CASE(the_same_shape_is_the_same_tensor) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 4});
  BOOST_TEST(same(reshape(x, {-1, 4}), x));
}

BOOST_AUTO_TEST_CASE(sizes_of_zero_and_scalars) {
  Graph g;
  const Tensor x = g.input("x", {0, 3}), s = g.input("s", {1});
  BOOST_TEST((reshape(x, {5, 0}).shape() == Shape{5, 0}));
  BOOST_TEST((reshape(x, {-1, 3}).shape() == Shape{0, 3}));
  BOOST_TEST((reshape(s, {}).shape() == Shape{}));
  BOOST_TEST(evaluate({reshape(x, {5, 0})}, {{"x", scattered(DType::f32, {0, 3})}})[0].bytes.empty());
}

BOOST_AUTO_TEST_CASE(axes_of_size_one_come_and_go) {
  Graph g;
  const Tensor x = g.input("x", {"n", 1, 3, 1});
  BOOST_TEST((expand_dims(x, 0).shape() == Shape{1, "n", 1, 3, 1}));
  BOOST_TEST((expand_dims(x, -1).shape() == Shape{"n", 1, 3, 1, 1}));
  BOOST_TEST((squeeze(x).shape() == Shape{"n", 3}));
  BOOST_TEST((squeeze(x, {-1}).shape() == Shape{"n", 1, 3}));
}

BOOST_AUTO_TEST_CASE(gradients) {
  Graph g;
  const Tensor x = g.input("x", {2, 6}, DType::f64);
  test::check_vjp_of_linear(reshape(x, {3, 4}), {{"x", scattered(DType::f64, {2, 6})}});
}

BOOST_AUTO_TEST_CASE(reshapes_in_a_row_become_one) {
  Graph g;
  const Tensor x = g.input("x", {2, 6});
  const Tensor y = reshape(x, {3, 4}), z = reshape(y, {12});
  const Tensor simpler = z.node().op->simplify(g, z.node(), {&y, 1});
  BOOST_TEST(simpler.node().inputs[0].node == x.node_id());
  const Tensor back = reshape(y, {2, 6});
  BOOST_TEST(same(back.node().op->simplify(g, back.node(), {&y, 1}), x));
}

BOOST_AUTO_TEST_CASE(errors) {
  Graph g;
  const Tensor x = g.input("x", {2, 3});
  const std::string operand = "\n  x \"x\"  f32[2, 3]  input, " + at;
  const std::string where = at + ": ";
  BOOST_TEST(message_without_lines_of([&] {
               (void)reshape(x, {2, 4});
             }) == where + "reshape: the numbers of elements differ, 6 and 8" + operand + rule);
  BOOST_TEST(message_without_lines_of([&] {
               (void)reshape(x, {-2, -3});
             }) == where + "reshape: the shape [-2, -3] has a negative size" + operand + rule);
  BOOST_TEST(message_without_lines_of([&] {
               (void)reshape(x, {-1, -1});
             }) == where + "reshape: the shape [-1, -1] has two sizes to infer" + operand + rule);
  BOOST_TEST(message_without_lines_of([&] {
               (void)reshape(x, {4, -1});
             }) == where + "reshape: no size in the place of -1 gives the shape [4, -1] 6 elements" + operand + rule);
  BOOST_TEST(message_without_lines_of([&] {
               (void)reshape(x, {0, -1});
             }) == where + "reshape: no size in the place of -1 gives the shape [0, -1] 6 elements" + operand + rule);
  BOOST_TEST(message_without_lines_of([&] { (void)expand_dims(x, 3); }) ==
             where + "expand_dims: there is no axis 3 in a result of rank 3" + operand +
                 "\n  expand_dims needs a place among the axes of its result");
  const std::string squeeze_rule = "\n  squeeze drops axes that are a literal 1 (a symbol never is)";
  BOOST_TEST(message_without_lines_of([&] { (void)squeeze(x, {1}); }) ==
             where + "squeeze: axis 1 has size 3" + operand + squeeze_rule);
  BOOST_TEST(message_without_lines_of([&] { (void)squeeze(x, {2}); }) ==
             where + "squeeze: there is no axis 2 in a tensor of rank 2" + operand + squeeze_rule);
}

BOOST_AUTO_TEST_SUITE_END()
