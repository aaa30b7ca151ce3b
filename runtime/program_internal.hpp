// Inside a Program: the module after the passes that need no sizes, and the plans made of it so far.
#pragma once

#include <gradloom/runtime/executor_internal.hpp>
#include <gradloom/runtime/passes_internal.hpp>
#include <gradloom/runtime/plan_internal.hpp>
#include <gradloom/runtime/program.hpp>
#include <gradloom/runtime/state_internal.hpp>

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace gradloom::inline v0 {

/// An input as the user declared it.
struct DeclaredInput {
  std::string name;
  TensorType type;
  std::string location;  // in words: the graph may be gone
};

/// A plan, with the exact inputs it is for.
struct Specialization {
  Plan plan;
  std::vector<std::vector<int64_t>> input_sizes;  // by declared input
  std::vector<int> declared;                      // for each of plan.inputs, the declared input
  // Of the latest traced run; under the Program's mutex.
  mutable std::vector<KernelStats> traced{};
};

/// "f32[2, 3]".
[[nodiscard]] std::string type_of(const Array& array);
/// What a Module computes, updates last.
[[nodiscard]] std::string text_of(const Module& module);

class ProgramData {
 public:
  explicit ProgramData(const CompileOptions& options);

  using SpecializationPtr = std::shared_ptr<const Specialization>;

  /// What the workspace ran last, if that is the latest of this Program and fits, else specialization_for(): kept in
  /// the workspace from then on.
  const Specialization& specialization_for(const Batch& inputs, Workspace& workspace);
  /// The specialisation for these inputs, made if need be. `arrays` receives the declared inputs in order. Throws the
  /// Error that lists everything wrong with the inputs.
  SpecializationPtr specialization_for(const Batch& inputs, std::vector<const Array*>& arrays);
  SpecializationPtr specialization_for(std::span<const SymbolBinding> bindings);

  void run(const Executor& executor, StateData& state, bool may_update, const Batch& inputs, std::vector<Array>* made,
           std::span<Array> given, const RunOptions& options);
  void initialize(StateData& state) const;
  [[nodiscard]] ProgramStats stats();
  [[nodiscard]] std::string explain(std::span<const SymbolBinding> bindings);

  std::atomic<int> references{1};

 private:
  [[nodiscard]] bool fits(const Specialization& specialization, const Batch& inputs,
                          std::vector<const Array*>& arrays) const;
  [[nodiscard]] std::vector<SymbolBinding> solve(const Batch& inputs) const;
  SpecializationPtr make(std::vector<SymbolBinding> bindings);
  SpecializationPtr to_front(std::list<SpecializationPtr>::iterator specialization);
  std::vector<std::string> initialize_missing(StateData& state) const;
  void require_all(const StateData& state) const;
  [[nodiscard]] bool has_all(const StateData& state) const;
  void check_outputs(const Plan& plan, std::span<const Array> outputs) const;
  void bind(const Specialization& specialization, StateData& state, std::span<const Array* const> arrays,
            std::span<Array> outputs, Workspace& workspace) const;

  Isa isa_;
  Module module_;
  std::vector<DeclaredInput> inputs_;
  std::set<std::string> known_inputs_;  // of the user's graph: giving one that is not needed is no mistake
  std::vector<Slot> parameters_;
  std::vector<Initializer> initializers_;  // by parameter
  bool updates_ = false;
  Optimize optimize_;
  bool fast_convolution_;
  bool narrow_;         // store bf16
  bool fixed_weights_;  // constants were baked in, for inference
  std::vector<std::string> without_passes_;
  size_t most_specializations_;
  int64_t memory_budget_;
  std::string log_;  // of the passes before specialisation

  std::mutex mutex_;
  std::list<SpecializationPtr> specializations_;  // the latest used first; under mutex_
  // The first of the list, to compare with what a workspace keeps (and thereby keeps alive): a run like the one before
  // needs no lock.
  std::atomic<const Specialization*> latest_{nullptr};
  int64_t made_ = 0;
};

/// Draws a parameter's first values: a function of the seed, the full name and the shape only.
[[nodiscard]] Array initial_value(const Slot& parameter, const Initializer& initializer, uint64_t seed);

}  // namespace gradloom::inline v0
