#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/runtime/executor_internal.hpp>
#include <gradloom/runtime/run_internal.hpp>
#include <gradloom/runtime/trace_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace gradloom::inline v0 {

namespace {

// The counters of a task. Chunks are taken from both ends; a task in a loop runs several rounds.
constexpr int dependencies_left = 0, chunks_left = 1, taken_in_front = 2, taken_behind = 3, round_of = 4;
constexpr int none = -1;

// About 50 us of pauses: longer than most gaps between the tasks of a step, shorter than it takes to wake a thread
// twice.
constexpr int polls_before_leaving = 1500;

// A task shorter than this is done sooner than another thread gets hold of it and of what it reads.
constexpr double worth_handing_over_ns = 300;

/// Waits for another thread's chunk. A short wait is an active one. After some hundred microseconds the other thread
/// may well have been stopped; then this one sleeps, because Linux brings a thread that waits for its own core over to
/// one that falls idle.
class Patience {
 public:
  void wait() {
    constexpr int yields = 500;
    ++polls_;
    if (polls_ <= polls_before_leaving) {
      __builtin_ia32_pause();
    } else if (polls_ <= polls_before_leaving + yields) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

 private:
  int polls_ = 0;
};

}  // namespace

/// What a thread does next without asking the queue: tasks that are not worth a hand-over, then one that is.
class NextTasks {
 public:
  /// False if there is no room: little work is kept from the others.
  bool add_small(int task) {
    if (count_ == most) return false;
    small_[count_++] = task;
    return true;
  }
  /// Returns the one that was there, if any.
  int exchange_large(int task) { return std::exchange(large_, task); }
  [[nodiscard]] int large() const { return large_; }
  bool pop(int& task) {
    task = count_ > 0 ? small_[--count_] : std::exchange(large_, none);
    return task != none;
  }

