// The bits of a training do not depend on the number of threads, nor on fusion.
#include "own_ops_helper.hpp"
#include "random_cases_helper.hpp"
#include "training_helper.hpp"
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>
#include <oneapi/tbb/global_control.h>

using namespace gradloom;
using test::Training;

namespace {

/// How often each comparison is made, with other data every time: threads do not do the same thing twice.
uint64_t rounds() { return test::random_cases(1, 10); }

/// Calls check(activation, data seed).
template <class Check>
void for_each_network(Check check) {
  for (uint64_t round = 0; round < rounds(); ++round) {
    for (size_t i = 0; i < test::activations.size(); ++i) {
      BOOST_TEST_CONTEXT("activation " << i << ", round " << round) check(test::activations[i], round);
    }
  }
}

void check_same(const std::vector<Array>& a, const std::vector<Array>& b) {
  BOOST_REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) BOOST_TEST(same_bits(a[i], b[i]), "result " << i);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_bits)

BOOST_AUTO_TEST_CASE(threads_do_not_change_a_bit_of_a_training) {
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 8);
  for_each_network([](test::Activation activation, uint64_t seed) {
    std::vector<Array> expected;
    for (const int threads : {1, 2, 3, 8}) {
      const Training made = test::training(activation, seed, threads);
      const Executor executor{{.threads = threads}};
      (void)test::threads_that_met();
      const std::vector<Array> results =
          test::five_steps(compile({.outputs = {made.loss}, .updates = made.updates}), made.inputs, executor);
      BOOST_TEST(test::threads_that_met() == threads);
      if (expected.empty()) expected = results;
      BOOST_TEST_CONTEXT(threads << " threads") check_same(expected, results);
    }
  });
}

BOOST_AUTO_TEST_CASE(fusion_does_not_change_a_bit_of_a_training) {
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 2);
  const Executor executor{{.threads = 2}};
  for_each_network([&](test::Activation activation, uint64_t seed) {
    const Training made = test::training(activation, seed);
    const auto results = [&](Optimize optimize, std::vector<std::string> without_passes) {
      return test::five_steps(compile({.outputs = {made.loss},
                                       .updates = made.updates,
                                       .optimize = optimize,
                                       .without_passes = std::move(without_passes)}),
                              made.inputs, executor);
    };
    check_same(results(Optimize::none, {}), results(Optimize::all, {"stabilize", "simplify"}));
    check_same(results(Optimize::all, {"fuse"}), results(Optimize::all, {}));
  });
}

BOOST_AUTO_TEST_CASE(a_training_learns) {  // or equal bits would mean nothing
  for_each_network([](test::Activation activation, uint64_t seed) {
    const Training made = test::training(activation, seed);
    const Program program = compile({.outputs = {made.loss}, .updates = made.updates});
    State state;
    const float first = program.run(state, made.inputs)[0].item<float>();
    for (int step = 0; step < 30; ++step) (void)program.run(state, made.inputs);
    BOOST_TEST(program.run(state, made.inputs)[0].item<float>() < 0.8F * first);
  });
}

BOOST_AUTO_TEST_SUITE_END()
