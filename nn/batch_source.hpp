#pragma once

#include <gradloom/graph/function_ref.hpp>
#include <gradloom/runtime/batch.hpp>

#include <cstdint>
#include <type_traits>

namespace gradloom::inline v0::nn {

/// Where fit() takes its Batches from: whatever `for (const Batch& batch : range)` goes through, an io::Loader as well
/// as a std::vector<Batch>. Only refers to the range, which must outlive it. Each epoch goes through it once.
class BatchSource {
 public:
  /// No batches.
  BatchSource() = default;

  template <class Range>
  requires(!std::is_same_v<Range, BatchSource>)
      BatchSource(Range& range)  // NOLINT: implicit, so that fit() takes the range itself
      : range_(const_cast<void*>(static_cast<const void*>(&range))),
        visit_([](void* erased, FunctionRef<bool(const Batch&)> f) {
          for (const Batch& batch : *static_cast<Range*>(erased)) {
            if (!f(batch)) return;
          }
        }) {
    if constexpr (requires { range.batch_count(); }) {
      size_ = range.batch_count();
    } else if constexpr (requires { range.size(); }) {
      size_ = static_cast<int64_t>(range.size());
    }
  }

  /// Calls f with every batch, until f returns false.
  void visit(FunctionRef<bool(const Batch&)> f) const {
    if (visit_ != nullptr) visit_(range_, f);
  }
  /// How many batches there are, or 0 if the range does not tell.
  [[nodiscard]] int64_t size() const { return size_; }

 private:
  void* range_ = nullptr;
  void (*visit_)(void* range, FunctionRef<bool(const Batch&)> f) = nullptr;
  int64_t size_ = 0;
};

}  // namespace gradloom::inline v0::nn
