// What a loop in a Program keeps of the contracts: the same bits on any number of threads, errors and stop requests
// before the first write, no allocation, and nothing that grows with the number of steps but what is stored of them.
#include "../allocation_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/nn/recurrent.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/scan.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>
#include <oneapi/tbb/global_control.h>

#include <cmath>

using namespace gradloom;

namespace {

Array numbers(const std::vector<int64_t>& sizes) {
  Array array{std::span<const int64_t>(sizes)};
  float value = 0.3F;
  for (float& x : array.data<float>()) x = std::sin(value += 1.7F);
  return array;
}

/// An lstm layer's training step, large enough for the products of a step to be cut for several threads.
struct LstmTraining {
  explicit LstmTraining(int64_t steps, int64_t batch = 24, int64_t units = 96) {
    const Tensor x = g.input("x", {steps, batch, 16});
    loss = mean(square(nn::lstm(x, units).outputs));
    updates = nn::adam(loss, {.learning_rate = 1e-2});
    inputs.set("x", numbers({steps, batch, 16}));
  }

  Graph g;
  Tensor loss;
  std::vector<Update> updates;
  Batch inputs;
};

std::vector<Array> trained(const Program& program, const Batch& inputs, int threads) {
  const Executor executor{{.threads = threads}};
  State state;
  std::vector<Array> results;
  for (int i = 0; i < 3; ++i) results.push_back(program.run(executor, state, inputs)[0]);
  for (const std::string& name : state.names()) results.push_back(state.get(name));
  return results;
}

void check_same(const std::vector<Array>& a, const std::vector<Array>& b) {
  BOOST_REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) BOOST_TEST(same_bits(a[i], b[i]), "result " << i);
}

size_t count(const std::string& text, const std::string& what) {
  size_t found = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_loop)

BOOST_AUTO_TEST_CASE(threads_and_fusion_do_not_change_a_bit) {
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 8);
  const LstmTraining made(7);
  const Program program = compile({.outputs = {made.loss}, .updates = made.updates});
  const std::vector<Array> expected = trained(program, made.inputs, 1);
  BOOST_TEST(expected[2].item<float>() < 0.9F * expected[0].item<float>());  // or equal bits would mean nothing
  for (const int threads : {2, 3, 8}) {
    BOOST_TEST_CONTEXT(threads << " threads") check_same(expected, trained(program, made.inputs, threads));
  }
  const auto without = [&](std::vector<std::string> passes, Optimize optimize = Optimize::all) {
    return trained(compile({.outputs = {made.loss},
                            .updates = made.updates,
                            .optimize = optimize,
                            .without_passes = std::move(passes)}),
                   made.inputs, 2);
  };
  check_same(expected, without({"fuse"}));
  check_same(expected, without({"pack"}));
  check_same(without({}, Optimize::none), without({"stabilize", "simplify", "hoist"}));
}

