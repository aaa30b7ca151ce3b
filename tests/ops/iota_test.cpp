#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/iota.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_without_lines_of;

BOOST_AUTO_TEST_SUITE(ops_iota)

BOOST_AUTO_TEST_CASE(the_index_along_each_axis_in_every_dtype) {
  for (const DType dtype : {DType::u8, DType::i32, DType::i64, DType::f32, DType::f64}) {
    for (int axis = 0; axis < 3; ++axis) {
      Graph g;
      const auto y = evaluate({iota(g, {3, 4, 5}, axis - 3, dtype)})[0];
      BOOST_TEST((y.dtype == dtype));
      const auto values = y.as_doubles();
      for (int i = 0; i < 60; ++i) {
        const int index = axis == 0 ? i / 20 : axis == 1 ? i / 5 % 4 : i % 5;
        BOOST_TEST(values[static_cast<size_t>(i)] == index);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(large_symbolic_and_empty) {
  Graph g;
  const auto values = evaluate({iota(g, {2, 100000}, 1, DType::i32), iota(g, {0, 3}), iota(g, {3, 0})});
  const auto large = values[0].as<int32_t>();
  for (size_t i = 0; i < large.size(); ++i) BOOST_REQUIRE(large[i] == static_cast<int32_t>(i % 100000));
  BOOST_TEST(values[1].bytes.empty());
  BOOST_TEST(values[2].bytes.empty());
  BOOST_TEST((iota(g, {"batch", 3}, 0).shape() == Shape{"batch", 3}));
}

BOOST_AUTO_TEST_CASE(errors) {
  Graph g;
  const std::string rule = "\n  iota needs a shape, one of its axes, and a dtype that can hold each index along it";
  const std::string where = "iota_test.cpp: iota: ";
  BOOST_TEST(message_without_lines_of([&] { (void)iota(g, {257}, 0, DType::u8); }) ==
             where + "the index 256 does not fit in u8" + rule);
  BOOST_TEST(message_without_lines_of([&] { (void)iota(g, {}); }) ==
             where + "there is no axis 0 in a tensor of rank 0" + rule);
  BOOST_TEST(message_without_lines_of([&] { (void)iota(g, {2}, 0, DType::boolean); }) ==
             where + "an index is no boolean" + rule);
  BOOST_TEST(message_without_lines_of([&] { (void)iota(g, {-2}); }) ==
             where + "the shape [-2] has a negative size" + rule);
}

BOOST_AUTO_TEST_SUITE_END()
