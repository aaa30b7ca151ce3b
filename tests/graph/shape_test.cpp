#include "message_helper.hpp"
#include <gradloom/graph/shape.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::message_of;

BOOST_AUTO_TEST_SUITE(graph_shape)

BOOST_AUTO_TEST_CASE(axes_count_from_either_end) {
  const Shape shape = {"batch", 784};
  BOOST_TEST(shape.rank() == 2);
  BOOST_TEST((shape[0] == Dim("batch")));
  BOOST_TEST((shape[-1] == Dim(784)));
  BOOST_TEST(message_of([&] { (void)shape[2]; }) == "the shape [batch, 784] has no axis 2");
  BOOST_TEST(message_of([&] { (void)shape[-3]; }) == "the shape [batch, 784] has no axis -3");
}

BOOST_AUTO_TEST_CASE(counts_and_sizes) {
  BOOST_TEST((Shape{}.element_count() == Dim(1)));
  BOOST_TEST((Shape{2, 0, 3}.element_count() == Dim(0)));
  BOOST_TEST((Shape{"n", 2, "n"}.element_count() == 2 * Dim("n") * Dim("n")));
  BOOST_TEST((Shape{2, 3}.sizes() == std::vector<int64_t>{2, 3}));
  BOOST_TEST(Shape({2, 3}).known());
  BOOST_TEST(!Shape({"n", 3}).known());
  BOOST_TEST(message_of([] { (void)Shape{"n", 3}.sizes(); }) == "the dimension n has no value yet: it is symbolic");
  BOOST_TEST(message_of([] {
               (void)Shape{INT64_MAX, 2}.element_count();
             }) == "the dimension (9223372036854775807) * (2) does not fit in 64 bits");
}

BOOST_AUTO_TEST_CASE(binding_replaces_symbols) {
  const SymbolBinding bindings[] = {{"n", 5}};
  const Shape bound = Shape{2 * Dim("n") + 1, "m", 3}.bind(bindings);
  BOOST_TEST((bound == Shape{11, "m", 3}));
  BOOST_TEST(bound.to_string() == "[11, m, 3]");
  BOOST_TEST(Shape{}.to_string() == "[]");
}

BOOST_AUTO_TEST_SUITE_END()
