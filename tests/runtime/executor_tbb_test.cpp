// An Executor in the caller's arena: it uses that arena's threads, no more of them than it has, and works inside the
// caller's own parallel code.
#include "own_ops_helper.hpp"
#include "parallel_for_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/executor_tbb.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>
#include <malloc.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_scheduler_observer.h>

#include <atomic>
#include <optional>
#include <thread>

using namespace gradloom;

namespace {

/// Counts the threads in an arena.
class Census : public tbb::task_scheduler_observer {
 public:
  // What is released here, threads receive in on_scheduler_entry(), and what they release in on_scheduler_exit() the
  // destructor receives: the thread sanitizer does not see how TBB hands an observer over and back.
  explicit Census(tbb::task_arena& arena) : tbb::task_scheduler_observer(arena) {
    inside_.store(0, std::memory_order_release);
    observe(true);
  }
  ~Census() override {
    observe(false);
    (void)inside_.load(std::memory_order_acquire);
  }
  void on_scheduler_entry(bool) override {
    (void)inside_.load(std::memory_order_acquire);
    const int now = ++inside_;
    int most = most_.load();
    while (most < now && !most_.compare_exchange_weak(most, now)) {
    }
  }
  void on_scheduler_exit(bool) override { --inside_; }
  [[nodiscard]] int most() const { return most_; }

 private:
  std::atomic<int> inside_{0}, most_{0};
};

/// Descends sum((w x)^2), in several tasks; `meet` proves that so many threads took part.
Program descent(int meet_threads = 0) {
  Graph g;
  const Tensor x = g.input("x", {64, 4096});
  std::vector<Update> updates;
  Tensor loss;
  for (int i = 0; i < 4; ++i) {
    const Tensor w = g.parameter("w" + std::to_string(i), {4096}, {.a = 0.1 * (i + 1)});
    Tensor y = w * x;
    if (i == 0 && meet_threads > 0) y = test::meet(y, meet_threads);
    const Tensor part = sum(y * y);
    loss = i == 0 ? part : loss + part;
    updates.push_back({w, w});
  }
  for (Update& update : updates) update.value = update.parameter - 1e-6 * gradient(loss, update.parameter);
  return compile({.outputs = {loss}, .updates = updates});
}

Array ramp() {
  Array x({64, 4096});
  const std::span<float> values = x.data<float>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 89) * 0.01f;
  return x;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_executor_tbb)

BOOST_AUTO_TEST_CASE(it_has_the_threads_of_the_arena_or_fewer) {
  tbb::task_arena arena(3);
  BOOST_TEST(executor_in(arena).threads() == 3);
  BOOST_TEST(executor_in(arena, {.threads = 3}).threads() == 3);
  BOOST_TEST(executor_in(arena, {.threads = 2}).threads() == 2);
  BOOST_TEST(executor_in(arena, {.threads = 8}).threads() == 3);
  BOOST_CHECK_THROW((void)executor_in(arena, {.threads = -1}), Error);
}

BOOST_AUTO_TEST_CASE(its_helpers_are_threads_of_the_arena) {
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 4);
  tbb::task_arena arena(3);
  const Census census(arena);
  const Executor executor = executor_in(arena, {.threads = 3, .linger_us = 0, .hold_back_ms = 0});
  const Program program = descent(3);
  State state;
  const Batch inputs = {{"x", ramp()}};
  (void)test::threads_that_met();
  (void)program.run(executor, state, inputs);  // from outside: two helpers join
  BOOST_TEST(test::threads_that_met() == 3);
  BOOST_TEST(census.most() >= 2);
  arena.execute([&] { (void)program.run(executor, state, inputs); });  // from inside
  BOOST_TEST(test::threads_that_met() == 3);
  BOOST_TEST(executor.threads_that_ran() == 3);
  BOOST_TEST(census.most() <= 3);
}

BOOST_AUTO_TEST_CASE(runs_share_the_arena_with_the_callers_own_tasks) {
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 4);
  const Program program = descent();
  const Batch inputs = {{"x", ramp()}};
  State alone;
  const float first = program.run(Executor{{.threads = 1}}, alone, inputs)[0].item<float>();
  const float second = program.run(Executor{{.threads = 1}}, alone, inputs)[0].item<float>();
  for (const int threads : {1, 2, 4}) {
    tbb::task_arena arena(threads);
    const Census census(arena);
    const Executor executor = executor_in(arena);
    std::atomic<int> wrong{0}, ran{0};
    arena.execute([&] {
      test::parallel_for(0, 24, [&](int) {
        State state;
        for (const float expected : {first, second}) {
          if (program.run(executor, state, inputs)[0].item<float>() != expected) ++wrong;
        }
        ++ran;
      });
    });
    BOOST_TEST(wrong == 0);
    BOOST_TEST(ran == 24);
    BOOST_TEST(census.most() <= threads);
  }
}

#ifndef GRADLOOM_SANITIZED  // whose memory is not malloc's
BOOST_AUTO_TEST_CASE(the_memory_of_runs_goes_with_the_executor_though_a_helper_comes_late) {
  const auto in_use = [] {
    const struct mallinfo2 info = mallinfo2();
    return static_cast<int64_t>(info.uordblks + info.hblkhd);
  };
  constexpr int64_t n = 1024, bytes = 4 * n * n;
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 2);
  tbb::task_arena arena(2, 1);
  std::atomic<bool> busy{false}, end{false};
  arena.enqueue([&] {  // takes the only place for a helper
    busy = true;
    while (!end) std::this_thread::yield();
    busy = false;
  });
  while (!busy) std::this_thread::yield();
  Graph g;
  const Tensor x = g.input("x", {n, n});
  const Array ones({n, n});
  {
    const int64_t before = in_use();
    std::optional<Executor> executor = executor_in(arena);
    {
      const Program program = compile({.outputs = {sum(matmul(matmul(x, x), x))}});
      State state;
      (void)program.run(*executor, state, {{"x", ones}});
    }
    BOOST_TEST(in_use() > before + bytes / 2);
    executor.reset();
    BOOST_TEST(in_use() < before + bytes / 16);
  }
  end = true;
  while (busy) std::this_thread::yield();
}
#endif

BOOST_AUTO_TEST_SUITE_END()
