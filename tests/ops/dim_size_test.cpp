#include "evaluate_helper.hpp"
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/dim_size.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;

BOOST_AUTO_TEST_SUITE(ops_dim_size)

BOOST_AUTO_TEST_CASE(a_known_size_is_a_constant) {
  Graph g;
  const Tensor x = g.input("x", {2, "batch"});
  const Tensor size = dim_size(x, -2);
  BOOST_TEST(is_constant(size.node()));
  BOOST_TEST((size.dtype() == DType::i64));
  BOOST_TEST((evaluate({size})[0].as<int64_t>() == std::vector<int64_t>{2}));
}

BOOST_AUTO_TEST_CASE(a_symbolic_size_is_bound_when_the_program_is_specialised) {
  Graph g;
  const Tensor x = g.input("x", {2, "2 * batch + 1"});
  const Tensor size = dim_size(x, 1);
  const SymbolBinding batch[] = {{"batch", 5}};
  const Tensor bound = g.add_copy(size.node(), {}, size.node().attributes.bind(batch));
  BOOST_TEST((evaluate({bound})[0].as<int64_t>() == std::vector<int64_t>{11}));
}

BOOST_AUTO_TEST_CASE(an_axis_that_does_not_exist_is_an_error) {
  Graph g;
  const Tensor x = g.input("x", {2});
  const int line = __LINE__ + 2;
  try {
    (void)dim_size(x, 1);
    BOOST_FAIL("nothing was thrown");
  } catch (const Error& error) {
    const std::string at = "dim_size_test.cpp:";
    BOOST_TEST(error.what() == at + std::to_string(line) +
                                   ": dim_size: there is no axis 1 in a tensor of rank 1\n"
                                   "  x \"x\"  f32[2]  input, " +
                                   at + std::to_string(line - 3) +
                                   "\n"
                                   "  dim_size needs a tensor and one of its axes");
  }
}

BOOST_AUTO_TEST_SUITE_END()
