// A body as part of another plan: the tasks of its own plan, as steps of the node that holds it. Tasks that do not wait
// for each other are one step, whose chunks are theirs; so the threads of the run around share the work of a body, and
// there is no run inside a run.
//
// What differs from one time to the next is where values are. Before each time one thread writes the addresses into the
// frame, which lies in the node's shared memory together with the body's arena.
#pragma once

#include <gradloom/graph/subgraph.hpp>
#include <gradloom/runtime/plan_internal.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gradloom::inline v0 {

class BodyPlan;

/// Where a frame is, and what it begins with.
struct BodyFrame {
  RunInfo run;       ///< what the body's kernels see
  int64_t step = 0;  ///< of a loop
};

/// Tasks that run side by side: the params of a KernelStep.
struct BodyLevel {
  struct Part {
    const Task* task = nullptr;
    int64_t first_chunk = 0;
  };
  const BodyPlan* body = nullptr;
  std::vector<Part> parts;
  int64_t chunks = 0;
  double nanoseconds = 0;
  int back = -1;  ///< of a loop that ends here: how many levels before are part of it; -1: none does
};

class BodyPlan {
 public:
  /// Plans `outputs` of the body, all of whose sizes are known, which the requested node calls so many times, if that
  /// is known, else once. `offset`: of its memory in the node's shared memory.
  BodyPlan(const Subgraph& body, std::span<const Tensor> outputs, const KernelRequest& request, int64_t times,
           size_t offset);
  BodyPlan(const BodyPlan&) = delete;
  BodyPlan& operator=(const BodyPlan&) = delete;

  [[nodiscard]] const Plan& plan() const { return plan_; }
  [[nodiscard]] size_t input_count() const { return input_bases_.size(); }
  /// Where its part of the shared memory ends.
  [[nodiscard]] size_t end() const { return end_; }
  /// Adds its levels to the steps of a node, run by `level`, and by `goes_on` where a loop inside ends; they take
  /// `times` as long as one time.
  void add_steps(KernelPlan& kernel, Kernel level, bool (*goes_on)(const KernelCall&), double times) const;

  // ---- during a run; `shared` is the node's shared memory

  [[nodiscard]] BodyFrame& frame(void* shared) const;
  /// Addresses of input i and output i from now on.
  void place_input(void* shared, size_t i, const void* at) const;
  void place_output(void* shared, size_t i, void* at) const;
  /// After all are placed for the first time, and after each change.
  void bind(void* shared) const;
  /// Runs a chunk of a level.
  void run(const BodyLevel& level, const KernelCall& call) const;
  /// Does the loop that ends with a level go on?
  [[nodiscard]] bool again(const BodyLevel& level, const KernelCall& call) const;

 private:
  [[nodiscard]] void** bases(void* shared) const;
  [[nodiscard]] void** pointers(void* shared) const;
  [[nodiscard]] KernelCall call_of(const BodyLevel::Part& part, const KernelCall& call) const;
  void make_levels();

  Plan plan_;
  std::vector<int> input_bases_;  // by input of the body; -1 where it is not needed
  std::vector<BodyLevel> levels_;
  size_t frame_offset_, bases_offset_, pointers_offset_, arena_offset_, end_;
};

/// The kernel of a level, which is its params, and whether a loop that ends there goes on.
void run_body_level(const KernelCall& call);
[[nodiscard]] bool again_body_level(const KernelCall& call);

/// The seed of random nodes in the body of a loop: numbers of their own for each step. They depend on the position, so
/// that a scan in the other direction can draw them again.
[[nodiscard]] uint64_t step_seed(uint64_t seed, int64_t position);

[[nodiscard]] KernelPlan plan_scan(const KernelRequest& request);
[[nodiscard]] KernelPlan plan_cond(const KernelRequest& request);
[[nodiscard]] KernelPlan plan_while_loop(const KernelRequest& request);

}  // namespace gradloom::inline v0
