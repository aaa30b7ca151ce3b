// The helpers: who joins which run, and for how long they stay awake.
#include <gradloom/graph/error.hpp>
#include <gradloom/runtime/executor_internal.hpp>
#include <gradloom/runtime/executor_tbb.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <ctime>
#include <set>
#include <thread>

namespace gradloom::inline v0 {

namespace {

constexpr int most_threads = 64;  // a run keeps its workers in one word

int cores() { return static_cast<int>(std::thread::hardware_concurrency()); }

int64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return int64_t{1'000'000'000} * now.tv_sec + now.tv_nsec;
}

/// Tells a thread that never sleeps whether the system stopped it: its processor time then falls behind.
class StopWatch {
 public:
  /// Was it stopped for so much of the time since the last look that the others had better do without it?
  bool stopped_since_last_look() {
    // Less than the shortest time for which Linux gives a core to another process, more than an interrupt takes.
    constexpr int64_t least = 500'000;
    // A long run hardly notices that it waited, and would be longer by far with a thread less.
    constexpr int64_t share = 4;
    const int64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    const int64_t passed = wall - wall_, stopped = passed - (cpu - cpu_);
    wall_ = wall;
    cpu_ = cpu;
    return stopped > least && stopped * share > passed;
  }

 private:
  int64_t wall_ = clock_ns(CLOCK_MONOTONIC), cpu_ = clock_ns(CLOCK_THREAD_CPUTIME_ID);
};

int checked_threads(int threads, tbb::task_arena* lent) {
  if (threads < 0) throw Error(fmt::format("an executor of {} threads cannot be made; 0 means one per core", threads));
  const int most = lent != nullptr ? lent->max_concurrency() : cores();
  if (threads == 0 || (lent != nullptr && threads > most)) threads = most;
  return std::clamp(threads, 1, most_threads);
}

/// Executors that are gone but for helpers still to come. These are known to TBB's queue alone, where no leak checker
/// looks for pointers; at the end of a process one may never come.
class Closing {
 public:
  static void add(ExecutorData* data) {
    const std::lock_guard guard(instance().mutex_);
    instance().closing_.insert(data);
  }
  static void remove(ExecutorData* data) {
    const std::lock_guard guard(instance().mutex_);
    instance().closing_.erase(data);
  }

 private:
  static Closing& instance() {
    static auto* const closing = new Closing;  // never destroyed: helpers may leave after the statics
    return *closing;
  }

  std::mutex mutex_;
  std::set<ExecutorData*> closing_;
};

}  // namespace

void retain(ExecutorData* data) {
  if (data != nullptr) data->handles.fetch_add(1, std::memory_order_relaxed);
}
void release(ExecutorData* data) {
  if (data != nullptr && data->handles.fetch_sub(1, std::memory_order_acq_rel) == 1) data->close();
}

Executor::Executor(ExecutorOptions options) : Executor(new ExecutorData(options, nullptr)) {}
Executor::Executor(ExecutorData* owned) : data_(owned) {}
int Executor::threads() const { return data_->threads(); }
int Executor::threads_that_ran() const { return data_->threads_that_ran.load(std::memory_order_relaxed); }

Executor executor_in(tbb::task_arena& arena, ExecutorOptions options) {
  return ExecutorAccess::make(new ExecutorData(options, &arena));
}

Executor& default_executor() {
  static Executor executor;
  return executor;
}

ExecutorData::ExecutorData(const ExecutorOptions& options, tbb::task_arena* lent)
    : threads_(checked_threads(options.threads, lent)),
      linger_us_(std::max(options.linger_us, 0)),
      hold_back_ns_(threads_ > cores() ? 0 : int64_t{1'000'000} * std::max(options.hold_back_ms, 0)),
      arena_(lent != nullptr ? *lent : own_arena_.emplace(threads_, 1)) {}

void ExecutorData::close() {
  {
    const std::lock_guard guard(mutex_);
    for (const std::unique_ptr<Workspace>& workspace : idle_workspaces_) workspace->clear();
  }
  Closing::add(this);
  drop_reference();
}

void ExecutorData::drop_reference() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  Closing::remove(this);
  delete this;
}

std::unique_ptr<Workspace> ExecutorData::take_workspace() {
  {
    const std::lock_guard guard(mutex_);
    if (!idle_workspaces_.empty()) {
      std::unique_ptr<Workspace> workspace = std::move(idle_workspaces_.back());
      idle_workspaces_.pop_back();
      return workspace;
    }
    // Room for every workspace that may come back, so that giving back cannot fail.
    idle_workspaces_.reserve(static_cast<size_t>(++workspaces_made_));
  }
  auto workspace = std::make_unique<Workspace>();
  workspace->scratch.resize(static_cast<size_t>(threads_));
  return workspace;
}

void ExecutorData::give_back(std::unique_ptr<Workspace> workspace) {
  const std::lock_guard guard(mutex_);
  idle_workspaces_.push_back(std::move(workspace));
}

