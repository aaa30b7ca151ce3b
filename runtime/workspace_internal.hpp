// The memory of a run.
#pragma once

#include <gradloom/runtime/array.hpp>
#include <gradloom/runtime/run_internal.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace gradloom::inline v0 {

struct Specialization;

/// 64-byte aligned bytes that only grow, in huge pages where they are large.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept : data_(other.data_), size_(other.size_) {
    other.data_ = nullptr;
    other.size_ = 0;
  }
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer();
  /// At least `size` bytes; the old contents are lost when it grows.
  void* reserve(size_t size);
  void clear();
  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

/// Kept by the executor from run to run, whatever the Program, so that a warmed-up run allocates nothing.
struct Workspace {
  Buffer arena;
  std::vector<Buffer> scratch;  // by worker
  std::vector<void*> bases;
  std::vector<void*> pointers;  // by Plan::addresses: what kernels are handed
  Run run;

  // What the addresses in `bases` were last looked up for, kept alive so that its address names nothing else.
  std::shared_ptr<const Specialization> keeps;
  const Specialization* bound = nullptr;
  uint64_t bound_version = 0;
  std::vector<const Array*> arrays;  // the inputs of the run
  std::vector<Array> staged;         // dense copies of strided inputs

  /// Frees what is large and lets go of the Program. What a helper that comes too late looks at stays.
  void clear();
};

}  // namespace gradloom::inline v0
