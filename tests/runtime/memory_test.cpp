// The contract of memory: a warmed-up step allocates nothing, and what was planned is what is used.
#include "allocation_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace gradloom;

namespace {

struct Net {
  Graph g;
  Tensor loss;
  std::vector<Update> updates;

  explicit Net(int64_t width) {
    const Tensor x = g.input("x", {"batch", width});
    Tensor h = x;
    std::vector<Tensor> weights;
    for (int i = 0; i < 3; ++i) {
      weights.push_back(g.parameter("w" + std::to_string(i), {width, width}, {.a = 0.01}));
      h = tanh(matmul(h, weights.back()));
    }
    loss = sum(h * h);
    const std::vector<Tensor> slopes = gradients(loss, weights);
    for (size_t i = 0; i < weights.size(); ++i) updates.push_back({weights[i], weights[i] - 0.001 * slopes[i]});
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_memory)

BOOST_AUTO_TEST_CASE(a_warmed_up_step_allocates_nothing) {
  if (!test::counts_allocations()) {
    BOOST_TEST_MESSAGE("skipped: a sanitizer stands in for malloc");
    return;
  }
  for (const int64_t width : {4, 256}) {
    const Net net(width);
    const Program program = compile({.outputs = {net.loss}, .updates = net.updates});
    for (const int threads : {1, 2}) {
      const Executor executor{{.threads = threads, .linger_us = 100'000}};
      State state;
      const Batch full = {{"x", Array({64, width})}}, last = {{"x", Array({17, width})}};
      std::vector<Array> loss = {Array(std::initializer_list<int64_t>{})};
      for (int i = 0; i < 20; ++i) {
        program.run(executor, state, full, loss);
        program.run(executor, state, last, loss);
      }
      const int64_t before = test::allocations();
      for (int i = 0; i < 20; ++i) {
        program.run(executor, state, full, loss);
        program.run(executor, state, last, loss);
      }
      BOOST_TEST(before > 0);
      BOOST_TEST(test::allocations() == before);
    }
  }
}

BOOST_AUTO_TEST_CASE(values_share_memory_when_their_lives_do_not_meet) {
  Graph g;
  const Tensor x = g.input("x", {64, 64});
  Tensor h = x;
  for (int i = 0; i < 10; ++i) h = matmul(h, x);
  const Program program = compile({.outputs = {sum(h)}});
  (void)program.specialize({});
  // Ten products in a chain: two of them alive at any time.
  BOOST_TEST(program.stats().arena_bytes <= 2 * 64 * 64 * 4 + 1024);
}

BOOST_AUTO_TEST_CASE(a_plan_over_budget_is_an_error) {
  Graph g;
  const Tensor x = g.input("x", {"n", 1024});
  const Program program = compile({.outputs = {sum(matmul(x, x, {.transpose_b = true}))}, .memory_budget = 1 << 20});
  (void)program.specialize({{"n", 16}});
  BOOST_CHECK_THROW((void)program.specialize({{"n", 4096}}), std::exception);
}

BOOST_AUTO_TEST_SUITE_END()
