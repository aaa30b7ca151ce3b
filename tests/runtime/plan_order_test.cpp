// A plan's dependencies are all that keeps its tasks apart: whatever order they allow gives the bits of the graph as
// written.
#include "plan_runner_helper.hpp"
#include "random_cases_helper.hpp"

#include <boost/test/unit_test.hpp>

using namespace gradloom;

BOOST_AUTO_TEST_SUITE(runtime_plan_order)

BOOST_AUTO_TEST_CASE(every_order_that_a_plan_allows_gives_the_same_bits) {
  const uint64_t graphs = test::random_cases(200, 5000);
  for (uint64_t seed = 0; seed < graphs; ++seed) {
    const test::RandomGraph made = test::random_graph(seed);
    const test::Results expected = test::results_as_written(made);
    for (const test::Fusion fusion : {test::Fusion::off, test::Fusion::on}) {
      const Plan plan = test::plan_of(made, fusion);
      for (uint64_t order = 0; order < 4; ++order) {
        const std::string found = test::difference(expected, test::results_in_random_order(plan, made, order));
        BOOST_TEST(found == "", "graph " << seed << ", order " << order << ": " << found);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
