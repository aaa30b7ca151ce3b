#include "linear_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/movement.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::message_without_lines_of;
using test::scattered;
using test::Values;

namespace {

std::vector<double> sliced(int64_t size, const Range& range) {
  Graph g;
  const Tensor x = g.input("x", {size}, DType::i32);
  std::vector<int32_t> counted;
  for (int32_t i = 0; i < size; ++i) counted.push_back(i);
  return evaluate({slice(x, 0, range)}, {{"x", Values::of<int32_t>({size}, counted)}})[0].as_doubles();
}

using Doubles = std::vector<double>;

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_slice)

BOOST_AUTO_TEST_CASE(ranges_as_in_numpy) {
  BOOST_TEST((sliced(5, {}) == Doubles{0, 1, 2, 3, 4}));
  BOOST_TEST((sliced(5, {1, 3}) == Doubles{1, 2}));
  BOOST_TEST((sliced(5, {.start = 2}) == Doubles{2, 3, 4}));
  BOOST_TEST((sliced(5, {.stop = -2}) == Doubles{0, 1, 2}));
  BOOST_TEST((sliced(5, {.start = -2}) == Doubles{3, 4}));
  BOOST_TEST((sliced(5, {.step = 2}) == Doubles{0, 2, 4}));
  BOOST_TEST((sliced(5, {1, 4, 2}) == Doubles{1, 3}));
  BOOST_TEST((sliced(5, {.step = -1}) == Doubles{4, 3, 2, 1, 0}));
  BOOST_TEST((sliced(5, {.step = -2}) == Doubles{4, 2, 0}));
  BOOST_TEST((sliced(5, {3, 0, -1}) == Doubles{3, 2, 1}));
  BOOST_TEST((sliced(5, {.start = -2, .step = -3}) == Doubles{3, 0}));
  BOOST_TEST(sliced(5, {3, 3}).empty());
  BOOST_TEST(sliced(0, {}).empty());
  BOOST_TEST(sliced(0, {.step = -1}).empty());
}

BOOST_AUTO_TEST_CASE(several_axes_of_every_dtype) {
  for (int d = 0; d < dtype_count; ++d) {
    const DType dtype = static_cast<DType>(d);
    Graph g;
    const Tensor x = g.input("x", {4, 40, 3}, dtype);
    const Tensor y = slice(x, {{.start = 1, .step = 2}, {.start = 35, .stop = 2, .step = -3}});
    BOOST_TEST((y.shape() == Shape{2, 11, 3}));
    const Values given = scattered(dtype, {4, 40, 3});
    const auto from = given.as_doubles(), to = evaluate({y}, {{"x", given}})[0].as_doubles();
    size_t at = 0;
    for (size_t i = 1; i < 4; i += 2) {
      for (size_t j = 35; j > 2; j -= 3) {
        for (size_t k = 0; k < 3; ++k) BOOST_TEST(to[at++] == from[(i * 40 + j) * 3 + k]);
      }
    }
    BOOST_TEST(at == to.size());
  }
}

BOOST_AUTO_TEST_CASE(bounds_may_be_symbolic) {
  Graph g;
  const Tensor x = g.input("x", {"time", 3});
  BOOST_TEST((slice(x, {{.start = 1}}).shape() == Shape{"time - 1", 3}));
  BOOST_TEST((slice(x, {{.stop = -1}}).shape() == Shape{"time - 1", 3}));
  BOOST_TEST((slice(x, {{.start = "time - 2"}}).shape() == Shape{2, 3}));
  BOOST_TEST((slice(x, {{.step = -1}}).shape() == Shape{"time", 3}));
  BOOST_TEST(same(slice(x, {{.start = 0, .stop = "time"}}), x));
}

BOOST_AUTO_TEST_CASE(a_binding_that_leaves_a_range_outside_is_an_error_then) {
  Graph g;
  const Tensor x = g.input("x", {"time"});
  const int line = __LINE__ + 1;
  const Tensor y = slice(x, {{.start = 2, .stop = 5}});
  const Tensor short_x = g.input("short", {4});
  const SymbolBinding time[] = {{"time", 4}};
  BOOST_TEST(message_of([&] {
               (void)g.add_copy(y.node(), {&short_x, 1}, y.node().attributes.bind(time));
             }) == "slice_test.cpp:" + std::to_string(line) +
                       ": slice: the range takes the elements 2 to 4 of axis 0, which has size 4\n"
                       "  x \"short\"  f32[4]  input, slice_test.cpp:" +
                       std::to_string(line + 1) +
                       "\n  slice takes elements that x has, at most one range per axis, and no step of 0");
}

BOOST_AUTO_TEST_CASE(gradients) {
  Graph g;
  const Tensor x = g.input("x", {5, 7}, DType::f64);
  const auto given = scattered(DType::f64, {5, 7});
  test::check_vjp_of_linear(slice(x, {{1, 4}, {.step = 3}}), {{"x", given}});
  test::check_vjp_of_linear(slice(x, {{.step = -2}, {5, 1, -3}}), {{"x", given}});
  test::check_vjp_of_linear(slice(x, {{2, 2}}), {{"x", given}});
  const Tensor empty = g.input("empty", {0, 7}, DType::f64);
  test::check_vjp_of_linear(slice(empty, {{}, {1, 3}}), {{"empty", scattered(DType::f64, {0, 7})}});
}

BOOST_AUTO_TEST_CASE(errors) {
  Graph g;
  const Tensor x = g.input("x", {5, "n"});
  const std::string at = "slice_test.cpp";
  const auto expected = [&](const std::string& problem) {
    return at + ": slice: " + problem + "\n  x \"x\"  f32[5, n]  input, " + at +
           "\n  slice takes elements that x has, at most one range per axis, and no step of 0";
  };
  const std::string outside = "the range takes the elements ";
  BOOST_TEST(message_without_lines_of([&] {
               (void)slice(x, {{2, 7}});
             }) == expected(outside + "2 to 6 of axis 0, which has size 5"));
  BOOST_TEST(message_without_lines_of([&] {
               (void)slice(x, {{-6, 2}});
             }) == expected(outside + "-1 to 1 of axis 0, which has size 5"));
  BOOST_TEST(message_without_lines_of([&] {
               (void)slice(x, 1, {"n", "n + 1"});
             }) == expected(outside + "n to n of axis 1, which has size n"));
  BOOST_TEST(message_without_lines_of([&] {
               (void)slice(x, {{3, 1}});
             }) == expected("the range 3:1:1 of axis 0 runs backwards"));
  BOOST_TEST(message_without_lines_of([&] { (void)slice(x, 0, {.stop = 4, .step = 0}); }) ==
             expected("the step of axis 0 is 0"));
  BOOST_TEST(message_without_lines_of([&] {
               (void)slice(x, {{}, {}, {}});
             }) == expected("3 ranges were given for 2 axes"));
  BOOST_TEST(message_without_lines_of([&] {
               (void)slice(x, 2, {0, 1});
             }) == expected("there is no axis 2 in a tensor of rank 2"));
}

BOOST_AUTO_TEST_SUITE_END()
