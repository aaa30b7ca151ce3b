#include <gradloom/graph/error.hpp>

#include <boost/test/unit_test.hpp>

using gradloom::Error;

BOOST_AUTO_TEST_SUITE(graph_error)

BOOST_AUTO_TEST_CASE(the_message_is_put_together_from_its_parts) {
  const Error error({.problem = "inner dimensions differ, 784 and 512",
                     .op = "matmul",
                     .node = "hidden1",
                     .location = "train.cpp:41",
                     .details = "lhs \"x\"",
                     .rule = "matmul needs matrices"});
  BOOST_TEST(
      error.what() ==
      "train.cpp:41: matmul \"hidden1\": inner dimensions differ, 784 and 512\n  lhs \"x\"\n  matmul needs matrices");
  BOOST_TEST(error.problem() == "inner dimensions differ, 784 and 512");
  BOOST_TEST(error.op() == "matmul");
  BOOST_TEST(error.node() == "hidden1");
  BOOST_TEST(error.location() == "train.cpp:41");
  BOOST_TEST(error.details() == "lhs \"x\"");
  BOOST_TEST(error.rule() == "matmul needs matrices");
}

BOOST_AUTO_TEST_CASE(parts_that_do_not_apply_leave_no_trace) {
  BOOST_TEST(Error("it broke").what() == std::string("it broke"));
  BOOST_TEST(Error({.problem = "it broke", .op = "add"}).what() == std::string("add: it broke"));
  BOOST_TEST(Error({.problem = "it broke", .node = "y"}).what() == std::string("\"y\": it broke"));
  BOOST_TEST(Error({.problem = "it broke", .location = "a.cpp:1"}).what() == std::string("a.cpp:1: it broke"));
}

BOOST_AUTO_TEST_SUITE_END()
