// How a plan runs on threads.
//
// The calling thread always takes part; up to threads-1 helpers, tasks in the executor's oneTBB arena, join it. All
// pull chunks of ready tasks from one queue, the task with the longest way to the end first; whoever ends a task's last
// chunk counts its successors down. A run never depends on a helper: the caller alone gets it done, so runs inside a
// caller's parallel_for, or in an arena of one, cannot deadlock. Every hand-over goes through atomics of our own.
#pragma once

#include <gradloom/runtime/executor.hpp>
#include <gradloom/runtime/plan_internal.hpp>
#include <gradloom/runtime/program.hpp>

#include <oneapi/tbb/task_arena.h>

#include <atomic>
#include <bit>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <vector>

namespace gradloom::inline v0 {

struct Specialization;
class RunRecord;

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

/// 64-byte aligned bytes that only grow, in huge pages where they are large.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept : data_(other.data_), size_(other.size_) {
    other.data_ = nullptr;
    other.size_ = 0;
  }
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer();
  /// At least `size` bytes; the old contents are lost when it grows.
  void* reserve(size_t size);
  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

class ExecutorData;

/// The memory of one run; kept by the executor from run to run, whatever the Program, so that a warmed-up run allocates
/// nothing.
struct Workspace {
  Buffer arena;
  std::vector<Buffer> scratch;  // by worker
  std::vector<void*> bases;
  std::vector<void*> pointers;                       // by Plan::addresses: what kernels are handed
  std::unique_ptr<std::atomic<int64_t>[]> counters;  // by task: dependencies left, chunks left, next chunk
  size_t counter_count = 0;
  std::vector<int> ready;  // the queue's storage

  // What the addresses in `bases` were last looked up for, kept alive so that its address names nothing else.
  std::shared_ptr<const Specialization> keeps;
  const Specialization* bound = nullptr;
  uint64_t bound_version = 0;
  std::vector<const Array*> arrays;  // the inputs of the run
  std::vector<Array> staged;         // dense copies of strided inputs
};

class ExecutorAccess {
 public:
  static ExecutorData& data(const Executor& executor) { return *executor.data_; }
};

/// What may look into a run; either may be null.
struct RunWatchers {
  const StopToken* stop = nullptr;
  RunRecord* record = nullptr;
};

/// One run in flight.
class Run {
 public:
  Run(const Plan& plan, Workspace& workspace, const RunInfo& info, const RunWatchers& watchers);

  /// On the calling thread alone, without an atomic.
  void run_serially();
  /// Before helpers may join: counts, and the tasks that wait for nothing. `executor` is told when there is more to do
  /// than there are participants.
  void prepare(ExecutorData& executor);
  /// Pulls chunks until the run is over; helpers (worker > 0) also stop when nothing was ready for a while.
  void participate(int worker);

  [[nodiscard]] bool over() const { return left_.load(std::memory_order_acquire) == 0 || cancelled(); }
  [[nodiscard]] bool has_ready() const { return ready_count_.load(std::memory_order_relaxed) > 0; }
  /// Rethrows the first error of a task, once.
  void rethrow_error();
  [[nodiscard]] int threads_that_ran() const {
    return std::popcount(workers_that_ran_.load(std::memory_order_relaxed));
  }

  /// Written under the executor's mutex. Worker 0 is the caller.
  std::atomic<int> participants{1};
  uint64_t workers_taken = 1;  // bits

 private:
  enum Phase : int { running, committing, cancelled_phase };

  [[nodiscard]] bool cancelled() const { return phase_.load(std::memory_order_acquire) == cancelled_phase; }
  bool may_start(const Task& task);
  void call(const Task& task, int64_t chunk, int worker) const;
  void call_recorded(const Task& task, KernelCall call, int worker) const;
  bool take(int& task, int64_t& chunk);
  void push(int task);
  /// Counts the successors down; returns one to go on with, or -1.
  int complete(int task);
  void fail(const Task& task);
  [[nodiscard]] std::atomic<int64_t>& counter(int task, int which) const {
    return workspace_.counters[static_cast<size_t>(task) * 3 + static_cast<size_t>(which)];
  }

  const Plan& plan_;
  Workspace& workspace_;
  ExecutorData* executor_ = nullptr;
  const RunInfo info_;
  const StopToken* const stop_;
  RunRecord* const record_;
  SpinLock lock_;
  std::vector<int>& ready_;  // a heap by priority
  std::atomic<int> ready_count_{0};
  std::atomic<int64_t> left_{0};  // tasks
  std::atomic<int> phase_{running};
  std::atomic<uint64_t> workers_that_ran_{0};  // bits
  std::exception_ptr error_;                   // under lock_
};

class ExecutorData {
 public:
  explicit ExecutorData(const ExecutorOptions& options);

  /// Runs to the end, or throws the first error after all chunks have stopped.
  void execute(const Plan& plan, Workspace& workspace, const RunInfo& info, const RunWatchers& watchers);

  [[nodiscard]] std::unique_ptr<Workspace> take_workspace();
  void give_back(std::unique_ptr<Workspace> workspace);
  [[nodiscard]] int threads() const { return threads_; }
  /// A run has more ready than its participants take: helpers that left or sleep are wanted again.
  void more_work();

  std::atomic<int> references{1};
  std::atomic<int> threads_that_ran{0};

 private:
  void help();
  Run* join(int& worker);
  void leave(Run& run, int worker);

  const int threads_;
  const int linger_us_;
  tbb::task_arena arena_;
  std::mutex mutex_;
  std::vector<Run*> runs_;                                   // in flight, under mutex_
  std::atomic<int> helpers_{0};                              // enqueued or at work; written under mutex_
  std::atomic<uint64_t> announced_{0};                       // counts calls for help, for those who linger
  std::vector<std::unique_ptr<Workspace>> idle_workspaces_;  // under mutex_
};

}  // namespace gradloom::inline v0
