// The threads that run plans.
//
// The calling thread always takes part; up to threads-1 helpers, tasks in a oneTBB arena, join it. All pull chunks of
// ready tasks from one queue, the task with the longest way to the end first; whoever ends a task's last chunk counts
// its successors down. A run never depends on a helper: the caller alone gets it done, so runs inside a caller's
// parallel_for, or in an arena of one, cannot deadlock. Every hand-over goes through atomics of our own.
#pragma once

#include <gradloom/runtime/executor.hpp>
#include <gradloom/runtime/workspace_internal.hpp>

#include <oneapi/tbb/task_arena.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace gradloom::inline v0 {

class ExecutorAccess {
 public:
  static ExecutorData& data(const Executor& executor) { return *executor.data_; }
  static Executor make(ExecutorData* owned) { return Executor(owned); }
};

class ExecutorData {
 public:
  /// Without an arena of the caller's it makes its own. The caller's bounds the number of threads.
  ExecutorData(const ExecutorOptions& options, tbb::task_arena* lent);

  /// Runs to the end, or throws the first error after all chunks have stopped.
  void execute(const Plan& plan, Workspace& workspace, const RunInfo& info, const RunWatchers& watchers);

  [[nodiscard]] std::unique_ptr<Workspace> take_workspace();
  void give_back(std::unique_ptr<Workspace> workspace);
  [[nodiscard]] int threads() const { return threads_; }
  /// A run has more ready than its participants take: helpers that left or sleep are wanted again.
  void more_work();
  /// How many helpers a run may have now.
  [[nodiscard]] int most_helpers();

  /// The last Executor is gone: frees the memory of runs, and this object once the helpers still to come have left.
  void close();

  std::atomic<int> handles{1};
  std::atomic<int> threads_that_ran{0};

 private:
  struct OpenRun {
    Run* run = nullptr;
    uint32_t number = 0;
  };

  void help();
  void drop_reference();
  void hold_one_back();
  int take_worker();
  void retire(int worker);  // under mutex_
  /// The helper retires, unless more was announced since it saw `seen` announcements.
  [[nodiscard]] bool leaves(int worker, uint64_t seen);
  [[nodiscard]] OpenRun find_run();

  const int threads_;
  const int linger_us_;
  const int64_t hold_back_ns_;
  std::optional<tbb::task_arena> own_arena_;
  tbb::task_arena& arena_;
  std::atomic<int> references_{1};  // one of all Executors, and one of each helper, which may start late
  std::mutex mutex_;
  std::vector<OpenRun> runs_;           // in flight, under mutex_
  uint64_t workers_ = 1;                // numbers in use, as bits; 0 is any caller; under mutex_
  std::atomic<int> helpers_{0};         // enqueued or at work; written under mutex_
  std::atomic<uint64_t> announced_{0};  // counts calls for help, for those who linger
  std::atomic<int> held_back_{0};       // helpers that runs do without
  std::atomic<int64_t> held_back_until_{0};
  std::vector<std::unique_ptr<Workspace>> idle_workspaces_;  // under mutex_
  int workspaces_made_ = 0;                                  // under mutex_
};

}  // namespace gradloom::inline v0
