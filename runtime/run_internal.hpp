// One run: the queue of ready chunks and what each participant does with it.
#pragma once

#include <gradloom/runtime/plan_internal.hpp>
#include <gradloom/runtime/program.hpp>

#include <atomic>
#include <bit>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

namespace gradloom::inline v0 {

class ExecutorData;
class NextTasks;
class RunRecord;
struct Workspace;

struct StopData {
  std::atomic<int> references{1};
  std::atomic<bool> requested{false};
};

/// Held for tens of nanoseconds at a time.
class SpinLock {
 public:
  void lock() {
    while (locked_.exchange(true, std::memory_order_acquire)) {
      while (locked_.load(std::memory_order_relaxed)) __builtin_ia32_pause();
    }
  }
  void unlock() { locked_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> locked_{false};
};

/// Lets helpers into a run while it lasts. They are inside only while they have chunks to run: one that merely looks
/// on, and that the system may have stopped for others, holds nobody up. One word says which run it is (odd numbers are
/// open) and how many are inside, so that nobody enters a run that has ended.
class Gate {
 public:
  /// Returns the number of the run.
  uint32_t open() { return static_cast<uint32_t>(word_.fetch_add(one_run, std::memory_order_release) >> 32) + 1; }
  void close() { word_.fetch_add(one_run, std::memory_order_acq_rel); }
  [[nodiscard]] bool is_open(uint32_t run) const { return word_.load(std::memory_order_relaxed) >> 32 == run; }
  [[nodiscard]] bool empty() const { return static_cast<uint32_t>(word_.load(std::memory_order_acquire)) == 0; }

  [[nodiscard]] bool enter(uint32_t run) {
    if (word_.fetch_add(1, std::memory_order_acq_rel) >> 32 == run) return true;
    leave();
    return false;
  }
  void leave() { word_.fetch_sub(1, std::memory_order_release); }

 private:
  static constexpr uint64_t one_run = uint64_t{1} << 32;
  std::atomic<uint64_t> word_{0};
};

/// What may look into a run; either may be null.
struct RunWatchers {
  const StopToken* stop = nullptr;
  RunRecord* record = nullptr;
};

/// The run that is in flight in a Workspace, which has one after the other. It lives as long as the executor: helpers
/// may look at its atomics at any time, and at the rest inside the gate.
class Run {
 public:
  Run() = default;
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// On the calling thread alone, without an atomic.
  void run_serially(const Plan& plan, Workspace& workspace, const RunInfo& info, const RunWatchers& watchers);

  /// Shared with helpers, from start() to finish(). `executor` is told when there is more to do than there are
  /// participants. Returns the number by which helpers know the run.
  uint32_t start(const Plan& plan, Workspace& workspace, const RunInfo& info, const RunWatchers& watchers,
                 ExecutorData& executor);
  /// The calling thread takes part until all is done.
  void participate();
  /// A helper (worker > 0) takes part until the run ends or nothing was ready for a while.
  void help(int worker, uint32_t run);
  /// Waits for helpers that still run a chunk; none comes in after that.
  void finish();

  [[nodiscard]] bool has_ready() const { return ready_count_.load(std::memory_order_relaxed) > 0; }
  /// Rethrows the first error of a task, once.
  void rethrow_error();
  [[nodiscard]] int threads_that_ran() const {
    return std::popcount(workers_that_ran_.load(std::memory_order_relaxed));
  }

 private:
  enum Phase : int { running, committing, cancelled_phase };

  void set_up(const Plan& plan, Workspace& workspace, const RunInfo& info, const RunWatchers& watchers);
  [[nodiscard]] bool cancelled() const { return phase_.load(std::memory_order_acquire) == cancelled_phase; }
  [[nodiscard]] bool over() const { return left_.load(std::memory_order_acquire) == 0 || cancelled(); }
  bool may_start(const Task& task);
  [[nodiscard]] KernelCall call_of(const Task& task, int64_t chunk, int worker) const;
  void call(const Task& task, int64_t chunk, int worker, bool continues) const;
  void call_recorded(const Task& task, KernelCall call, int worker) const;
  /// Runs chunks until none is ready.
  void work(int worker);
  bool take(int& task, int64_t& chunk, int worker);
  void push(int task);
  /// Keeps a ready task for this thread, or puts it into the queue.
  void make_ready(int task, NextTasks& mine);
  /// Takes a task whose chunks have ended, and those before it that are to run again, back to before they began. False
  /// if it is done.
  bool repeat(int task, int worker, NextTasks& mine);
  void call_for_help();
  /// Counts the successors down and puts those that are ready into the queue, but for what this thread does next.
  void complete(int task, NextTasks& mine);
  void fail(const Task& task);
  [[nodiscard]] const Task& task_at(int task) const { return plan_->tasks[static_cast<size_t>(task)]; }
  [[nodiscard]] std::atomic<int64_t>& counter(int task, int which) const {
    return counters_[static_cast<size_t>(task) * counters_per_task + static_cast<size_t>(which)];
  }

  Gate gate_;
  std::atomic<int> helpers_{0};  // inside or looking on
  std::atomic<int> ready_count_{0};

  const Plan* plan_ = nullptr;
  const Workspace* workspace_ = nullptr;
  ExecutorData* executor_ = nullptr;
  RunInfo info_;
  const StopToken* stop_ = nullptr;
  RunRecord* record_ = nullptr;
  static constexpr size_t counters_per_task = 5;
  std::unique_ptr<std::atomic<int64_t>[]> counters_;  // by task
  size_t counter_count_ = 0;
  SpinLock lock_;
  std::vector<int> ready_;        // a heap by priority, under lock_
  std::atomic<int64_t> left_{0};  // tasks
  std::atomic<int> phase_{running};
  std::atomic<uint64_t> workers_that_ran_{0};  // bits
  std::exception_ptr error_;                   // under lock_
};

}  // namespace gradloom::inline v0
