// How ops that run over any axes become KernelPlans.
#pragma once

#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/reduce_table_internal.hpp>

namespace gradloom::inline v0 {

/// ReduceParams for a dense tensor of these sizes, with the memory that they point into. Uncut: of one part.
class ReduceForm {
 public:
  /// `axes` are the reduced ones: sorted, non-negative.
  ReduceForm(const std::vector<int64_t>& sizes, const std::vector<int64_t>& axes);
  ReduceForm(const ReduceForm&) = delete;
  ReduceForm& operator=(const ReduceForm&) = delete;
  ~ReduceForm() = default;

  [[nodiscard]] int64_t element_count() const { return params.rows * params.terms * params.length * params.width; }
  /// Work items: (row, tile of the line).
  [[nodiscard]] int64_t item_count() const { return params.rows * chunk_count(params.width, reduce_tile); }

  ReduceParams params;

 private:
  std::vector<int64_t> storage_;
};

/// The chunks that `elements` elements are worth: enough to balance dozens of threads.
[[nodiscard]] int64_t reduce_chunks(int64_t elements);

/// The plan of a node with one input and the attribute "axes" (sorted, non-negative).
[[nodiscard]] KernelPlan plan_reduce(const KernelRequest& request, const ReduceKernels& kernels);

}  // namespace gradloom::inline v0
