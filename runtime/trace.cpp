#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/quoted_internal.hpp>
#include <gradloom/runtime/trace.hpp>
#include <gradloom/runtime/trace_internal.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace gradloom::inline v0 {

namespace {

// "encoder/dense_1/matmul_7"
std::string full_name(const Node& node) { return node.path.empty() ? node.label() : node.path + '/' + node.label(); }

std::string event_json(std::string_view name, std::string_view category, const TraceEvent& event, int64_t origin,
                       std::string_view arguments) {
  return fmt::format(R"({{"name":{},"cat":{},"ph":"X","pid":{},"tid":{},"ts":{:.3f},"dur":{:.3f},"args":{{{}}}}})",
                     quoted(name), quoted(category), getpid(), event.thread,
                     static_cast<double>(event.begin - origin) / 1000,
                     static_cast<double>(event.end - event.begin) / 1000, arguments);
}

}  // namespace

int64_t trace_clock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// ---- one run

RunRecord::RunRecord(std::shared_ptr<const Plan> plan, int workers, int64_t step)
    : plan_(std::move(plan)), step_(step), workers_(static_cast<size_t>(workers)) {
  // Room for all that a worker may run: a list that grew in the middle of a run would show up in its own record.
  size_t chunks = 0;
  for (const Task& task : plan_->tasks) chunks += static_cast<size_t>(task.chunks);
  for (Worker& worker : workers_) worker.events.reserve(chunks);
  whole_.thread = gettid();
  whole_.begin = trace_clock();
}

void RunRecord::enter(int worker) { workers_[static_cast<size_t>(worker)].thread = gettid(); }

void RunRecord::add(int worker, TraceEvent event) {
  Worker& mine = workers_[static_cast<size_t>(worker)];
  event.thread = mine.thread;
  mine.events.push_back(event);
}

void RunRecord::close() {
  whole_.end = trace_clock();
  for (const Worker& worker : workers_) events_.insert(events_.end(), worker.events.begin(), worker.events.end());
  workers_.clear();
  workers_.shrink_to_fit();
}

std::vector<KernelStats> RunRecord::kernels() const {
  const Graph& graph = plan_->module.graph;
  std::vector<KernelStats> by_node(static_cast<size_t>(graph.node_count()));
  for (const TraceEvent& event : events()) {
    KernelStats& kernel = by_node[static_cast<size_t>(plan_->tasks[static_cast<size_t>(event.task)].node)];
    kernel.calls += event.traffic.calls;
    kernel.bytes_read += event.traffic.read;
    kernel.bytes_written += event.traffic.written;
    kernel.microseconds += static_cast<double>(event.end - event.begin) / 1000;
  }
  std::vector<KernelStats> kernels;
  std::vector<bool> taken(by_node.size(), false);
  for (const Task& task : plan_->tasks) {
    const auto node = static_cast<size_t>(task.node);
    if (taken[node] || by_node[node].calls == 0) continue;
    taken[node] = true;
    by_node[node].name = full_name(graph.node(task.node));
    by_node[node].kernel = kernel_name(graph.node(task.node));
    kernels.push_back(std::move(by_node[node]));
  }
  return kernels;
}

std::string describe(std::span<const KernelStats> kernels) {
  if (kernels.empty()) return "";
  std::string text = fmt::format("---- kernels of the latest traced run\n  {:>6} {:>12} {:>12} {:>10}  kernel\n",
                                 "calls", "bytes read", "written", "us");
  KernelStats all;
  const auto line = [&](const KernelStats& kernel) {
    text += fmt::format("  {:>6} {:>12} {:>12} {:>10.1f}  {}\n", kernel.calls, kernel.bytes_read, kernel.bytes_written,
                        kernel.microseconds,
                        kernel.kernel.empty() ? kernel.name : fmt::format("{} {}", kernel.kernel, kernel.name));
  };
  for (const KernelStats& kernel : kernels) {
    line(kernel);
    all.calls += kernel.calls;
    all.bytes_read += kernel.bytes_read;
    all.bytes_written += kernel.bytes_written;
    all.microseconds += kernel.microseconds;
  }
  all.name = "in all";
  line(all);
  return text;
}

// ---- all runs

void TraceData::add(RunRecord record) {
  const std::lock_guard guard(mutex_);
  records_.push_back(std::move(record));
}

int64_t TraceData::runs() const {
  const std::lock_guard guard(mutex_);
  return static_cast<int64_t>(records_.size());
}

void TraceData::clear() {
  const std::lock_guard guard(mutex_);
  records_.clear();
}

std::string TraceData::json() const {
  const std::lock_guard guard(mutex_);
  std::string text = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
  const auto append = [&](const std::string& event) {
    text += text.back() == '[' ? "\n" : ",\n";
    text += event;
  };
  for (const RunRecord& record : records_) {
    const Plan& plan = record.plan();
    append(event_json("run", "run", record.whole(), origin_, fmt::format("\"step\":{}", record.step())));
    for (const TraceEvent& event : record.events()) {
      const Task& task = plan.tasks[static_cast<size_t>(event.task)];
      const Node& node = plan.module.graph.node(task.node);
      append(event_json(full_name(node), node.op->name, event, origin_,
                        fmt::format(R"("kernel":{},"chunk":{},"chunks":{},"read":{},"written":{},"line":{})",
                                    quoted(kernel_name(node)), event.chunk, task.chunks, event.traffic.read,
                                    event.traffic.written, quoted(to_string(node.location)))));
    }
  }
  return text + "\n]}\n";
}

std::vector<TracedChunk> TraceData::chunks() const {
  const std::lock_guard guard(mutex_);
  const auto microseconds = [&](int64_t time) { return static_cast<double>(time - origin_) / 1000; };
  std::vector<TracedChunk> chunks;
  for (size_t run = 0; run < records_.size(); ++run) {
    const Plan& plan = records_[run].plan();
    for (const TraceEvent& event : records_[run].events()) {
      const Task& task = plan.tasks[static_cast<size_t>(event.task)];
      const Node& node = plan.module.graph.node(task.node);
      chunks.push_back({.name = full_name(node),
                        .kernel = kernel_name(node),
                        .run = static_cast<int64_t>(run),
                        .chunk = event.chunk,
                        .chunks = task.chunks,
                        .thread = event.thread,
                        .begin = microseconds(event.begin),
                        .end = microseconds(event.end)});
    }
  }
  std::stable_sort(chunks.begin(), chunks.end(),
                   [](const TracedChunk& a, const TracedChunk& b) { return a.begin < b.begin; });
  return chunks;
}

void retain(TraceData* data) {
  if (data != nullptr) data->references.fetch_add(1, std::memory_order_relaxed);
}
void release(TraceData* data) {
  if (data != nullptr && data->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete data;
}

Trace::Trace() : data_(new TraceData) {}
std::string Trace::json() const { return data_->json(); }
std::vector<TracedChunk> Trace::chunks() const { return data_->chunks(); }
int64_t Trace::runs() const { return data_->runs(); }
void Trace::clear() { data_->clear(); }

}  // namespace gradloom::inline v0
