// What a traced run records, and where it ends up.
#pragma once

#include <gradloom/runtime/plan_internal.hpp>
#include <gradloom/runtime/program.hpp>
#include <gradloom/runtime/trace.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace gradloom::inline v0 {

/// One chunk of a task. Times are those of the steady clock, in nanoseconds.
struct TraceEvent {
  int task = 0;
  int thread = 0;  // the operating system's number
  int64_t chunk = 0;
  int64_t begin = 0, end = 0;
  Traffic traffic;
};

[[nodiscard]] int64_t trace_clock();

/// One run's record. Each worker has a list of its own, so that none waits for another.
class RunRecord {
 public:
  RunRecord(std::shared_ptr<const Plan> plan, int workers, int64_t step);

  /// The calling thread is now `worker`.
  void enter(int worker);
  void add(int worker, TraceEvent event);
  /// After the last event: gathers the lists.
  void close();

  [[nodiscard]] const Plan& plan() const { return *plan_; }
  [[nodiscard]] int64_t step() const { return step_; }
  /// Of the whole run, on the thread that asked for it; the chunk is the number of chunks.
  [[nodiscard]] const TraceEvent& whole() const { return whole_; }
  /// Of all workers, once closed.
  [[nodiscard]] const std::vector<TraceEvent>& events() const { return events_; }
  /// Summed up by kernel, in the order of the plan.
  [[nodiscard]] std::vector<KernelStats> kernels() const;

 private:
  struct Worker {
    int thread = 0;
    std::vector<TraceEvent> events;
  };

  std::shared_ptr<const Plan> plan_;
  int64_t step_;
  TraceEvent whole_;
  std::vector<Worker> workers_;
  std::vector<TraceEvent> events_;
};

class TraceData {
 public:
  void add(RunRecord record);
  [[nodiscard]] std::string json() const;
  [[nodiscard]] std::vector<TracedChunk> chunks() const;
  [[nodiscard]] int64_t runs() const;
  void clear();

  std::atomic<int> references{1};

 private:
  mutable std::mutex mutex_;
  int64_t origin_ = trace_clock();
  std::vector<RunRecord> records_;
};

/// The table that explain() ends with after a traced run.
[[nodiscard]] std::string describe(std::span<const KernelStats> kernels);

}  // namespace gradloom::inline v0
