// The contracts of a run: the same bits whatever the threads, errors and stops that leave the State whole, no deadlock
// inside a caller's own parallel code, no work when idle.
#include "own_ops_helper.hpp"
#include "parallel_for_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/executor.hpp>
#include <gradloom/runtime/program.hpp>
#include <gradloom/runtime/trace.hpp>

#include <boost/test/unit_test.hpp>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <thread>

using namespace gradloom;

namespace {

/// A step with several branches: loss = sum over branches of sum((w_i * x + i)^2), each w_i moved against its gradient.
struct Branches {
  Graph g;
  Tensor loss;
  std::vector<Update> updates;

  explicit Branches(int count, int meet_threads = 0, int checked_branch = -1) {
    const Tensor x = g.input("x", {64, 1024});
    for (int i = 0; i < count; ++i) {
      const Tensor w = g.parameter("w" + std::to_string(i), {1024}, {.a = 0.01 * (i + 1)});
      Tensor y = w * x + i;
      if (i == checked_branch) y = test::not_negative(y);
      if (i == 0 && meet_threads > 0) y = test::meet(y, meet_threads);
      const Tensor part = sum(y * y);
      loss = i == 0 ? part : loss + part;
      updates.push_back({w, w});
    }
    for (Update& update : updates) update.value = update.parameter - 1e-7 * gradient(loss, update.parameter);
  }
};

double process_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

Array ramp() {
  Array x({64, 1024});
  const std::span<float> values = x.data<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 97) * 0.01f;
  return x;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_executor)

BOOST_AUTO_TEST_CASE(the_bits_do_not_depend_on_the_threads) {
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 8);
  const Batch inputs = {{"x", ramp()}};
  std::vector<Array> first;
  for (const int threads : {1, 2, 3, 8}) {
    const Branches net(6, threads);
    const Program program = compile({.outputs = {net.loss}, .updates = net.updates});
    const Executor executor{{.threads = threads, .hold_back_ms = 0}};
    State state;
    std::vector<Array> results;
    for (int step = 0; step < 3; ++step) {
      (void)test::threads_that_met();
      results.push_back(program.run(executor, state, inputs)[0]);
      BOOST_TEST(test::threads_that_met() == threads);
      BOOST_TEST(executor.threads_that_ran() == threads);
    }
    for (const std::string& name : state.names()) results.push_back(state.get(name));
    if (first.empty()) first = results;
    BOOST_REQUIRE(first.size() == results.size());
    for (size_t i = 0; i < first.size(); ++i) BOOST_TEST(same_bits(first[i], results[i]));
  }
}

BOOST_AUTO_TEST_CASE(a_throw_from_any_branch_leaves_the_state_whole) {
  Array x = ramp();
  x.at<float>({63, 1023}) = -1e9f;
  const Batch bad = {{"x", x}}, good = {{"x", ramp()}};
  for (const int threads : {1, 4}) {
    const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 4);
    const Executor executor{{.threads = threads}};
    for (int branch = 0; branch < 6; ++branch) {
      const Branches net(6, 0, branch);
      const Program program = compile({.outputs = {net.loss}, .updates = net.updates});
      State state;
      (void)program.run(executor, state, good);
      const State before = state;
      try {
        (void)program.run(executor, state, bad);
        BOOST_FAIL("nothing was thrown");
      } catch (const Error& error) {
        BOOST_TEST(error.op() == "not_negative");
        BOOST_TEST(error.problem() == "element 65535 is negative");
        BOOST_TEST(error.location().starts_with("executor_test.cpp:"));
      }
      BOOST_TEST(state.step() == before.step());
      for (const std::string& name : before.names()) BOOST_TEST(same_bits(state.get(name), before.get(name)));
      (void)program.run(executor, state, good);  // and the executor is as good as new
    }
  }
}

BOOST_AUTO_TEST_CASE(a_first_run_that_throws_adds_nothing_to_the_state) {
  Array x = ramp();
  x.at<float>({0, 0}) = -1e9f;
  const Branches net(2, 0, 0);
  const Program program = compile({.outputs = {net.loss}, .updates = net.updates});
  State state;
  BOOST_CHECK_THROW((void)program.run(state, {{"x", x}}), Error);
  BOOST_TEST(state.names().empty());
  BOOST_TEST(state.step() == 0);
}

