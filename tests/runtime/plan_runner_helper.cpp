#include "plan_runner_helper.hpp"

#include <gradloom/runtime/executor.hpp>
#include <gradloom/runtime/passes_internal.hpp>
#include <gradloom/runtime/program.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

namespace gradloom::test {

namespace {

/// Aligned bytes with a margin that a kernel gone astray may touch.
class Memory {
 public:
  explicit Memory(size_t size) : lines_(size / 64 + 1 + 2 * margin_lines) { poison(); }
  void poison() { std::memset(lines_.data(), 0xFF, lines_.size() * sizeof(Line)); }  // nan in every float
  [[nodiscard]] std::byte* data() { return lines_[margin_lines].bytes; }

 private:
  static constexpr size_t margin_lines = 4;
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> lines_;
};

class Runner {
 public:
  Runner(const Plan& plan, const RandomGraph& made, uint64_t order_seed)
      : plan_(plan), rng_(order_seed), arena_(plan.arena_bytes), scratch_(plan.scratch_bytes) {
    for (const Storage& storage : plan.storages) {
      if (storage.address.base != 0) memory_.try_emplace(storage.address.base, storage.bytes);
    }
    for (const Slot& slot : plan.inputs) fill(slot.base, made.inputs[slot.name].raw(), slot.bytes());
    for (const Slot& slot : plan.parameters) fill(slot.base, made.state.get(slot.name).raw(), slot.bytes());
    for (const auto& [base, bytes] : plan.constants) {
      for (const Storage& storage : plan.storages) {
        if (storage.address.base == base) fill(base, bytes, storage.bytes);
      }
    }
  }

  void run(int64_t step) {
    arena_.poison();
    for (const Slot& slot : plan_.outputs) memory_.at(slot.base).poison();
    const RunInfo info{.step = step};
    std::vector<int> waits_for;
    for (const Task& task : plan_.tasks) waits_for.push_back(task.dependencies);
    left_.assign(plan_.tasks.size(), 0);
    ready_.clear();
    for (size_t i = 0; i < plan_.tasks.size(); ++i) {
      if (waits_for[i] == 0 && !plan_.tasks[i].follows) add_all_chunks_of(static_cast<int>(i));
    }
    while (!ready_.empty()) {
      // Any chunk of any task that has one ready.
      const size_t pick = rng_() % ready_.size();
      std::vector<int64_t>& chunks = ready_[pick].chunks;
      std::swap(chunks[rng_() % chunks.size()], chunks.back());
      const int done = ready_[pick].task;
      const int64_t chunk = chunks.back();
      chunks.pop_back();
      if (chunks.empty()) ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(pick));
      const Task& task = plan_.tasks[static_cast<size_t>(done)];
      if (task.chunks > 0) call(task, chunk, info);
      if (task.then >= 0) {
        if (task.chunks == left_[static_cast<size_t>(done)])
          left_[static_cast<size_t>(task.then)] = plan_.tasks[static_cast<size_t>(task.then)].chunks;
        add_chunk(task.then, chunk);
      }
      if (--left_[static_cast<size_t>(done)] > 0) continue;
      if (task.again != nullptr && task.again(call_of(task, 0, info))) {
        for (int i = done - task.back; i <= done; ++i) waits_for[static_cast<size_t>(i)] = 1;  // a chain
        add_all_chunks_of(done - task.back);
        continue;
      }
      for (int i = 0; i < task.successors; ++i) {
        const int next = plan_.successors[static_cast<size_t>(task.successors_at + i)];
        if (--waits_for[static_cast<size_t>(next)] == 0) add_all_chunks_of(next);
      }
    }
  }

  [[nodiscard]] Array copy_of(const Slot& slot) {
    Array array{std::span<const int64_t>(slot.sizes), slot.dtype};
    if (slot.bytes() > 0) std::memcpy(array.raw(), memory_.at(slot.base).data(), slot.bytes());
    return array;
  }

 private:
  struct Ready {
    int task;
    std::vector<int64_t> chunks;
  };

