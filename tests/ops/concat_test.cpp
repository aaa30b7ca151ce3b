#include "linear_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/movement.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_without_lines_of;
using test::scattered;
using test::Values;

namespace {
const std::string at = "concat_test.cpp";
}

BOOST_AUTO_TEST_SUITE(ops_concat)

BOOST_AUTO_TEST_CASE(along_each_axis_for_every_dtype) {
  for (int d = 0; d < dtype_count; ++d) {
    const DType dtype = static_cast<DType>(d);
    for (int axis = 0; axis < 3; ++axis) {
      Graph g;
      std::vector<Tensor> inputs;
      std::map<std::string, Values> given;
      for (const int64_t size : {2, 0, 5}) {
        std::vector<int64_t> sizes{3, 4, 2};
        sizes[static_cast<size_t>(axis)] = size;
        const std::string name = "x" + std::to_string(size);
        inputs.push_back(g.input(name, Shape(std::span<const int64_t>(sizes)), dtype));
        given[name] = scattered(dtype, sizes, size);
      }
      const Tensor y = concat(inputs, axis - 3);
      BOOST_TEST((y.dim(axis) == Dim(7)));
      const auto values = evaluate({slice(y, axis, {0, 2}), slice(y, axis, {2, 2}), slice(y, axis, {2, 7})}, given);
      BOOST_TEST((values[0].bytes == given["x2"].bytes));
      BOOST_TEST(values[1].bytes.empty());
      BOOST_TEST((values[2].bytes == given["x5"].bytes));
    }
  }
}

BOOST_AUTO_TEST_CASE(chunks_end_anywhere) {
  Graph g;
  const Tensor a = g.input("a", {1000, 333}), b = g.input("b", {1000, 1}), c = g.input("c", {1000, 77});
  const Tensor y = concat({a, b, c}, 1);
  const std::map<std::string, Values> given{{"a", scattered(DType::f32, {1000, 333}, 1)},
                                            {"b", scattered(DType::f32, {1000, 1}, 2)},
                                            {"c", scattered(DType::f32, {1000, 77}, 3)}};
  const auto values = evaluate({slice(y, 1, {0, 333}), slice(y, 1, {333, 334}), slice(y, 1, {.start = 334})}, given);
  BOOST_TEST((values[0].bytes == given.at("a").bytes));
  BOOST_TEST((values[1].bytes == given.at("b").bytes));
  BOOST_TEST((values[2].bytes == given.at("c").bytes));
}

BOOST_AUTO_TEST_CASE(dtypes_are_promoted_and_one_tensor_is_itself) {
  Graph g;
  const Tensor a = g.input("a", {2}, DType::i32), b = g.input("b", {1}, DType::f64);
  const auto y =
      evaluate({concat({a, b})}, {{"a", Values::of<int32_t>({2}, {1, 2})}, {"b", Values::of<double>({1}, {0.5})}});
  BOOST_TEST((y[0].as<double>() == std::vector<double>{1, 2, 0.5}));
  BOOST_TEST(same(concat({a}), a));
}

BOOST_AUTO_TEST_CASE(symbolic_sizes_add_up) {
  Graph g;
  const Tensor a = g.input("a", {"n", "k"}), b = g.input("b", {"m", "k"}), c = g.input("c", {2, 3});
  BOOST_TEST((concat({a, b, a}).shape() == Shape{"2 * n + m", "k"}));
  BOOST_TEST(g.constraints().empty());
  BOOST_TEST((concat({a, c}).shape() == Shape{"n + 2", 3}));
  BOOST_REQUIRE(g.constraints().size() == 1);
  BOOST_TEST(g.constraints()[0].what == "the sizes of axis 1");
}

BOOST_AUTO_TEST_CASE(stack_makes_an_axis) {
  Graph g;
  const Tensor a = g.input("a", {2}), b = g.input("b", {2});
  const std::map<std::string, Values> given{{"a", Values::of<float>({2}, {1, 2})},
                                            {"b", Values::of<float>({2}, {3, 4})}};
  const auto y = evaluate({stack({a, b}), stack({a, b}, -1)}, given);
  BOOST_TEST((y[0].sizes == std::vector<int64_t>{2, 2}));
  BOOST_TEST((y[0].as<float>() == std::vector<float>{1, 2, 3, 4}));
  BOOST_TEST((y[1].as<float>() == std::vector<float>{1, 3, 2, 4}));
}

BOOST_AUTO_TEST_CASE(gradients_are_slices) {
  Graph g;
  const Tensor a = g.input("a", {2, 3}), b = g.input("b", {2, 2});
  const Tensor y = concat({a, b}, 1), u = g.input("u", {2, 5});
  const Gradients gradients = y.node().op->vjp(Vjp(g, y.node(), {u}));
  const auto values = evaluate({gradients[0].tensor(), gradients[1].tensor()},
                               {{"u", Values::of<float>({2, 5}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9})}});
  BOOST_TEST((values[0].as<float>() == std::vector<float>{0, 1, 2, 5, 6, 7}));
  BOOST_TEST((values[1].as<float>() == std::vector<float>{3, 4, 8, 9}));
}

BOOST_AUTO_TEST_CASE(errors) {
  Graph g;
  const Tensor a = g.input("a", {2, 3}), b = g.input("b", {2, 4}), c = g.input("c", {2});
  const std::string from = "  input, " + at;
  const std::string where = at + ": ";
  const std::string rule = "\n  concat needs tensors of one rank and dtype whose sizes agree but for those of the axis";
  BOOST_TEST(message_without_lines_of([&] {
               (void)concat({a, b});
             }) == where + "concat: the sizes of axis 1 differ, 3 and 4\n  input 1 \"a\"  f32[2, 3]" + from +
                       "\n  input 2 \"b\"  f32[2, 4]" + from + rule);
  BOOST_TEST(message_without_lines_of([&] {
               (void)concat({a, c}, 1);
             }) == where + "concat: the ranks differ, 2 and 1\n  input 1 \"a\"  f32[2, 3]" + from +
                       "\n  input 2 \"c\"  f32[2]   " + from + rule);
  BOOST_TEST(message_without_lines_of([&] {
               (void)concat({a, a}, 2);
             }) == where + "concat: there is no axis 2 in tensors of rank 2\n  input 1 \"a\"  f32[2, 3]" + from +
                       "\n  input 2 \"a\"  f32[2, 3]" + from + rule);
  BOOST_TEST(message_without_lines_of([&] { (void)concat({}); }) ==
             where + "concat: the list is empty\n  concat needs at least one Tensor");
  BOOST_TEST(message_without_lines_of([&] {
               (void)stack({a, Tensor()});
             }) == where + "stack: input 2 is an empty Tensor\n  stack needs at least one Tensor");
}

BOOST_AUTO_TEST_SUITE_END()
