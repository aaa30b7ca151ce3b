// One run: the queue of ready chunks and what each participant does with it.
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/runtime/executor_internal.hpp>
#include <gradloom/runtime/trace_internal.hpp>

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

namespace gradloom::inline v0 {

namespace {

constexpr int dependencies_left = 0, chunks_left = 1, next_chunk = 2;
constexpr int none = -1;

// About 50 us of pauses: longer than most gaps between the tasks of a step, shorter than it takes to wake a thread
// twice.
constexpr int polls_before_leaving = 1500;

}  // namespace

Buffer::~Buffer() { std::free(data_); }

void* Buffer::reserve(size_t size) {
  if (size <= size_) return data_;
  constexpr size_t huge_page = size_t{2} << 20;
  const size_t alignment = size >= huge_page ? huge_page : 64;
  const size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* const fresh = std::aligned_alloc(alignment, rounded);
  if (fresh == nullptr) throw Error(fmt::format("no memory for a workspace of {} bytes", size));
  if (alignment == huge_page) madvise(fresh, rounded, MADV_HUGEPAGE);
  std::free(data_);
  data_ = fresh;
  size_ = rounded;
  return data_;
}

Run::Run(const Plan& plan, Workspace& workspace, const RunInfo& info, const RunWatchers& watchers)
    : plan_(plan),
      workspace_(workspace),
      info_(info),
      stop_(watchers.stop),
      record_(watchers.record),
      ready_(workspace.ready) {}

void Run::call(const Task& task, int64_t chunk, int worker) const {
  const KernelCall call{
      .inputs = workspace_.pointers.data() + task.inputs_at,
      .outputs = workspace_.pointers.data() + task.outputs_at,
      .params = task.params,
      .scratch = workspace_.scratch[static_cast<size_t>(worker)].data(),
      .shared = task.shared_offset < 0 ? nullptr : static_cast<std::byte*>(workspace_.bases[0]) + task.shared_offset,
      .chunk = chunk,
      .chunks = task.chunks,
      .run = &info_};
  if (record_ == nullptr) {
    task.run(call);
  } else {
    call_recorded(task, call, worker);
  }
}

void Run::call_recorded(const Task& task, KernelCall call, int worker) const {
  TraceEvent event{.task = static_cast<int>(&task - plan_.tasks.data()), .chunk = call.chunk};
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

void Run::run_serially() {
  if (record_ != nullptr) record_->enter(0);
  for (const Task& task : plan_.tasks) {
    if (!may_start(task)) break;
    try {
      for (int64_t chunk = 0; chunk < task.chunks; ++chunk) call(task, chunk, 0);
    } catch (...) {
      fail(task);
      break;
    }
  }
  workers_that_ran_.store(1, std::memory_order_relaxed);
}

void Run::fail(const Task& task) {
  std::exception_ptr error = std::current_exception();
  try {
    throw;
  } catch (const Error&) {  // says already what and where
  } catch (const std::exception& exception) {
    const Node& node = plan_.module.graph.node(task.node);
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
  if (error_) std::rethrow_exception(error_);
}

// ---- the queue

void Run::push(int task) {
  const auto later = [&](int a, int b) {
    return plan_.tasks[static_cast<size_t>(a)].priority < plan_.tasks[static_cast<size_t>(b)].priority;
  };
  const std::lock_guard guard(lock_);
  ready_.push_back(task);
  std::push_heap(ready_.begin(), ready_.end(), later);
  ready_count_.store(static_cast<int>(ready_.size()), std::memory_order_relaxed);
}

bool Run::take(int& task, int64_t& chunk) {
  if (!has_ready()) return false;
  const auto later = [&](int a, int b) {
    return plan_.tasks[static_cast<size_t>(a)].priority < plan_.tasks[static_cast<size_t>(b)].priority;
  };
  const std::lock_guard guard(lock_);
  if (ready_.empty()) return false;
  task = ready_.front();
  std::atomic<int64_t>& next = counter(task, next_chunk);
  chunk = next.load(std::memory_order_relaxed);
  next.store(chunk + 1, std::memory_order_relaxed);  // only ever under the lock
  if (chunk + 1 == plan_.tasks[static_cast<size_t>(task)].chunks) {
    std::pop_heap(ready_.begin(), ready_.end(), later);
    ready_.pop_back();
    ready_count_.store(static_cast<int>(ready_.size()), std::memory_order_relaxed);
  }
  return true;
}

void Run::prepare(ExecutorData& executor) {
  executor_ = &executor;
  const size_t tasks = plan_.tasks.size();
  if (workspace_.counter_count < tasks * 3) {
    workspace_.counters = std::make_unique<std::atomic<int64_t>[]>(tasks * 3);
    workspace_.counter_count = tasks * 3;
  }
  ready_.clear();
  ready_.reserve(tasks);
  for (size_t i = 0; i < tasks; ++i) {
    const Task& task = plan_.tasks[i];
    counter(static_cast<int>(i), dependencies_left).store(task.dependencies, std::memory_order_relaxed);
    counter(static_cast<int>(i), chunks_left).store(task.chunks, std::memory_order_relaxed);
    counter(static_cast<int>(i), next_chunk).store(0, std::memory_order_relaxed);
  }
  left_.store(static_cast<int64_t>(tasks), std::memory_order_relaxed);
  for (size_t i = 0; i < tasks; ++i) {
    if (plan_.tasks[i].dependencies == 0) push(static_cast<int>(i));
  }
}

void Run::participate(int worker) {
  if (record_ != nullptr) record_->enter(worker);
  int idle = 0;
  bool ran = false;
  int task = none;  // what to do next without asking the queue
  while (!over()) {
    int64_t chunk = 0;
    if (task == none && !take(task, chunk)) {
      if (++idle > polls_before_leaving) {
        if (worker > 0) return;
        std::this_thread::yield();
      } else {
        __builtin_ia32_pause();
      }
      continue;
    }
    idle = 0;
    const Task& current = plan_.tasks[static_cast<size_t>(task)];
    if (!may_start(current)) break;
    if (!ran) {
      ran = true;
      workers_that_ran_.fetch_or(uint64_t{1} << worker, std::memory_order_relaxed);
    }
    try {
      call(current, chunk, worker);
    } catch (...) {
      fail(current);
      break;
    }
    task = counter(task, chunks_left).fetch_sub(1, std::memory_order_acq_rel) == 1 ? complete(task) : none;
  }
}

// A successor that this task made ready goes on at once on this thread, which has the task's results in its caches and
// need not ask the queue; the others are for everybody.
int Run::complete(int task) {
  const Task& done = plan_.tasks[static_cast<size_t>(task)];
  int mine = none;
  for (int i = 0; i < done.successors; ++i) {
    const int next = plan_.successors[static_cast<size_t>(done.successors_at + i)];
    if (counter(next, dependencies_left).fetch_sub(1, std::memory_order_acq_rel) != 1) continue;
    if (plan_.tasks[static_cast<size_t>(next)].chunks > 1) {
      push(next);
    } else if (mine == none) {
      mine = next;
    } else if (plan_.tasks[static_cast<size_t>(next)].priority > plan_.tasks[static_cast<size_t>(mine)].priority) {
      push(mine);
      mine = next;
    } else {
      push(next);
    }
  }
  left_.fetch_sub(1, std::memory_order_acq_rel);
  if (has_ready() && participants.load(std::memory_order_relaxed) < executor_->threads()) executor_->more_work();
  return mine;
}

}  // namespace gradloom::inline v0
