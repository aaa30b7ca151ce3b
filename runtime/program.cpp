// compile() and what a Program does before and after its tasks run.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/text_internal.hpp>
#include <gradloom/runtime/program.hpp>
#include <gradloom/runtime/program_internal.hpp>
#include <gradloom/runtime/trace_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace gradloom::inline v0 {

namespace {

template <class T>
void retain_any(T* data) {
  if (data != nullptr) data->references.fetch_add(1, std::memory_order_relaxed);
}
template <class T>
void release_any(T* data) {
  if (data != nullptr && data->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete data;
}

// A run's claim on its State, for as long as it lives: to read it beside others, or to change it alone.
class Claim {
 public:
  Claim(StateData& state, bool changes) : state_(state) { take(changes); }
  ~Claim() { release(); }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  void change() {
    release();
    take(true);
  }

 private:
  enum class Held : uint8_t { nothing, shared, alone };

  void take(bool changes) {
    int runs = state_.runs.load(std::memory_order_relaxed);
    do {
      if (runs < 0 || (changes && runs > 0)) {
        throw Error({.problem = fmt::format("the State is being {} by another run", runs < 0 ? "updated" : "read"),
                     .op = "run",
                     .rule =
                         "runs may read a State together; one that updates it, or gives it values that it lacks, has "
                         "it alone"});
      }
    } while (!state_.runs.compare_exchange_weak(runs, changes ? -1 : runs + 1, std::memory_order_acq_rel));
    held_ = changes ? Held::alone : Held::shared;
  }
  void release() {
    if (held_ == Held::alone) state_.runs.store(0, std::memory_order_release);
    if (held_ == Held::shared) state_.runs.fetch_sub(1, std::memory_order_release);
    held_ = Held::nothing;
  }

  StateData& state_;
  Held held_ = Held::nothing;
};

bool overlap(const Array& a, const void* begin, size_t bytes) {
  const auto* const first = static_cast<const std::byte*>(a.raw());
  const auto* const other = static_cast<const std::byte*>(begin);
  return bytes > 0 && a.byte_size() > 0 && first < other + bytes && other < first + a.byte_size();
}

}  // namespace

std::string type_of(const Array& array) {
  return to_string(TensorType{array.dtype(), Shape(std::span<const int64_t>(array.sizes()))});
}

std::string text_of(const Module& module) {
  std::vector<Tensor> results = module.outputs;
  for (const Update& update : module.updates) results.push_back(update.value);
  return to_short_text(module.graph, results);
}

void retain(ProgramData* data) { retain_any(data); }
void release(ProgramData* data) { release_any(data); }
void retain(StopData* data) { retain_any(data); }
void release(StopData* data) { release_any(data); }

StopToken::StopToken() : data_(new StopData) {}
void StopToken::request_stop() const { data_->requested.store(true, std::memory_order_release); }
bool StopToken::stop_requested() const { return data_->requested.load(std::memory_order_acquire); }

Program compile(const CompileOptions& options) {
  Program program;
  program.data_ = Handle<ProgramData>(new ProgramData(options));
  return program;
}

ProgramData::ProgramData(const CompileOptions& options)
    : isa_(options.isa.empty() ? default_isa() : parse_isa(options.isa)),
      optimize_(options.optimize),
      fast_convolution_(options.fast_convolution),
      narrow_(options.storage == DType::bf16),
      fixed_weights_(options.constants != nullptr && options.mode == Mode::inference),
      without_passes_(options.without_passes),
      most_specializations_(static_cast<size_t>(std::max(options.specializations, 1))),
      memory_budget_(options.memory_budget) {
  if (isa_ > supported_isas().back()) {
    throw Error(
        fmt::format("this CPU has no {}; the best it has is {}", to_string(isa_), to_string(supported_isas().back())));
  }
  if (options.storage != DType::f32 && options.storage != DType::bf16) {
    throw Error({.problem = fmt::format("storage is {}", to_string(options.storage)),
                 .op = "compile",
                 .rule = "what is kept of f32 for long is stored as f32 or bf16"});
  }
  module_ = snapshot(options);
  const Graph& user_graph = options.outputs.empty() ? options.updates[0].value.graph() : options.outputs[0].graph();
  for (const Tensor& input : user_graph.inputs()) known_inputs_.insert(input.node().name);
  const auto log = [&](const char* pass) { log_ += fmt::format("---- {}\n{}", pass, text_of(module_)); };
  log("declared");
  module_ = select_mode(module_, options.mode);
  log("mode");
  if (options.constants != nullptr) {
    module_ = bake_constants(module_, *options.constants);
    log("constants");
  }
  for (const Tensor& input : module_.graph.inputs()) {
    inputs_.push_back({input.node().name, input.node().outputs[0], to_string(input.node().location)});
  }
  for (const Tensor& parameter : module_.graph.parameters()) {
    const Node& node = parameter.node();
    parameters_.push_back({node.name, node.outputs[0].dtype, node.outputs[0].shape.sizes(), 0, node.id});
    initializers_.push_back(initializer_of(node));
  }
  updates_ = !module_.updates.empty();
}

// ---- running

std::vector<std::string> ProgramData::initialize_missing(StateData& state) const {
  std::vector<std::string> added;
  std::vector<std::string> problems;
  for (const Slot& slot : parameters_) {
    const auto found = state.values.find(slot.name);
    if (found == state.values.end()) {
      added.push_back(slot.name);
    } else if (found->second.dtype() != slot.dtype || found->second.sizes() != slot.sizes) {
      problems.push_back(fmt::format("\"{}\" is {} in the State and {} in the Program", slot.name,
                                     type_of(found->second),
                                     to_string(TensorType{slot.dtype, Shape(std::span<const int64_t>(slot.sizes))})));
    }
  }
  if (!problems.empty()) {
    throw Error({.problem = "the State does not fit the Program",
                 .op = "run",
                 .details = fmt::format("{}", fmt::join(problems, "\n  ")),
                 .rule = "a State's values have the dtypes and shapes of the parameters of that name"});
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (state.values.contains(parameters_[i].name)) continue;
    state.values.emplace(parameters_[i].name, initial_value(parameters_[i], initializers_[i], state.seed));
  }
  if (!added.empty()) state.version = next_state_version();
  return added;
}

void ProgramData::bind(const Specialization& specialization, StateData& state, std::span<const Array* const> arrays,
                       std::span<Array> outputs, Workspace& workspace) const {
  const Plan& plan = specialization.plan;
  const bool known = workspace.bound == &specialization && workspace.bound_version == state.version;
  workspace.bound = nullptr;  // until all is well
  bool moved = !known;
  const auto place = [&](int base, const void* at) {
    void*& placed = workspace.bases[static_cast<size_t>(base)];
    moved |= placed != at;
    placed = const_cast<void*>(at);  // kernels only read through what the plan calls an input
  };
  workspace.bases.resize(static_cast<size_t>(plan.bases));
  place(0, workspace.arena.reserve(plan.arena_bytes));
  for (Buffer& scratch : workspace.scratch) scratch.reserve(plan.scratch_bytes);
  if (!known) {
    for (const auto& [base, bytes] : plan.constants) place(base, bytes);
    for (const Slot& slot : plan.parameters) place(slot.base, state.values.find(slot.name)->second.raw());
  }
  workspace.staged.resize(std::max(workspace.staged.size(), plan.inputs.size()));
  for (size_t i = 0; i < plan.inputs.size(); ++i) {
    const Array* array = arrays[static_cast<size_t>(specialization.declared[i])];
    if (!array->contiguous()) {  // kernels read dense memory
      Array& dense = workspace.staged[i];
      if (dense.dtype() == array->dtype() && dense.sizes() == array->sizes()) {
        dense.assign(*array);
      } else {
        dense = array->clone();
      }
      array = &dense;
    }
    place(plan.inputs[i].base, array->raw());
  }
  for (size_t i = 0; i < plan.outputs.size(); ++i) place(plan.outputs[i].base, outputs[i].raw());
  if (moved) {  // seldom, where a loop reuses its Arrays
    workspace.pointers.resize(plan.addresses.size());
    for (size_t i = 0; i < plan.addresses.size(); ++i) {
      const Address& address = plan.addresses[i];
      workspace.pointers[i] =
          static_cast<std::byte*>(workspace.bases[static_cast<size_t>(address.base)]) + address.offset;
    }
  }
  workspace.bound = &specialization;
  workspace.bound_version = state.version;
}

void ProgramData::run(const Executor& executor, StateData& state, bool may_update, const Batch& inputs,
                      std::vector<Array>* made, std::span<Array> given, const RunOptions& options) {
  ExecutorData& data = ExecutorAccess::data(executor);
  std::unique_ptr<Workspace> workspace = data.take_workspace();
  struct Return {
    ExecutorData& data;
    std::unique_ptr<Workspace>& workspace;
    ~Return() { data.give_back(std::move(workspace)); }
  } const giving_back{data, workspace};

  const Specialization& specialization = specialization_for(inputs, *workspace);
  const Plan& plan = specialization.plan;
  if (updates_ && !may_update) {
    throw Error({.problem = "the Program has updates but the State is const",
                 .op = "run",
                 .rule = "a run that updates needs a State it may write to"});
  }
  std::span<Array> outputs = given;
  if (made != nullptr) {
    for (const Slot& slot : plan.outputs) made->emplace_back(std::span<const int64_t>(slot.sizes), slot.dtype);
    outputs = *made;
  }
  check_outputs(plan, outputs);

  Claim claim(state, may_update && updates_);
  std::vector<std::string> added;
  if (workspace->bound != &specialization || workspace->bound_version != state.version) {
    if (may_update) {
      if (!updates_ && !has_all(state)) claim.change();
      added = initialize_missing(state);
    } else {
      require_all(state);
    }
  }
  // An output that lies over an input would be overwritten while it is read: it is made aside and copied.
  std::vector<Array> aside;
  for (const Array& output : outputs) {
    const bool overlaps = std::any_of(workspace->arrays.begin(), workspace->arrays.end(), [&](const Array* input) {
      return overlap(output, input->raw(), input->contiguous() ? input->byte_size() : 1);
    });
    if (overlaps && aside.empty()) {
      for (const Slot& slot : plan.outputs) aside.emplace_back(std::span<const int64_t>(slot.sizes), slot.dtype);
    }
  }
  const auto forget_added = [&] {
    for (const std::string& name : added) state.values.erase(name);
    if (!added.empty()) state.version = next_state_version();
  };
  std::optional<RunRecord> record;
  if (options.trace != nullptr)
    record.emplace(std::shared_ptr<const Plan>(workspace->keeps, &plan), data.threads(), state.step);
  try {
    bind(specialization, state, workspace->arrays, aside.empty() ? outputs : std::span<Array>(aside), *workspace);
    data.execute(plan, *workspace, {.seed = state.seed, .step = state.step},
                 {.stop = options.stop, .record = record ? &*record : nullptr});
  } catch (...) {
    forget_added();  // the State is as it was before
    throw;
  }
  for (size_t i = 0; i < aside.size(); ++i) outputs[i].assign(aside[i]);
  if (updates_) ++state.step;
  if (record) {
    record->close();
    std::vector<KernelStats> kernels = record->kernels();
    {
      const std::lock_guard guard(mutex_);
      specialization.traced = std::move(kernels);
    }
    options.trace->data_->add(std::move(*record));
  }
}

void ProgramData::check_outputs(const Plan& plan, std::span<const Array> outputs) const {
  std::string problem;
  if (outputs.size() != plan.outputs.size()) {
    problem = fmt::format("{} outputs given, the Program has {}", outputs.size(), plan.outputs.size());
  }
  for (size_t i = 0; problem.empty() && i < outputs.size(); ++i) {
    const Slot& slot = plan.outputs[i];
    if (outputs[i].read_only()) {
      problem = fmt::format("output {} is a view of const memory", i);
    } else if (outputs[i].dtype() != slot.dtype || outputs[i].sizes() != slot.sizes || !outputs[i].contiguous()) {
      problem = fmt::format("output {} is {}{}, not {}", i, type_of(outputs[i]),
                            outputs[i].contiguous() ? "" : " with strides",
                            to_string(TensorType{slot.dtype, Shape(std::span<const int64_t>(slot.sizes))}));
    }
  }
  for (size_t i = 0; problem.empty() && i < outputs.size(); ++i) {
    for (size_t j = 0; problem.empty() && j < i; ++j) {
      if (overlap(outputs[i], outputs[j].raw(), outputs[j].byte_size()))
        problem = fmt::format("outputs {} and {} share memory", j, i);
    }
  }
  if (problem.empty()) return;
  throw Error(
      {.problem = problem,
       .op = "run",
       .rule = "outputs are given as dense Arrays of the Program's dtypes and sizes, each with its own memory"});
}

bool ProgramData::has_all(const StateData& state) const {
  return std::all_of(parameters_.begin(), parameters_.end(),
                     [&](const Slot& slot) { return state.values.contains(slot.name); });
}

void ProgramData::require_all(const StateData& state) const {
  std::vector<std::string> missing;
  for (const Slot& slot : parameters_) {
    const auto found = state.values.find(slot.name);
    if (found == state.values.end() || found->second.dtype() != slot.dtype || found->second.sizes() != slot.sizes) {
      missing.push_back(fmt::format("\"{}\", {}", slot.name,
                                    to_string(TensorType{slot.dtype, Shape(std::span<const int64_t>(slot.sizes))})));
    }
  }
  if (missing.empty()) return;
  throw Error({.problem = "the State, which is const, lacks values",
               .op = "run",
               .details = fmt::format("{}", fmt::join(missing, "\n  ")),
               .rule = "Program::initialize, a run with a State that may change, or io::load gives them values"});
}

void ProgramData::initialize(StateData& state) const {
  const Claim claim(state, true);
  (void)initialize_missing(state);
}

ProgramStats ProgramData::stats() {
  const std::lock_guard guard(mutex_);
  ProgramStats stats;
  stats.specializations = static_cast<int64_t>(specializations_.size());
  stats.specializations_made = made_;
  if (specializations_.empty()) return stats;
  const Plan& plan = specializations_.front()->plan;
  for (const KernelPlan& kernel : plan.kernels) stats.kernels += kernel.steps.empty() ? 0 : 1;
  for (const Task& task : plan.tasks) stats.tasks += task.chunks;
  size_t outputs = 0;
  for (const Slot& slot : plan.outputs) outputs += slot.bytes();
  stats.arena_bytes = static_cast<int64_t>(plan.arena_bytes);
  stats.planned_bytes = static_cast<int64_t>(plan.arena_bytes + plan.scratch_bytes + outputs);
  stats.traced = specializations_.front()->traced;
  return stats;
}

std::string ProgramData::explain(std::span<const SymbolBinding> bindings) {
  const SpecializationPtr specialization = specialization_for(bindings);
  const std::lock_guard guard(mutex_);
  return specialization->plan.log + describe(specialization->plan) + describe(specialization->traced);
}

// ---- Program

std::vector<Array> Program::run(const Executor& executor, State& state, const Batch& inputs,
                                const RunOptions& options) const {
  std::vector<Array> outputs;
  data_->run(executor, StateAccess::data(state), true, inputs, &outputs, {}, options);
  return outputs;
}

std::vector<Array> Program::run(State& state, const Batch& inputs, const RunOptions& options) const {
  return run(default_executor(), state, inputs, options);
}

void Program::run(const Executor& executor, State& state, const Batch& inputs, std::span<Array> outputs,
                  const RunOptions& options) const {
  data_->run(executor, StateAccess::data(state), true, inputs, nullptr, outputs, options);
}

std::vector<Array> Program::run(const Executor& executor, const State& state, const Batch& inputs,
                                const RunOptions& options) const {
  std::vector<Array> outputs;
  // Without updates nothing of the State is written; one code path serves both.
  data_->run(executor, const_cast<StateData&>(StateAccess::data(state)), false, inputs, &outputs, {}, options);
  return outputs;
}

void Program::run(const Executor& executor, const State& state, const Batch& inputs, std::span<Array> outputs,
                  const RunOptions& options) const {
  data_->run(executor, const_cast<StateData&>(StateAccess::data(state)), false, inputs, nullptr, outputs, options);
}

int64_t Program::specialize(std::span<const SymbolBinding> bindings) const {
  const Plan& plan = data_->specialization_for(bindings)->plan;
  size_t bytes = plan.arena_bytes + plan.scratch_bytes;
  for (const Slot& slot : plan.outputs) bytes += slot.bytes();
  return static_cast<int64_t>(bytes);
}

std::string Program::explain(std::span<const SymbolBinding> bindings) const { return data_->explain(bindings); }

ProgramStats Program::stats() const { return data_->stats(); }

void Program::initialize(State& state) const { data_->initialize(StateAccess::data(state)); }

}  // namespace gradloom::inline v0
