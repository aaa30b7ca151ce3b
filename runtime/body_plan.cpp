#include <gradloom/ops/philox.hpp>
#include <gradloom/runtime/body_plan_internal.hpp>

#include <algorithm>
#include <cassert>

namespace gradloom::inline v0 {

namespace {

constexpr size_t alignment = 64;

size_t aligned(size_t offset) { return (offset + alignment - 1) / alignment * alignment; }

}  // namespace

uint64_t step_seed(uint64_t seed, int64_t position) {
  return philox_key(seed, stream_of_name("step") + static_cast<uint64_t>(position));
}

bool again_body_level(const KernelCall& call) {
  const auto& level = *static_cast<const BodyLevel*>(call.params);
  return level.body->again(level, call);
}

void run_body_level(const KernelCall& call) {
  const auto& level = *static_cast<const BodyLevel*>(call.params);
  level.body->run(level, call);
}

BodyPlan::BodyPlan(const Subgraph& body, std::span<const Tensor> outputs, const KernelRequest& request, int64_t times,
                   size_t offset)
    : plan_(make_plan(Rewriter(body.graph, outputs, {}).run(), request.isa(), Joining::none, times * request.calls())) {
  for (const Tensor& input : body.graph.inputs()) {
    const auto slot = std::find_if(plan_.inputs.begin(), plan_.inputs.end(),
                                   [&](const Slot& s) { return s.name == input.node().name; });
    input_bases_.push_back(slot == plan_.inputs.end() ? -1 : slot->base);
  }
  make_levels();
  frame_offset_ = aligned(offset);
  bases_offset_ = frame_offset_ + aligned(sizeof(BodyFrame));
  pointers_offset_ = bases_offset_ + aligned(static_cast<size_t>(plan_.bases) * sizeof(void*));
  arena_offset_ = pointers_offset_ + aligned(plan_.addresses.size() * sizeof(void*));
  end_ = arena_offset_ + aligned(plan_.arena_bytes);
}

void BodyPlan::make_levels() {
  const std::vector<Task>& tasks = plan_.tasks;
  const bool has_loop = std::any_of(tasks.begin(), tasks.end(), [](const Task& task) { return task.again != nullptr; });
  std::vector<size_t> level_of(tasks.size(), 0);
  for (size_t i = 0; i < tasks.size(); ++i) {
    // A loop in the body repeats tasks that follow each other, so nothing else may be among them.
    if (has_loop) level_of[i] = i;
    for (int s = 0; s < tasks[i].successors; ++s) {
      const auto next = static_cast<size_t>(plan_.successors[static_cast<size_t>(tasks[i].successors_at + s)]);
      level_of[next] = std::max(level_of[next], level_of[i] + 1);
    }
  }
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (level_of[i] >= levels_.size()) levels_.resize(level_of[i] + 1);
    BodyLevel& level = levels_[level_of[i]];
    level.body = this;
    level.parts.push_back({&tasks[i], level.chunks});
    level.chunks += tasks[i].chunks;
    level.nanoseconds += tasks[i].nanoseconds;
    if (tasks[i].again != nullptr) level.back = tasks[i].back;
  }
}

void BodyPlan::add_steps(KernelPlan& kernel, Kernel level, bool (*goes_on)(const KernelCall&), double times) const {
  for (const BodyLevel& tasks : levels_) {
    const double nanoseconds = std::max(tasks.nanoseconds, 1.0) * times;
    kernel.steps.push_back({.run = level,
                            .chunks = tasks.chunks,
                            .params = &tasks,
                            .nanoseconds = nanoseconds,
                            .again = tasks.back < 0 ? nullptr : goes_on,
                            .back = std::max(tasks.back, 0)});
    kernel.nanoseconds += nanoseconds;
  }
  kernel.scratch_bytes = std::max(kernel.scratch_bytes, plan_.scratch_bytes);
}

BodyFrame& BodyPlan::frame(void* shared) const {
  return *reinterpret_cast<BodyFrame*>(static_cast<std::byte*>(shared) + frame_offset_);
}
void** BodyPlan::bases(void* shared) const {
  return reinterpret_cast<void**>(static_cast<std::byte*>(shared) + bases_offset_);
}
void** BodyPlan::pointers(void* shared) const {
  return reinterpret_cast<void**>(static_cast<std::byte*>(shared) + pointers_offset_);
}

void BodyPlan::place_input(void* shared, size_t i, const void* at) const {
  if (input_bases_[i] >= 0) bases(shared)[input_bases_[i]] = const_cast<void*>(at);  // kernels only read there
}

void BodyPlan::place_output(void* shared, size_t i, void* at) const { bases(shared)[plan_.outputs[i].base] = at; }

void BodyPlan::bind(void* shared) const {
  void** const base = bases(shared);
  base[0] = static_cast<std::byte*>(shared) + arena_offset_;
  for (const auto& [at, bytes] : plan_.constants) base[at] = const_cast<void*>(bytes);
  void** const pointer = pointers(shared);
  for (size_t i = 0; i < plan_.addresses.size(); ++i) {
    const Address& address = plan_.addresses[i];
    pointer[i] = static_cast<std::byte*>(base[address.base]) + address.offset;
  }
}

KernelCall BodyPlan::call_of(const BodyLevel::Part& part, const KernelCall& call) const {
  const Task& task = *part.task;
  void** const pointer = pointers(call.shared);
  return {.inputs = pointer + task.inputs_at,
          .outputs = pointer + task.outputs_at,
          .params = task.params,
          .scratch = call.scratch,
          .shared = task.shared_offset < 0 ? nullptr
                                           : static_cast<std::byte*>(call.shared) + arena_offset_ + task.shared_offset,
          .chunk = call.chunk - part.first_chunk,
          .chunks = task.chunks,
          .run = &frame(call.shared).run,
          .traffic = call.traffic};
}

void BodyPlan::run(const BodyLevel& level, const KernelCall& call) const {
  size_t part = 0;
  while (part + 1 < level.parts.size() && level.parts[part + 1].first_chunk <= call.chunk) ++part;
  level.parts[part].task->run(call_of(level.parts[part], call));
}

bool BodyPlan::again(const BodyLevel& level, const KernelCall& call) const {
  return level.parts[0].task->again(call_of(level.parts[0], call));
}

}  // namespace gradloom::inline v0
