#pragma once

#include <gradloom/graph/export.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/handle.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/runtime/array.hpp>
#include <gradloom/runtime/batch.hpp>
#include <gradloom/runtime/executor.hpp>
#include <gradloom/runtime/state.hpp>
#include <gradloom/runtime/trace.hpp>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gradloom::inline v0 {

class ProgramData;
struct StopData;
GRADLOOM_API void retain(ProgramData* data);
GRADLOOM_API void release(ProgramData* data);
GRADLOOM_API void retain(StopData* data);
GRADLOOM_API void release(StopData* data);

enum class Mode : uint8_t {
  training,   ///< side updates (running statistics) are made, dropout drops
  inference,  ///< no side updates, dropout is the identity
};

enum class Optimize : uint8_t {
  none,  ///< node by node, as written: the oracle that tests compare with
  all,
};

struct CompileOptions {
  std::vector<Tensor> outputs{};
  std::vector<Update> updates{};
  Mode mode = Mode::training;
  Optimize optimize = Optimize::all;
  /// "baseline", "avx2" or "avx512"; empty: what GRADLOOM_ISA says, else the best this CPU has.
  std::string_view isa{};
  /// Values of parameters to bake in: they are folded, and a run's State need not have them. For inference, a scale and
  /// a shift for each channel that follow a product (batch norm) become part of its weights and of one bias.
  const State* constants = nullptr;
  /// How many specialisations (one per binding of the symbols) are kept; the least recently used one goes.
  int specializations = 8;
  /// Refuse (Error) to specialise to a plan that needs more bytes than this; 0: no limit.
  int64_t memory_budget = 0;
  /// Convolutions of f32 may run by algorithms with fewer multiplications and a larger rounding error, see
  /// docs/design/convolution.md.
  bool fast_convolution = true;
  /// f32, or bf16: then what a run keeps for long, such as the activations that the gradients need, takes half the
  /// memory. It is rounded to bf16 where it is stored, and computed with as f32; explain() shows where (`to_bf16`), and
  /// nothing is if the arena would not be smaller. So are the matrices among `constants` whose products have up to 512
  /// rows. Where the CPU has AVX512_BF16, products of matrices with at least 32 rows (any number with constants), 32
  /// columns and 32 terms round both operands and multiply them at twice the speed (`paired_matmul`). Sums are f32 all
  /// the same.
  /// Parameters, updates, inputs and outputs stay what they are. The loss needs no scaling, for bf16 has the range of
  /// f32. Optimize::none rounds nothing.
  DType storage = DType::f32;
  /// In training, the side updates (running statistics) that need no other inputs than the outputs and updates do.
  bool side_updates = true;
  /// Names of passes to leave out, as explain() prints them: for tests.
  std::vector<std::string> without_passes{};
};

/// Asks a run to stop, from another thread. A run that has begun to write to the State completes instead.
class GRADLOOM_API StopToken {
 public:
  StopToken();
  void request_stop() const;
  [[nodiscard]] bool stop_requested() const;

 private:
  Handle<StopData> data_;
};

struct RunOptions {
  const StopToken* stop = nullptr;
  /// Records the run, unless it throws. A traced run is a little slower, and allocates.
  Trace* trace = nullptr;
};

/// What a kernel did in a traced run.
struct KernelStats {
  std::string name;    ///< of its node: "encoder/dense_1/matmul_7"
  std::string kernel;  ///< "matmul"; of a region, with its ops: "region(add, relu)"
  int64_t calls = 0;
  /// Of operands and results, each element once, as the kernel itself counts them.
  int64_t bytes_read = 0, bytes_written = 0;
  double microseconds = 0;  ///< of all threads together
};

/// What a specialisation needs and does.
struct ProgramStats {
  int64_t specializations = 0;  ///< alive now
  int64_t specializations_made = 0;
  int64_t kernels = 0;        ///< of the latest specialisation
  int64_t tasks = 0;          ///< chunks included
  int64_t planned_bytes = 0;  ///< arena, outputs, scratch of one worker, of the latest specialisation
  int64_t arena_bytes = 0;
  /// Kernel by kernel, from the latest traced run of the latest specialisation; empty if there was none.
  std::vector<KernelStats> traced{};
};

/// A compiled graph: fused kernels, one memory plan and one task graph per binding of its symbols. Immutable to its
/// user; copies share it; any thread may run it, also while others do.
class GRADLOOM_API Program {
 public:
  /// Runs: gives every input that the outputs and updates need, by name, as dense or strided Arrays; returns the
  /// outputs. What the State lacks is initialised first. Throws Error, before anything changes, if inputs are missing,
  /// unknown or of the wrong dtype or shape (all of them are named), or values are out of range; or if `options.stop`
  /// was requested before the first write to the State.
  std::vector<Array> run(const Executor& executor, State& state, const Batch& inputs,
                         const RunOptions& options = {}) const;
  std::vector<Array> run(State& state, const Batch& inputs, const RunOptions& options = {}) const;
  /// Writes to the caller's Arrays, which must have the right dtypes and sizes; a warmed-up run allocates nothing.
  void run(const Executor& executor, State& state, const Batch& inputs, std::span<Array> outputs,
           const RunOptions& options = {}) const;
  /// For Programs without updates. Throws Error if there are some, or if the State lacks a parameter.
  std::vector<Array> run(const Executor& executor, const State& state, const Batch& inputs,
                         const RunOptions& options = {}) const;
  void run(const Executor& executor, const State& state, const Batch& inputs, std::span<Array> outputs,
           const RunOptions& options = {}) const;

  /// Plans ahead for these sizes and returns the planned peak memory in bytes. Throws Error if a symbol is missing.
  int64_t specialize(std::span<const SymbolBinding> bindings) const;
  int64_t specialize(std::initializer_list<SymbolBinding> bindings) const {
    return specialize(std::span<const SymbolBinding>(bindings.begin(), bindings.size()));
  }
  /// The graph after every pass, the regions, the memory map and the task graph with its costs, for these sizes; and
  /// what the kernels did in the latest traced run, if there was one.
  [[nodiscard]] std::string explain(std::span<const SymbolBinding> bindings = {}) const;
  [[nodiscard]] ProgramStats stats() const;

  /// Puts the initial values of all parameters that the State lacks into it.
  void initialize(State& state) const;

 private:
  friend GRADLOOM_API Program compile(const CompileOptions& options);
  Handle<ProgramData> data_;
};

/// Compiles outputs and updates, which must be of one graph, into a Program. The graph is copied: it may change or go.
/// Throws Error for an empty list, mixed graphs, a parameter updated twice, or an update of the wrong shape or dtype.
[[nodiscard]] GRADLOOM_API Program compile(const CompileOptions& options);

}  // namespace gradloom::inline v0
