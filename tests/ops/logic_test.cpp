#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/logic.hpp>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

using Booleans = std::vector<bool>;

BOOST_AUTO_TEST_SUITE(ops_logic)

BOOST_AUTO_TEST_CASE(other_dtypes_are_an_error) {
  Graph g;
  const int line = __LINE__;
  const Tensor x = g.input("x", {4});
  const std::string message = message_of([&] { (void)logical_not(x); });
  BOOST_TEST(message == fmt::format("logic_test.cpp:{}: logical_not: it takes boolean, not f32\n"
                                    "  x \"x\"  f32[4]  input, logic_test.cpp:{}\n"
                                    "  logical_not needs a boolean tensor",
                                    line + 2, line + 1));
}

BOOST_AUTO_TEST_CASE(booleans_broadcast) {
  Graph g;
  const Tensor a = g.input("a", {2, 1}, DType::boolean), b = g.input("b", {2}, DType::boolean);
  const auto values = evaluate({logical_xor(a, b)}, {{"a", Values::of<bool>({2, 1}, {true, false})},
                                                     {"b", Values::of<bool>({2}, {true, false})}});
  BOOST_TEST((values[0].as<bool>() == Booleans{false, true, true, false}));
}

BOOST_AUTO_TEST_SUITE_END()