  void add_chunk(int task, int64_t chunk) {
    const auto known = std::find_if(ready_.begin(), ready_.end(), [&](const Ready& r) { return r.task == task; });
    if (known != ready_.end()) return known->chunks.push_back(chunk);
    ready_.push_back({task, {chunk}});
  }
  // At least one, that a task without chunks is done, too.
  void add_all_chunks_of(int task) {
    const int64_t chunks = std::max<int64_t>(plan_.tasks[static_cast<size_t>(task)].chunks, 1);
    left_[static_cast<size_t>(task)] = chunks;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) add_chunk(task, chunk);
  }

  void fill(int base, const void* bytes, size_t size) {
    if (size > 0) std::memcpy(memory_.at(base).data(), bytes, size);
  }

  void call(const Task& task, int64_t chunk, const RunInfo& info) {
    scratch_.poison();
    task.run(call_of(task, chunk, info));
  }

  KernelCall call_of(const Task& task, int64_t chunk, const RunInfo& info) {
    const auto pointer = [&](int at) -> std::byte* {
      const Address& address = plan_.addresses[static_cast<size_t>(at)];
      return (address.base == 0 ? arena_ : memory_.at(address.base)).data() + address.offset;
    };
    inputs_.clear();
    outputs_.clear();
    for (int i = 0; i < task.inputs; ++i) inputs_.push_back(pointer(task.inputs_at + i));
    for (int i = 0; i < task.outputs; ++i) outputs_.push_back(pointer(task.outputs_at + i));
    return {.inputs = inputs_.data(),
            .outputs = outputs_.data(),
            .params = task.params,
            .scratch = scratch_.data(),
            .shared = task.shared_offset < 0 ? nullptr : arena_.data() + task.shared_offset,
            .chunk = chunk,
            .chunks = task.chunks,
            .run = &info};
  }

  const Plan& plan_;
  std::mt19937_64 rng_;
  Memory arena_, scratch_;
  std::vector<const void*> inputs_;  // of the latest call
  std::vector<void*> outputs_;
  std::map<int, Memory> memory_;  // by base
  std::vector<Ready> ready_;
  std::vector<int64_t> left_;  // chunks, by task
};

}  // namespace

Plan plan_of(const RandomGraph& made, Fusion fusion) {
  Module module = specialize(snapshot({.outputs = made.outputs, .updates = made.updates}), {});
  if (fusion == Fusion::on) module = fuse(module);
  return make_plan(std::move(module), default_isa());
}

Results results_as_written(const RandomGraph& made) {
  const Program program = compile({.outputs = made.outputs, .updates = made.updates, .optimize = Optimize::none});
  const Executor executor{{.threads = 1}};
  State state = made.state;
  Results results;
  for (int run = 0; run < 2; ++run) {
    for (Array& output : program.run(executor, state, made.inputs)) results.push_back(std::move(output));
  }
  for (const std::string& name : state.names()) results.push_back(state.get(name));
  return results;
}

Results results_in_random_order(const Plan& plan, const RandomGraph& made, uint64_t order_seed) {
  Runner runner(plan, made, order_seed);
  Results results;
  for (int run = 0; run < 2; ++run) {
    runner.run(plan.updates ? run : 0);
    for (const Slot& slot : plan.outputs) results.push_back(runner.copy_of(slot));
  }
  std::map<std::string, Array> state;
  for (const std::string& name : made.state.names()) state[name] = made.state.get(name);
  for (const Slot& slot : plan.parameters) state[slot.name] = runner.copy_of(slot);
  for (const std::string& name : made.state.names()) results.push_back(state[name]);
  return results;
}

std::string difference(const Results& a, const Results& b) {
  if (a.size() != b.size()) return "the numbers of results differ";
  for (size_t i = 0; i < a.size(); ++i) {
    if (!same_bits(a[i], b[i]))
      return "result " + std::to_string(i) + ": " + a[i].to_string() + " and " + b[i].to_string();
  }
  return {};
}

}  // namespace gradloom::test