BOOST_AUTO_TEST_CASE(a_step_allocates_nothing) {
  if (!test::counts_allocations()) return;  // a sanitizer stands in for malloc
  const LstmTraining made(5);
  const Program program = compile({.outputs = {made.loss}, .updates = made.updates});
  for (const int threads : {1, 2}) {
    const Executor executor{{.threads = threads, .linger_us = 100'000, .hold_back_ms = 0}};
    State state;
    std::vector<Array> outputs = program.run(executor, state, made.inputs);
    const auto steps = [&] {
      for (int i = 0; i < 5; ++i) program.run(executor, state, made.inputs, outputs);
      return test::allocations();
    };
    const int64_t before = steps();
    BOOST_TEST(steps() == before);
  }
}

BOOST_AUTO_TEST_CASE(only_what_is_stored_grows_with_the_number_of_steps) {
  constexpr int64_t batch = 4, units = 32;
  const auto stats_of = [&](int64_t steps) {
    const LstmTraining made(steps, batch, units);
    const Program program = compile({.outputs = {made.loss}, .updates = made.updates});
    (void)program.specialize({});
    return std::pair(program.stats(), made.g.node_count());
  };
  const auto [shorter, shorter_nodes] = stats_of(64);
  const auto [longer, longer_nodes] = stats_of(512);
  BOOST_TEST(shorter_nodes == longer_nodes);
  BOOST_TEST(shorter.kernels == longer.kernels);
  // Four gates, their inputs and their gradients; the states and what is stored of them.
  const int64_t per_step = (longer.arena_bytes - shorter.arena_bytes) / (512 - 64);
  BOOST_TEST(per_step <= 20 * batch * units * 4);
}

BOOST_AUTO_TEST_CASE(recurrent_weights_are_packed_before_the_loop) {
  const LstmTraining made(6, 16, 32);
  const std::string text = compile({.outputs = {made.loss}, .updates = made.updates}).explain();
  const std::string fused = text.substr(text.find("---- pack\n"));
  BOOST_TEST(count(fused, "= packed_matmul(") >= 2);  // a step forward, and one backward
  const size_t packs = count(fused, "= pack_weights(");
  BOOST_TEST(packs >= 2);
  for (size_t at = fused.find("= pack_weights("); at != std::string::npos; at = fused.find("= pack_weights(", at + 1)) {
    const size_t line = fused.rfind('\n', at) + 1;
    BOOST_TEST(fused.substr(line, 3) == "  %");  // a body is indented further
  }
}

BOOST_AUTO_TEST_CASE(gradients_of_weights_are_one_product_after_the_loop) {
  const LstmTraining made(6);
  std::vector<Tensor> weights = made.g.parameters();
  std::erase_if(weights, [](const Tensor& weight) { return weight.name().find("lstm") == std::string::npos; });
  const std::string text = compile({.outputs = gradients(made.loss, weights)}).explain();
  const size_t begin = text.rfind("---- simplify");
  const std::string last = text.substr(begin, text.find("\n---- ", begin) - begin);
  // In the loops: four products with the state, and four with its gradients. Around them: four projections, and the
  // gradients of four weights for the input and of four for the state.
  BOOST_TEST(count(last, "= matmul(") == 4u + 4u + 4u + 4u + 4u);
  BOOST_TEST(count(last, "= scan(") == 2u);
  BOOST_TEST(count(last, "carried = 2,") == 2u);  // no sums besides the state and its gradient
}

BOOST_AUTO_TEST_CASE(an_error_in_a_step_leaves_the_state_alone) {
  Graph g;
  const Tensor table = g.parameter("table", {4, 3}, nn::constant(1)), words = g.input("words", {5}, DType::i32);
  const ScanResult r = scan(
      [&](std::span<const Tensor> h, std::span<const Tensor> word) {
        return ScanStep{{tanh(h[0] + gather(table, word[0]))}, {}};
      },
      {.carried = {full(g, {3}, 0)}, .sequences = {words}});
  const Tensor loss = sum(r.carried[0]);
  const Program program = compile({.outputs = {loss}, .updates = nn::gradient_descent(loss, {.learning_rate = 1})});
  State state;
  program.initialize(state);
  const Array before = state.get("table").clone();
  for (const int threads : {1, 2}) {
    const Executor executor{{.threads = threads}};
    Batch inputs;
    inputs.set("words", Array::from(std::vector<int32_t>{0, 1, 2, 9, 3}, {5}));
    BOOST_CHECK_EXCEPTION((void)program.run(executor, state, inputs), Error,
                          [](const Error& error) { return std::string(error.what()).find("9") != std::string::npos; });
    BOOST_TEST(same_bits(state.get("table"), before));
  }
}

BOOST_AUTO_TEST_CASE(a_stop_request_is_seen_between_steps) {
  LstmTraining made(64);
  const Program program = compile({.outputs = {made.loss}, .updates = made.updates});
  State state;
  program.initialize(state);
  const StopToken stop;
  stop.request_stop();
  for (const int threads : {1, 2}) {
    const Executor executor{{.threads = threads}};
    BOOST_CHECK_THROW((void)program.run(executor, state, made.inputs, {.stop = &stop}), Error);
    BOOST_TEST(state.step() == 0);
  }
}

BOOST_AUTO_TEST_SUITE_END()
