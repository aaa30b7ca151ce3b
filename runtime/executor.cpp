// The helpers: who joins which run, and for how long they stay awake.
#include <gradloom/graph/error.hpp>
#include <gradloom/runtime/executor_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace gradloom::inline v0 {

namespace {

constexpr int most_threads = 64;  // a run keeps its workers in one word

int checked_threads(int threads) {
  if (threads < 0) throw Error(fmt::format("an executor of {} threads cannot be made; 0 means one per core", threads));
  if (threads == 0) threads = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(threads, 1, most_threads);
}

}  // namespace

void retain(ExecutorData* data) {
  if (data != nullptr) data->references.fetch_add(1, std::memory_order_relaxed);
}
void release(ExecutorData* data) {
  if (data != nullptr && data->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete data;
}

Executor::Executor(ExecutorOptions options) : data_(new ExecutorData(options)) {}
int Executor::threads() const { return data_->threads(); }
int Executor::threads_that_ran() const { return data_->threads_that_ran.load(std::memory_order_relaxed); }

Executor& default_executor() {
  static Executor executor;
  return executor;
}

ExecutorData::ExecutorData(const ExecutorOptions& options)
    : threads_(checked_threads(options.threads)), linger_us_(std::max(options.linger_us, 0)), arena_(threads_, 1) {}

std::unique_ptr<Workspace> ExecutorData::take_workspace() {
  {
    const std::lock_guard guard(mutex_);
    if (!idle_workspaces_.empty()) {
      std::unique_ptr<Workspace> workspace = std::move(idle_workspaces_.back());
      idle_workspaces_.pop_back();
      return workspace;
    }
    // Room for every workspace that may come back, so that giving back cannot fail.
    idle_workspaces_.reserve(runs_.size() + 8);
  }
  auto workspace = std::make_unique<Workspace>();
  workspace->scratch.resize(static_cast<size_t>(threads_));
  return workspace;
}

void ExecutorData::give_back(std::unique_ptr<Workspace> workspace) {
  const std::lock_guard guard(mutex_);
  idle_workspaces_.push_back(std::move(workspace));
}

void ExecutorData::execute(const Plan& plan, Workspace& workspace, const RunInfo& info, const StopToken* stop) {
  // Below this a hand-over costs more than it saves; the same for a chain, where nothing can overlap.
  constexpr double worth_sharing_ns = 20'000;
  Run run(plan, workspace, info, stop);
  const bool alone = threads_ == 1 || plan.nanoseconds < worth_sharing_ns;
  if (alone) {
    run.run_serially();
  } else {
    run.prepare(*this);
    {
      const std::lock_guard guard(mutex_);
      runs_.push_back(&run);
    }
    more_work();
    run.participate(0);
    {
      const std::lock_guard guard(mutex_);
      runs_.erase(std::find(runs_.begin(), runs_.end(), &run));
    }
    // Nobody can join any more; those who did leave at their next look at the queue.
    for (int polls = 0; run.participants.load(std::memory_order_acquire) > 1; ++polls) {
      if (polls < 1000) {
        __builtin_ia32_pause();
      } else {
        std::this_thread::yield();
      }
    }
  }
  threads_that_ran.store(run.threads_that_ran(), std::memory_order_relaxed);
  run.rethrow_error();
}

void ExecutorData::more_work() {
  announced_.fetch_add(1, std::memory_order_release);
  if (helpers_.load(std::memory_order_relaxed) >= threads_ - 1) return;
  int wanted = 0;
  {
    const std::lock_guard guard(mutex_);
    wanted = threads_ - 1 - helpers_.load(std::memory_order_relaxed);
    helpers_.fetch_add(wanted, std::memory_order_relaxed);
  }
  for (int i = 0; i < wanted; ++i) {
    retain(this);  // a helper that starts late may outlive the Executor
    ExecutorData* const self = this;
    // The captured pointer goes through TBB's queue, whose hand-over the thread sanitizer cannot see; help() itself
    // begins with an acquiring load of what this thread released.
    arena_.enqueue([self]() __attribute__((no_sanitize("thread"))) { self->help(); });
  }
}

Run* ExecutorData::join(int& worker) {
  const std::lock_guard guard(mutex_);
  for (Run* run : runs_) {
    if (run->over() || run->participants.load(std::memory_order_relaxed) >= threads_) continue;
    worker = 1;
    while ((run->workers_taken >> worker & 1) != 0) ++worker;
    run->workers_taken |= uint64_t{1} << worker;
    run->participants.fetch_add(1, std::memory_order_relaxed);
    return run;
  }
  return nullptr;
}

void ExecutorData::leave(Run& run, int worker) {
  const std::lock_guard guard(mutex_);
  run.workers_taken &= ~(uint64_t{1} << worker);
  run.participants.fetch_sub(1, std::memory_order_release);  // the run may be gone after this
}

void ExecutorData::help() {
  using Clock = std::chrono::steady_clock;
  for (;;) {
    const uint64_t seen = announced_.load(std::memory_order_acquire);
    int worker = 0;
    if (Run* const run = join(worker)) {
      run->participate(worker);
      leave(*run, worker);
    }
    // The next run often comes at once, and a thread that sleeps takes 20 us to wake.
    const auto until = Clock::now() + std::chrono::microseconds(linger_us_);
    while (announced_.load(std::memory_order_acquire) == seen && Clock::now() < until) {
      for (int i = 0; i < 16; ++i) __builtin_ia32_pause();
    }
    if (announced_.load(std::memory_order_acquire) != seen) continue;
    const std::lock_guard guard(mutex_);
    if (announced_.load(std::memory_order_acquire) != seen) continue;
    helpers_.fetch_sub(1, std::memory_order_relaxed);
    break;
  }
  release(this);
}

}  // namespace gradloom::inline v0
