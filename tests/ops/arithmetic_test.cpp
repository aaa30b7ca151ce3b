#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::Values;

BOOST_AUTO_TEST_SUITE(ops_arithmetic)

BOOST_AUTO_TEST_CASE(operators_broadcast_and_promote) {
  Graph g;
  const Tensor a = g.input("a", {2, 3});
  const Tensor b = g.input("b", {3}, DType::i32);
  const Tensor y = 2 * a + b / 2 - 0.5;
  BOOST_TEST((y.shape() == Shape{2, 3}));
  BOOST_TEST((y.dtype() == DType::f32));
  const auto values = evaluate(
      {y}, {{"a", Values::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})}, {"b", Values::of<int32_t>({3}, {-3, 4, 7})}});
  BOOST_TEST((values[0].as<float>() == std::vector<float>{0.5f, 5.5f, 8.5f, 6.5f, 11.5f, 14.5f}));
}

BOOST_AUTO_TEST_CASE(integer_division_is_total) {
  Graph g;
  const Tensor a = g.input("a", {4}, DType::i32), b = g.input("b", {4}, DType::i32);
  const auto values = evaluate({a / b, a * b}, {{"a", Values::of<int32_t>({4}, {7, -7, INT32_MIN, 5})},
                                                {"b", Values::of<int32_t>({4}, {2, 2, -1, 0})}});
  BOOST_TEST((values[0].as<int32_t>() == std::vector<int32_t>{3, -3, INT32_MIN, 0}));
  BOOST_TEST((values[1].as<int32_t>() == std::vector<int32_t>{14, -14, INT32_MIN, 0}));
}

BOOST_AUTO_TEST_CASE(shapes_that_do_not_broadcast_are_an_error_with_the_users_line) {
  Graph g;
  const int made = __LINE__ + 1;
  const Tensor a = g.input("a", {2, 3}), b = g.input("b", {4});
  BOOST_TEST(test::named_message_of([&] { (void)(a + b); }, {{"made", made}}) ==
             "<here>: add: the sizes 3 and 4 of axis -1 do not broadcast\n"
             "  lhs \"a\"  f32[2, 3]  input, <made>\n"
             "  rhs \"b\"  f32[4]     input, <made>\n"
             "  sizes broadcast if they are equal or one of them is a literal 1 (a symbol never is)");
}

BOOST_AUTO_TEST_SUITE_END()
