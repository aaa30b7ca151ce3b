#include <gradloom/graph/error.hpp>
#include <gradloom/runtime/workspace_internal.hpp>

#include <fmt/format.h>
#include <sys/mman.h>

#include <cstdlib>

namespace gradloom::inline v0 {

Buffer::~Buffer() { std::free(data_); }

void* Buffer::reserve(size_t size) {
  if (size <= size_) return data_;
  constexpr size_t huge_page = size_t{2} << 20;
  const size_t alignment = size >= huge_page ? huge_page : 64;
  const size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* const fresh = std::aligned_alloc(alignment, rounded);
  if (fresh == nullptr) throw Error(fmt::format("no memory for a workspace of {} bytes", size));
  if (alignment == huge_page) madvise(fresh, rounded, MADV_HUGEPAGE);
  std::free(data_);
  data_ = fresh;
  size_ = rounded;
  return data_;
}

}  // namespace gradloom::inline v0