BOOST_AUTO_TEST_CASE(a_stop_either_changes_nothing_or_completes_the_step) {
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 4);
  const Branches net(6);
  const Program program = compile({.outputs = {net.loss}, .updates = net.updates});
  const Executor executor{{.threads = 4}};
  const Batch inputs = {{"x", ramp()}};
  State state;
  (void)program.run(executor, state, inputs);
  int stopped = 0, completed = 0;
  for (int delay = 0; delay < 40; ++delay) {
    State before = state;
    const StopToken token;
    if (delay == 0) token.request_stop();  // whatever the machine is doing, this one is stopped
    std::atomic<bool> started{false};
    std::thread stopper([&] {
      while (!started) std::this_thread::yield();
      const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(delay * 3);
      while (std::chrono::steady_clock::now() < until) {
      }
      token.request_stop();
    });
    started = true;
    bool threw = false;
    try {
      (void)program.run(executor, state, inputs, {.stop = &token});
    } catch (const Error& error) {
      threw = true;
      BOOST_TEST(error.what() == "the run was stopped on request; the State is as it was before");
    }
    stopper.join();
    if (!threw) (void)program.run(executor, before, inputs);  // the step it must have completed
    (threw ? stopped : completed) += 1;
    BOOST_TEST(state.step() == before.step());
    for (const std::string& name : before.names()) BOOST_TEST(same_bits(state.get(name), before.get(name)));
  }
  BOOST_TEST(stopped > 0);
  BOOST_TEST_MESSAGE("stopped " << stopped << ", completed " << completed);
}

BOOST_AUTO_TEST_CASE(programs_run_inside_a_callers_parallel_for) {
  const Batch inputs = {{"x", ramp()}};
  const Branches a(3), b(4);
  const Program programs[] = {compile({.outputs = {a.loss}, .updates = a.updates}),
                              compile({.outputs = {b.loss}, .updates = b.updates})};
  float alone[2];
  for (int i = 0; i < 2; ++i) {
    State state;
    alone[i] = programs[i].run(Executor{{.threads = 1}}, state, inputs)[0].item<float>();
  }
  for (const int arena_threads : {1, 2}) {
    const Executor shared{{.threads = 2}};
    tbb::task_arena arena(arena_threads);
    std::atomic<int> wrong{0};
    arena.execute([&] {
      test::parallel_for(0, 16, [&](int i) {
        test::parallel_for(0, 2, [&](int j) {
          State state;
          const float loss = programs[(i + j) % 2].run(shared, state, inputs)[0].item<float>();
          if (loss != alone[(i + j) % 2]) ++wrong;
        });
      });
    });
    BOOST_TEST(wrong == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_chunk_is_told_when_it_finds_scratch_as_the_one_before_left_it) {
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 3);
  constexpr int branches = 6, chunks = 16;
  Graph g;
  const Tensor x = g.input("x", {64, 1024});
  std::vector<Tensor> outputs;
  for (int i = 0; i < branches; ++i) outputs.push_back(tanh(test::follow(x + i)));
  const Program program = compile({.outputs = outputs});
  State state;
  for (const int threads : {1, 2, 3}) {
    const Executor executor{{.threads = threads, .hold_back_ms = 0}};
    constexpr int runs = 50;
    (void)test::followed();
    for (int i = 0; i < runs; ++i) (void)program.run(executor, state, {{"x", ramp()}});
    const test::Followed found = test::followed();
    BOOST_TEST(found.wrongly == 0);
    if (threads == 1) BOOST_TEST(found.continued == runs * branches * (chunks - 1));
    BOOST_TEST(found.continued > runs * branches);
  }
}

BOOST_AUTO_TEST_CASE(two_updating_runs_on_one_state_are_an_error) {
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 4);
  Graph g;
  const Tensor x = g.input("x", {64, 1024});
  const Tensor w = g.parameter("w", {1024});
  const Program program = compile({.updates = {{w, w + sum(test::meet(x, 2), {.axes = {0}})}}});
  const Executor executor{{.threads = 2, .hold_back_ms = 0}};
  State state;
  program.initialize(state);
  (void)test::threads_that_met();
  std::atomic<int> refused{0};
  // Each meeting needs two threads: the second run's own, refused before it gets there, is not one of them.
  std::thread other([&] {
    for (int i = 0; i < 20; ++i) {
      try {
        (void)program.run(executor, state, {{"x", ramp()}});
      } catch (const Error& error) {
        refused += error.problem() == "the State is being updated by another run" ? 1 : 100;
      }
    }
  });
  int mine = 0;
  for (int i = 0; i < 20; ++i) {
    try {
      (void)program.run(executor, state, {{"x", ramp()}});
    } catch (const Error&) {
      ++mine;
    }
  }
  other.join();
  BOOST_TEST(refused < 100);
  BOOST_TEST(state.step() == 40 - refused - mine);
}