void ExecutorData::execute(const Plan& plan, Workspace& workspace, const RunInfo& info, const RunWatchers& watchers) {
  // What others could take over at best; below this the hand-overs cost more. Nothing of it in a chain of single
  // chunks.
  constexpr double worth_sharing_ns = 10'000;
  Run& run = workspace.run;
  if (plan.nanoseconds - plan.span_nanoseconds < worth_sharing_ns || most_helpers() == 0) {
    run.run_serially(plan, workspace, info, watchers);
  } else {
    const uint32_t number = run.start(plan, workspace, info, watchers, *this);
    {
      const std::lock_guard guard(mutex_);
      runs_.push_back({&run, number});
    }
    more_work();
    run.participate();
    {
      const std::lock_guard guard(mutex_);
      runs_.erase(std::find_if(runs_.begin(), runs_.end(), [&](const OpenRun& open) { return open.run == &run; }));
    }
    run.finish();
  }
  threads_that_ran.store(run.threads_that_ran(), std::memory_order_relaxed);
  run.rethrow_error();
}

void ExecutorData::more_work() {
  // Sequentially consistent, here and in leaves(): either this thread sees that a helper left, or the helper sees the
  // announcement and stays.
  announced_.fetch_add(1);
  const int most = most_helpers();
  if (helpers_.load() >= most) return;
  int wanted = 0;
  {
    const std::lock_guard guard(mutex_);
    wanted = std::max(most - helpers_.load(std::memory_order_relaxed), 0);
    helpers_.fetch_add(wanted, std::memory_order_relaxed);
  }
  for (int i = 0; i < wanted; ++i) {
    references_.fetch_add(1, std::memory_order_relaxed);  // a helper that starts late may outlive the Executor
    ExecutorData* const self = this;
    // The captured pointer goes through TBB's queue, whose hand-over the thread sanitizer cannot see; help() itself
    // begins with an acquiring load of what this thread released.
    arena_.enqueue([self]() __attribute__((no_sanitize("thread"))) { self->help(); });
  }
}

int ExecutorData::most_helpers() {
  const int held_back = held_back_.load(std::memory_order_relaxed);
  if (held_back == 0) return threads_ - 1;
  if (clock_ns(CLOCK_MONOTONIC) < held_back_until_.load(std::memory_order_relaxed)) return threads_ - 1 - held_back;
  held_back_.store(0, std::memory_order_relaxed);
  return threads_ - 1;
}

// Races are harmless: a helper more or less for a while.
void ExecutorData::hold_one_back() {
  held_back_until_.store(clock_ns(CLOCK_MONOTONIC) + hold_back_ns_, std::memory_order_relaxed);
  held_back_.store(std::min(held_back_.load(std::memory_order_relaxed) + 1, threads_ - 1), std::memory_order_relaxed);
}

int ExecutorData::take_worker() {
  const std::lock_guard guard(mutex_);
  const int worker = std::countr_one(workers_);
  workers_ |= uint64_t{1} << worker;
  return worker;
}

ExecutorData::OpenRun ExecutorData::find_run() {
  const std::lock_guard guard(mutex_);
  const auto ready =
      std::find_if(runs_.begin(), runs_.end(), [](const OpenRun& open) { return open.run->has_ready(); });
  if (ready != runs_.end()) return *ready;
  return runs_.empty() ? OpenRun{} : runs_.back();
}

void ExecutorData::retire(int worker) {
  helpers_.fetch_sub(1);
  workers_ &= ~(uint64_t{1} << worker);
}

bool ExecutorData::leaves(int worker, uint64_t seen) {
  const std::lock_guard guard(mutex_);
  retire(worker);
  if (announced_.load() == seen) return true;
  helpers_.fetch_add(1, std::memory_order_relaxed);
  workers_ |= uint64_t{1} << worker;
  return false;
}

void ExecutorData::help() {
  using Clock = std::chrono::steady_clock;
  // Receives this object from the thread that enqueued the helper: more_work() released it there. A lock would not do
  // for the thread sanitizer, which takes the mutex itself for unreceived.
  (void)announced_.load(std::memory_order_acquire);
  const int worker = take_worker();
  StopWatch watch;
  for (;;) {
    const uint64_t seen = announced_.load(std::memory_order_acquire);
    if (const OpenRun open = find_run(); open.run != nullptr) open.run->help(worker, open.number);
    if (hold_back_ns_ > 0 && watch.stopped_since_last_look()) hold_one_back();
    if (helpers_.load(std::memory_order_relaxed) > most_helpers()) {
      const std::lock_guard guard(mutex_);
      retire(worker);
      break;
    }
    // The next run often comes at once, and a thread that sleeps takes 20 us to wake.
    const auto until = Clock::now() + std::chrono::microseconds(linger_us_);
    while (announced_.load(std::memory_order_acquire) == seen && Clock::now() < until) {
      for (int i = 0; i < 16; ++i) __builtin_ia32_pause();
    }
    if (announced_.load(std::memory_order_acquire) == seen && leaves(worker, seen)) break;
  }
  drop_reference();
}

}  // namespace gradloom::inline v0