 private:
  static constexpr int most = 8;
  int small_[most];
  int count_ = 0;
  int large_ = none;
};

// ---- one chunk

KernelCall Run::call_of(const Task& task, int64_t chunk, int worker) const {
  return {
      .inputs = workspace_->pointers.data() + task.inputs_at,
      .outputs = workspace_->pointers.data() + task.outputs_at,
      .params = task.params,
      .scratch = workspace_->scratch[static_cast<size_t>(worker)].data(),
      .shared = task.shared_offset < 0 ? nullptr : static_cast<std::byte*>(workspace_->bases[0]) + task.shared_offset,
      .chunk = chunk,
      .chunks = task.chunks,
      .run = &info_};
}

void Run::call(const Task& task, int64_t chunk, int worker, bool continues) const {
  KernelCall call = call_of(task, chunk, worker);
  call.continues = continues;
  if (record_ == nullptr) {
    task.run(call);
  } else {
    call_recorded(task, call, worker);
  }
}

void Run::call_recorded(const Task& task, KernelCall call, int worker) const {
  TraceEvent event{.task = static_cast<int>(&task - plan_->tasks.data()), .chunk = call.chunk};
  call.traffic = &event.traffic;
  event.traffic.calls = 1;
  event.begin = trace_clock();
  task.run(call);
  event.end = trace_clock();
  record_->add(worker, event);
}

bool Run::may_start(const Task& task) {
  int phase = phase_.load(std::memory_order_acquire);
  if (phase == cancelled_phase) return false;
  if (phase == committing) return true;
  if (stop_ != nullptr && stop_->stop_requested()) {
    // Whoever wins decides: either the State is not touched, or the step completes.
    if (phase_.compare_exchange_strong(phase, cancelled_phase, std::memory_order_acq_rel)) {
      const std::lock_guard guard(lock_);
      if (!error_)
        error_ = std::make_exception_ptr(Error("the run was stopped on request; the State is as it was before"));
    }
    return phase == committing;
  }
  if (task.commits) {
    return phase_.compare_exchange_strong(phase, committing, std::memory_order_acq_rel) || phase == committing;
  }
  return true;
}

void Run::fail(const Task& task) {
  std::exception_ptr error = std::current_exception();
  try {
    throw;
  } catch (const Error&) {  // says already what and where
  } catch (const std::exception& exception) {
    const Node& node = plan_->module.graph.node(task.node);
    error = std::make_exception_ptr(Error({.problem = exception.what(),
                                           .op = std::string(node.op->name),
                                           .node = node.name,
                                           .location = to_string(node.location)}));
  } catch (...) {
  }
  {
    const std::lock_guard guard(lock_);
    if (!error_) error_ = error;
  }
  phase_.store(cancelled_phase, std::memory_order_release);
}

void Run::rethrow_error() {
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

// ---- the whole run

void Run::set_up(const Plan& plan, Workspace& workspace, const RunInfo& info, const RunWatchers& watchers) {
  plan_ = &plan;
  workspace_ = &workspace;
  info_ = info;
  stop_ = watchers.stop;
  record_ = watchers.record;
  phase_.store(running, std::memory_order_relaxed);
}

void Run::run_serially(const Plan& plan, Workspace& workspace, const RunInfo& info, const RunWatchers& watchers) {
  set_up(plan, workspace, info, watchers);
  if (record_ != nullptr) record_->enter(0);
  for (size_t i = 0; i < plan.tasks.size(); ++i) {
    const Task& task = plan.tasks[i];
    if (task.follows) continue;
    if (stop_ != nullptr && !may_start(task)) break;
    const Task* current = &task;
    try {
      for (int64_t chunk = 0; chunk < task.chunks; ++chunk) {
        current = &task;
        call(task, chunk, 0, chunk > 0 && task.then == none);
        while (current->then != none) {
          current = &task_at(current->then);
          call(*current, chunk, 0, false);
        }
      }
      if (task.again != nullptr && task.again(call_of(task, 0, 0))) i -= static_cast<size_t>(task.back) + 1;
    } catch (...) {
      fail(*current);
      break;
    }
  }
  workers_that_ran_.store(1, std::memory_order_relaxed);
}

uint32_t Run::start(const Plan& plan, Workspace& workspace, const RunInfo& info, const RunWatchers& watchers,
                    ExecutorData& executor) {
  set_up(plan, workspace, info, watchers);
  executor_ = &executor;
  const size_t tasks = plan.tasks.size();
  if (counter_count_ < tasks * counters_per_task) {
    counters_ = std::make_unique<std::atomic<int64_t>[]>(tasks * counters_per_task);
    counter_count_ = tasks * counters_per_task;
  }
  ready_.clear();
  ready_count_.store(0, std::memory_order_relaxed);
  ready_.reserve(tasks);
  for (size_t i = 0; i < tasks; ++i) {
    const Task& task = plan.tasks[i];
    counter(static_cast<int>(i), dependencies_left).store(task.dependencies, std::memory_order_relaxed);
    counter(static_cast<int>(i), chunks_left).store(task.chunks, std::memory_order_relaxed);
    counter(static_cast<int>(i), taken_in_front).store(0, std::memory_order_relaxed);
    counter(static_cast<int>(i), taken_behind).store(0, std::memory_order_relaxed);
  }
  left_.store(static_cast<int64_t>(tasks), std::memory_order_relaxed);
  workers_that_ran_.store(0, std::memory_order_relaxed);
  for (size_t i = 0; i < tasks; ++i) {
    if (plan.tasks[i].dependencies == 0 && !plan.tasks[i].follows) push(static_cast<int>(i));
  }
  return gate_.open();
}

void Run::participate() {
  Patience patience;
  while (!over()) {
    if (has_ready()) {
      work(0);
      patience = {};
    } else {
      patience.wait();
    }
  }
}

void Run::help(int worker, uint32_t run) {
  do {
    helpers_.fetch_add(1, std::memory_order_relaxed);
    for (int polls = 0; polls < polls_before_leaving && gate_.is_open(run); ++polls) {
      if (!has_ready()) {
        __builtin_ia32_pause();
        continue;
      }
      if (!gate_.enter(run)) break;
      work(worker);
      gate_.leave();
      polls = 0;
    }
    // Until here complete() calls nobody else. All of it is sequentially consistent: either complete() sees that this
    // helper is gone, or the helper sees what complete() pushed.
    helpers_.fetch_sub(1);
  } while (gate_.is_open(run) && ready_count_.load() > 0);
}

void Run::finish() {
  gate_.close();
  Patience patience;
  while (!gate_.empty()) patience.wait();
}

// ---- the queue

void Run::push(int task) {
  const auto later = [&](int a, int b) { return task_at(a).priority < task_at(b).priority; };
  const std::lock_guard guard(lock_);
  ready_.push_back(task);
  std::push_heap(ready_.begin(), ready_.end(), later);
  ready_count_.store(static_cast<int>(ready_.size()));  // see help()
}

// Two workers begin at opposite ends: what neighbouring chunks have in common, each has to itself.
bool Run::take(int& task, int64_t& chunk, int worker) {
  if (!has_ready()) return false;
  const auto later = [&](int a, int b) { return task_at(a).priority < task_at(b).priority; };
  const std::lock_guard guard(lock_);
  if (ready_.empty()) return false;
  task = ready_.front();
  // Only ever under the lock.
  std::atomic<int64_t>&front = counter(task, taken_in_front), &behind = counter(task, taken_behind);
  const int64_t chunks = task_at(task).chunks;
  const int64_t in_front = front.load(std::memory_order_relaxed), at_end = behind.load(std::memory_order_relaxed);
  if (worker % 2 == 0) {
    chunk = in_front;
    front.store(in_front + 1, std::memory_order_relaxed);
  } else {
    chunk = chunks - 1 - at_end;
    behind.store(at_end + 1, std::memory_order_relaxed);
  }
  if (in_front + at_end + 1 == chunks) {
    std::pop_heap(ready_.begin(), ready_.end(), later);
    ready_.pop_back();
    ready_count_.store(static_cast<int>(ready_.size()), std::memory_order_relaxed);
  }
  return true;
}

void Run::work(int worker) {
  NextTasks mine;
  int task = none;
  int64_t chunk = 0;
  bool ran = false;
  int last = none;  // task, in which round
  int64_t last_round = 0;
  while (mine.pop(task) || take(task, chunk, worker)) {
    // The chunk, then those that follow it.
    for (; task != none; task = task_at(task).then) {
      const Task& current = task_at(task);
      if (!may_start(current)) return;
      if (!ran) {
        ran = true;
        workers_that_ran_.fetch_or(uint64_t{1} << worker, std::memory_order_relaxed);
        if (record_ != nullptr) record_->enter(worker);
      }
      const int64_t round = counter(task, round_of).load(std::memory_order_relaxed);
      try {
        call(current, chunk, worker, task == last && round == last_round);
      } catch (...) {
        fail(current);
        return;
      }
      if (counter(task, chunks_left).fetch_sub(1, std::memory_order_acq_rel) == 1 && !repeat(task, worker, mine)) {
        complete(task, mine);
      }
      last = task;
      last_round = round;
    }
    chunk = 0;
  }
}

bool Run::repeat(int task, int worker, NextTasks& mine) {
  const Task& done = task_at(task);
  if (done.again == nullptr || !done.again(call_of(done, 0, worker))) return false;
  const int first = task - done.back;
  for (int i = first; i <= task; ++i) {  // the steps of one node, a chain
    counter(i, dependencies_left).store(i == first ? 0 : 1, std::memory_order_relaxed);
    counter(i, chunks_left).store(task_at(i).chunks, std::memory_order_relaxed);
    counter(i, taken_in_front).store(0, std::memory_order_relaxed);
    counter(i, taken_behind).store(0, std::memory_order_relaxed);
    counter(i, round_of).fetch_add(1, std::memory_order_relaxed);
  }
  left_.fetch_add(done.back, std::memory_order_relaxed);
  make_ready(first, mine);
  call_for_help();
  return true;
}

// A successor that this task made ready goes on at once on this thread, which has the task's results in its caches and
// need not ask the queue; and so do successors that are not worth a hand-over. The others are for everybody.
void Run::make_ready(int task, NextTasks& mine) {
  if (task_at(task).chunks == 1) {
    if (task_at(task).nanoseconds < worth_handing_over_ns && mine.add_small(task)) return;
    if (mine.large() == none || task_at(task).priority > task_at(mine.large()).priority)
      task = mine.exchange_large(task);
    if (task == none) return;
  }
  push(task);
}

void Run::complete(int task, NextTasks& mine) {
  const Task& done = task_at(task);
  for (int i = 0; i < done.successors; ++i) {
    const int next = plan_->successors[static_cast<size_t>(done.successors_at + i)];
    if (counter(next, dependencies_left).fetch_sub(1, std::memory_order_acq_rel) == 1) make_ready(next, mine);
  }
  left_.fetch_sub(1, std::memory_order_acq_rel);
  call_for_help();
}

void Run::call_for_help() {
  if (has_ready() && helpers_.load() + 1 < executor_->threads()) executor_->more_work();
}

}  // namespace gradloom::inline v0