BOOST_AUTO_TEST_CASE(a_chain_wakes_nobody) {
  Graph g;
  Tensor x = g.input("x", {4096});
  for (int i = 0; i < 50; ++i) x = tanh(x);
  const Program program = compile({.outputs = {x}, .optimize = Optimize::none});
  const Executor executor{{.threads = 2}};
  State state;
  for (int i = 0; i < 20; ++i) {
    (void)program.run(executor, state, {{"x", Array({4096})}});
    BOOST_TEST(executor.threads_that_ran() == 1);
  }
}

BOOST_AUTO_TEST_CASE(tasks_too_small_to_hand_over_are_run_all_the_same) {
  // A fan of tiny tasks, more than one thread keeps for itself, over a large one that makes the run worth sharing.
  Graph g;
  const Tensor x = g.input("x", {256, 1024}), start = sum(x);
  Tensor total = start;
  for (int i = 1; i <= 40; ++i) total = total + start * i;
  const Program program = compile({.outputs = {total, sum(x * x)}, .optimize = Optimize::none});
  const Executor executor{{.threads = 2}};
  State state;
  Array ones({256, 1024});
  for (float& value : ones.data<float>()) value = 1;
  for (int i = 0; i < 20; ++i) {
    const std::vector<Array> outputs = program.run(executor, state, {{"x", ones}});
    BOOST_TEST(outputs[0].item<float>() == 262144.0f * 821);
  }
}

// After the first step, of a millisecond, there is work for two: at about the time at which the helper, which has seen
// nothing to do, leaves. Either it stays or another one comes.
BOOST_AUTO_TEST_CASE(work_that_comes_up_while_a_helper_leaves_is_shared) {
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 2);
  Graph g;
  const Tensor x = g.input("x", {1024});
  const Program program = compile({.outputs = {test::meet(test::meet(x, 1, {.sleep_ms = 1}), 2)}});
  const Executor executor{{.threads = 2, .linger_us = 1000, .hold_back_ms = 0}};
  const Batch inputs = {{"x", Array({1024})}};
  State state;
  int alone = 0;
  for (int i = 0; i < 200 && alone == 0; ++i) {
    (void)test::threads_that_met();
    (void)program.run(executor, state, inputs);
    if (test::threads_that_met() != 2) ++alone;
  }
  BOOST_TEST(alone == 0);
}

