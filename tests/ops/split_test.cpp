#include "linear_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/movement.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_without_lines_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(ops_split)

BOOST_AUTO_TEST_CASE(equal_parts_and_given_sizes) {
  Graph g;
  const Tensor x = g.input("x", {2, 4});
  const auto halves = split(x, 2, -1), parts = split_sizes(x, {1, 0, 3}, 1);
  BOOST_TEST(halves.size() == 2);
  BOOST_TEST(parts.size() == 3);
  const auto y = evaluate({halves[0], halves[1], parts[0], parts[1], parts[2]},
                          {{"x", Values::of<float>({2, 4}, {0, 1, 2, 3, 4, 5, 6, 7})}});
  BOOST_TEST((y[0].as<float>() == std::vector<float>{0, 1, 4, 5}));
  BOOST_TEST((y[1].as<float>() == std::vector<float>{2, 3, 6, 7}));
  BOOST_TEST((y[2].as<float>() == std::vector<float>{0, 4}));
  BOOST_TEST((y[3].sizes == std::vector<int64_t>{2, 0}));
  BOOST_TEST((y[4].as<float>() == std::vector<float>{1, 2, 3, 5, 6, 7}));
}

BOOST_AUTO_TEST_CASE(symbolic_sizes_that_must_divide_are_noted) {
  Graph g;
  const Tensor x = g.input("x", {"4 * n", 2});
  BOOST_TEST((split(x, 2)[1].shape() == Shape{"2 * n", 2}));
  BOOST_TEST(g.constraints().empty());
  const Tensor y = g.input("y", {"batch", 2});
  BOOST_TEST((split(y, 3)[2].shape() == Shape{"batch / 3", 2}));
  BOOST_REQUIRE(g.constraints().size() == 1);
  const SymbolBinding batch[] = {{"batch", 7}};
  BOOST_TEST((g.constraints()[0].a.bind(batch) == Dim(14)));
  BOOST_TEST((g.constraints()[0].b.bind(batch) == Dim(12)));
}

BOOST_AUTO_TEST_CASE(errors) {
  Graph g;
  const Tensor x = g.input("x", {2, 7});
  const std::string at = "split_test.cpp";
  const auto expected = [&](const std::string& problem, const std::string& rule) {
    return at + ": " + problem + "\n  x \"x\"  f32[2, 7]  input, " + at + "\n  " + rule;
  };
  const std::string equal = "split needs an axis whose size is a multiple of the number of parts";
  const std::string sizes = "split_sizes needs an axis whose size is the sum of the parts'";
  BOOST_TEST(message_without_lines_of([&] { (void)split(x, 3, 1); }) ==
             expected("split: axis 1 of size 7 does not divide into 3 equal parts", equal));
  BOOST_TEST(message_without_lines_of([&] { (void)split(x, 0); }) ==
             expected("split: 0 parts are asked for, at least 1 is needed", equal));
  BOOST_TEST(message_without_lines_of([&] { (void)split(x, 2, 2); }) ==
             expected("split: there is no axis 2 in a tensor of rank 2", equal));
  BOOST_TEST(message_without_lines_of([&] {
               (void)split_sizes(x, {3, 3}, 1);
             }) == expected("split_sizes: the sizes [3, 3] add up to 6, not 7", sizes));
  BOOST_TEST(message_without_lines_of([&] {
               (void)split_sizes(x, {8, -1}, 1);
             }) == expected("split_sizes: the sizes [8, -1] have a negative one", sizes));
  BOOST_TEST(message_without_lines_of([&] {
               (void)split_sizes(x, {1, 1}, -3);
             }) == expected("split_sizes: there is no axis -3 in a tensor of rank 2", sizes));
}

BOOST_AUTO_TEST_SUITE_END()
