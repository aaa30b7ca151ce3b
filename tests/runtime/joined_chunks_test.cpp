// Chunks that follow the chunk that made what they read: who may, and that no order of chunks changes a bit.
#include "plan_runner_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/softmax.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;

namespace {

constexpr int64_t rows = 300, columns = 512;  // several chunks

struct Model {
  test::RandomGraph made;
  Graph& graph = made.graph;
  Tensor x = graph.input("x", {rows, columns});

  Model() { made.inputs.set("x", values(1)); }
  static Array values(float scale) {
    Array array({rows, columns});
    for (int64_t i = 0; i < rows * columns; ++i)
      array.data<float>()[static_cast<size_t>(i)] = scale * static_cast<float>(i % 977) / 977 - scale / 3;
    return array;
  }
};

int followers(const Plan& plan) {
  int count = 0;
  for (const Task& task : plan.tasks) count += task.follows ? 1 : 0;
  return count;
}

void check_orders(const test::RandomGraph& made, const Plan& plan) {
  const test::Results expected = test::results_as_written(made);
  for (uint64_t order = 0; order < 20; ++order)
    BOOST_TEST(test::difference(expected, test::results_in_random_order(plan, made, order)) == "");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_joined_chunks)

BOOST_AUTO_TEST_CASE(a_chain_of_elementwise_nodes_has_no_barrier) {
  Model m;
  m.made.outputs = {tanh(exp(m.x)) * m.x};
  const Plan plan = test::plan_of(m.made, test::Fusion::off);
  BOOST_TEST(followers(plan) == 2);  // tanh and mul follow exp
  check_orders(m.made, plan);
}

// More reductions of rows than a region takes: what comes next follows it, row by row, and elements follow rows.
BOOST_AUTO_TEST_CASE(regions_of_rows_lead_to_each_other_and_to_elements) {
  Model m;
  Tensor y = m.x;
  for (int i = 0; i < 6; ++i) y = softmax(y * m.x, -1);
  m.made.outputs = {y, tanh(y)};
  const Plan plan = test::plan_of(m.made, test::Fusion::on);
  BOOST_TEST(followers(plan) >= 1, describe(plan));
  check_orders(m.made, plan);
}

// The value is read again after the node that could have taken its place.
BOOST_AUTO_TEST_CASE(what_a_later_one_of_the_chain_reads_is_not_overwritten) {
  Model m;
  const Tensor e = exp(m.x);
  m.made.outputs = {tanh(tanh(e)) * e};
  const Plan plan = test::plan_of(m.made, test::Fusion::off);
  BOOST_TEST(followers(plan) == 3);
  check_orders(m.made, plan);
}

BOOST_AUTO_TEST_CASE(other_shares_and_other_waits_keep_the_barrier) {
  {
    Model m;  // the transpose reads all over
    m.made.outputs = {exp(transpose(tanh(m.x)))};
    BOOST_TEST(followers(test::plan_of(m.made, test::Fusion::off)) == 0);
  }
  {
    Model m;  // the sum is not there before the last chunk of what it sums
    const Tensor e = exp(m.x);
    m.made.outputs = {e - broadcast(sum(e, {.axes = {0, 1}}), m.x.shape())};
    const Plan plan = test::plan_of(m.made, test::Fusion::off);
    BOOST_TEST(followers(plan) == 0);
    check_orders(m.made, plan);
  }
}

// Threads take chunks of both ends; the bits are those of one.
BOOST_AUTO_TEST_CASE(threads_give_the_bits_of_one) {
  Model m;
  Tensor y = m.x;
  for (int i = 0; i < 6; ++i) y = tanh(exp(y)) * m.x;
  const Program program = compile({.outputs = {y}, .optimize = Optimize::none});
  State state;
  const Array expected = program.run(Executor{{.threads = 1}}, state, m.made.inputs)[0];
  const Executor four{{.threads = 4}};
  for (int i = 0; i < 20; ++i) BOOST_TEST(same_bits(program.run(four, state, m.made.inputs)[0], expected));
}

BOOST_AUTO_TEST_SUITE_END()