// A thread that sleeps in its chunk looks like one that the system stopped.
BOOST_AUTO_TEST_CASE(runs_do_without_a_thread_that_was_stopped) {
  if (std::thread::hardware_concurrency() < 2) return;
  Graph g;
  const Tensor x = g.input("x", {1024});
  const Program sleepy = compile({.outputs = {test::meet(x, 2, {.wait_ms = 5000, .sleep_ms = 5})}});
  const Program quick = compile({.outputs = {test::meet(x, 2, {.wait_ms = 100})}});
  const Executor executor{{.threads = 2, .hold_back_ms = 1000}};
  const Batch inputs = {{"x", Array({1024})}};
  State state;
  const auto threads_of = [&](const Program& program) {
    (void)test::threads_that_met();
    (void)program.run(executor, state, inputs);
    return test::threads_that_met();
  };
  BOOST_TEST(threads_of(sleepy) == 2);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // until the helper has noticed
  BOOST_TEST(threads_of(quick) == 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(1000));
  BOOST_TEST(threads_of(sleepy) == 2);

  const Executor patient{{.threads = 2, .hold_back_ms = 0}};
  for (int i = 0; i < 3; ++i) {
    (void)test::threads_that_met();
    (void)sleepy.run(patient, state, inputs);
    BOOST_TEST(test::threads_that_met() == 2);
  }
}

BOOST_AUTO_TEST_CASE(an_idle_executor_sleeps) {
  const Branches net(6);
  const Program program = compile({.outputs = {net.loss}, .updates = net.updates});
  const Executor executor{{.threads = 2}};
  State state;
  for (int i = 0; i < 20; ++i) (void)program.run(executor, state, {{"x", ramp()}});
  const double before = process_seconds();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  BOOST_TEST(process_seconds() - before < 0.005);
}

// Between runs that come one after the other a helper stays awake, as long as it is told to; then it sleeps.
BOOST_AUTO_TEST_CASE(a_helper_lingers) {
  const Branches net(6);
  const Program program = compile({.outputs = {net.loss}, .updates = net.updates});
  const auto waited = [&](int linger_us) {  // processor time of pauses of 20 ms after a run, from the least to the most
    const Executor executor{{.threads = 2, .linger_us = linger_us, .hold_back_ms = 0}};
    State state;
    for (int i = 0; i < 5; ++i) (void)program.run(executor, state, {{"x", ramp()}});
    const Array x = ramp();
    std::vector<double> seconds;
    for (int i = 0; i < 10; ++i) {
      (void)program.run(executor, state, {{"x", x}});
      const double before = process_seconds();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      seconds.push_back(process_seconds() - before);
    }
    std::sort(seconds.begin(), seconds.end());
    return seconds;
  };
  BOOST_TEST(waited(0).front() < 0.002);
  if (std::thread::hardware_concurrency() > 1) BOOST_TEST(waited(1'000'000).back() > 0.005);
}

// Of what can run, the beginning of the longest path goes first, although it was made last.
BOOST_AUTO_TEST_CASE(the_longest_path_goes_first) {
  Graph g;
  const Tensor x = g.input("x", {96, 96});
  const auto matrix = [&](const std::string& name) { return g.parameter(name, {96, 96}, {.a = 0.01}); };
  std::vector<Tensor> outputs;
  for (int i = 0; i < 8; ++i) outputs.push_back(matmul(x, matrix("w" + std::to_string(i))).named("side"));
  const Tensor w = matrix("w");
  Tensor chain = matmul(x, w).named("first");
  for (int i = 0; i < 8; ++i) chain = matmul(chain, w);
  outputs.push_back(chain);
  const Program program = compile({.outputs = outputs, .optimize = Optimize::none});
  const Executor executor{{.threads = 2}};
  State state;
  const Array input({96, 96});
  for (int run = 0; run < 3; ++run) {
    Trace trace;
    (void)program.run(executor, state, {{"x", input}}, {.trace = &trace});
    const std::vector<TracedChunk> chunks = trace.chunks();
    const auto first = std::find_if(chunks.begin(), chunks.end(),
                                    [](const TracedChunk& chunk) { return chunk.name == "matmul/first"; });
    BOOST_REQUIRE((first != chunks.end()));
    const auto before = first - chunks.begin();
    BOOST_TEST(before <= 1);  // the other thread may have written down its beginning a moment earlier
  }
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  try {
    const Executor executor{{.threads = -2}};
    BOOST_FAIL("nothing was thrown");
  } catch (const Error& error) {
    BOOST_TEST(error.what() == std::string("an executor of -2 threads cannot be made; 0 means one per core"));
  }
}

BOOST_AUTO_TEST_SUITE_END()
