#include <gradloom/graph/error.hpp>
#include <gradloom/runtime/workspace_internal.hpp>

#include <fmt/format.h>
#include <sys/mman.h>

#include <cstdlib>
#ifdef GRADLOOM_SANITIZED
#include <sanitizer/asan_interface.h>
#endif

namespace gradloom::inline v0 {

Buffer::~Buffer() { std::free(data_); }

namespace {

// A larger plan may have left more than this one asked for: what a kernel does there is a mistake all the same.
void allow_only([[maybe_unused]] void* data, [[maybe_unused]] size_t size, [[maybe_unused]] size_t allocated) {
#ifdef GRADLOOM_SANITIZED
  ASAN_UNPOISON_MEMORY_REGION(data, size);
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(data) + size, allocated - size);
#endif
}

}  // namespace

void* Buffer::reserve(size_t size) {
  if (size <= size_) {
    allow_only(data_, size, size_);
    return data_;
  }
  constexpr size_t huge_page = size_t{2} << 20;
  const size_t alignment = size >= huge_page ? huge_page : 64;
  const size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* const fresh = std::aligned_alloc(alignment, rounded);
  if (fresh == nullptr) throw Error(fmt::format("no memory for a workspace of {} bytes", size));
  if (alignment == huge_page) madvise(fresh, rounded, MADV_HUGEPAGE);
  std::free(data_);
  data_ = fresh;
  size_ = rounded;
  allow_only(data_, size, size_);
  return data_;
}

void Buffer::clear() {
  std::free(data_);
  data_ = nullptr;
  size_ = 0;
}

void Workspace::clear() {
  arena.clear();
  for (Buffer& buffer : scratch) buffer.clear();
  bound = nullptr;
  keeps.reset();
  arrays.clear();
  staged.clear();
}

}  // namespace gradloom::inline v0
