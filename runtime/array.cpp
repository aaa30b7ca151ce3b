#include <gradloom/graph/error.hpp>
#include <gradloom/ops/strided_copy.hpp>
#include <gradloom/runtime/array.hpp>
#include <gradloom/runtime/elements_internal.hpp>

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>

namespace gradloom::inline v0 {

// ---- Storage

struct ArrayStorage {
  std::atomic<int64_t> references{1};
  void* memory = nullptr;
};

void retain(ArrayStorage* storage) {
  if (storage) storage->references.fetch_add(1, std::memory_order_relaxed);
}

void release(ArrayStorage* storage) {
  if (!storage || storage->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  std::free(storage->memory);
  delete storage;
}

namespace {

constexpr size_t cache_line = 64;
constexpr size_t huge_page = size_t{2} << 20;

constexpr size_t rounded_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

// Null if there is no memory. The first touch of fresh 4 KiB pages costs six times that of huge ones, so large blocks
// ask for those. A last huge page is filled up if at least half of it is needed; else the rest are small pages.
void* allocate(size_t bytes) {
  const bool large = bytes >= huge_page / 2;
  const bool fill = bytes % huge_page >= huge_page / 2;
  // No more than needed otherwise: the address sanitizer then sees who reads or writes past the end.
  const size_t size = large && fill ? rounded_up(bytes, huge_page) : bytes;
  void* memory = nullptr;
  if (posix_memalign(&memory, large ? huge_page : cache_line, size) != 0) return nullptr;
  if (large)
    madvise(memory, size, MADV_HUGEPAGE);  // only advice: a kernel without huge pages refuses, and that is fine
  return memory;
}

std::string type_text(DType dtype, std::span<const int64_t> sizes) {
  return fmt::format("{}[{}]", to_string(dtype), fmt::join(sizes, ", "));
}

// Throws for sizes that no array can have.
int64_t checked_count(std::span<const int64_t> sizes, DType dtype) {
  auto bytes = static_cast<int64_t>(size_of(dtype));
  bool too_large = false, none = false;
  for (const int64_t size : sizes) {
    if (size < 0) throw Error(fmt::format("{} has a negative size", type_text(dtype, sizes)));
    none |= size == 0;
    too_large |= __builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes);
  }
  // An allocation is rounded up; that must not overflow either.
  too_large |= bytes > std::numeric_limits<int64_t>::max() - static_cast<int64_t>(huge_page);
  if (too_large) throw Error(fmt::format("{} does not fit in memory", type_text(dtype, sizes)));
  return none ? 0 : bytes / static_cast<int64_t>(size_of(dtype));
}

}  // namespace

// ---- Making

Array Array::uninitialized(std::span<const int64_t> sizes, DType dtype) {
  const size_t bytes = static_cast<size_t>(checked_count(sizes, dtype)) * size_of(dtype);
  Array array;
  array.dtype_ = dtype;
  array.sizes_.assign(sizes.begin(), sizes.end());
  array.strides_ = row_major_strides(array.sizes_);
  if (bytes == 0) return array;
  array.storage_ = Handle<ArrayStorage>(new ArrayStorage);
  array.data_ = array.storage_->memory = allocate(bytes);
  if (!array.data_) {
    throw Error(fmt::format("there is no memory for {}, {} bytes", type_text(dtype, sizes), bytes));
  }
  return array;
}

Array::Array(std::span<const int64_t> sizes, DType dtype) : Array(uninitialized(sizes, dtype)) {
  if (data_) std::memset(data_, 0, byte_size());
}

Array Array::copied(const void* values, size_t count, std::span<const int64_t> sizes, DType dtype) {
  if (const int64_t needed = checked_count(sizes, dtype); static_cast<int64_t>(count) != needed) {
    throw Error(fmt::format("{} needs {} values, not {}", type_text(dtype, sizes), needed, count));
  }
  Array array = uninitialized(sizes, dtype);
  if (count > 0) std::memcpy(array.data_, values, array.byte_size());
  return array;
}

Array Array::viewed(void* data, std::span<const int64_t> sizes, std::span<const int64_t> strides, DType dtype,
                    bool read_only) {
  const int64_t count = checked_count(sizes, dtype);
  const std::string what = "a view as " + type_text(dtype, sizes);
  if (!strides.empty() && strides.size() != sizes.size()) {
    throw Error(fmt::format("{} needs {} strides, not {}", what, sizes.size(), strides.size()));
  }
  if (count > 0 && !data) throw Error(what + " of a null pointer");
  if (reinterpret_cast<uintptr_t>(data) % size_of(dtype) != 0) {
    throw Error(fmt::format("{} needs memory aligned to {} bytes", what, size_of(dtype)));
  }
  Array array;
  array.dtype_ = dtype;
  array.read_only_ = read_only;
  array.sizes_.assign(sizes.begin(), sizes.end());
  if (strides.empty()) {
    array.strides_ = row_major_strides(array.sizes_);
  } else {
    array.strides_.assign(strides.begin(), strides.end());
  }
  array.data_ = data;
  return array;
}

Array Array::clone() const {
  Array copy = uninitialized(sizes_, dtype_);
  copy.assign(*this);
  return copy;
}

Array Array::reshaped(std::initializer_list<int64_t> sizes) const {
  const std::span<const int64_t> wanted(sizes.begin(), sizes.size());
  if (checked_count(wanted, dtype_) != size()) {
    throw Error(fmt::format("{} cannot be reshaped to {}: the numbers of elements differ", type_text(dtype_, sizes_),
                            type_text(dtype_, wanted)));
  }
  if (!contiguous()) {
    throw Error({.problem = fmt::format("{} cannot be reshaped: it is not contiguous", type_text(dtype_, sizes_)),
                 .rule = "clone() makes a contiguous copy"});
  }
  Array array = *this;
  array.sizes_.assign(sizes.begin(), sizes.end());
  array.strides_ = row_major_strides(array.sizes_);
  return array;
}

Array Array::rows(int64_t begin, int64_t end) const {
  if (rank() == 0 || begin < 0 || begin > end || end > sizes_[0]) {
    throw Error(fmt::format("{} has no rows {} to {}", type_text(dtype_, sizes_), begin, end));
  }
  Array array = *this;
  array.sizes_[0] = end - begin;
  if (data_) array.data_ = static_cast<std::byte*>(data_) + begin * strides_[0] * static_cast<int64_t>(size_of(dtype_));
  return array;
}

Array::Array(const Array& other) = default;
Array::Array(Array&& other) noexcept
    : dtype_(other.dtype_),
      read_only_(other.read_only_),
      sizes_(std::move(other.sizes_)),
      strides_(std::move(other.strides_)),
      data_(std::exchange(other.data_, nullptr)),
      storage_(std::move(other.storage_)) {}
Array& Array::operator=(const Array& other) = default;
Array& Array::operator=(Array&& other) noexcept {
  dtype_ = other.dtype_;
  read_only_ = other.read_only_;
  sizes_ = std::move(other.sizes_);
  strides_ = std::move(other.strides_);
  data_ = std::exchange(other.data_, nullptr);
  storage_ = std::move(other.storage_);
  return *this;
}
Array::~Array() = default;

// ---- Access

int64_t Array::size() const {
  int64_t count = 1;
  for (const int64_t size : sizes_) count *= size;
  return count;
}

bool Array::contiguous() const {
  int64_t expected = 1;
  bool dense = true;
  for (size_t axis = sizes_.size(); axis-- > 0;) {
    if (sizes_[axis] == 0) return true;
    dense &= sizes_[axis] == 1 || strides_[axis] == expected;
    expected *= sizes_[axis];
  }
  return dense;
}

bool Array::unique() const {
  // acquire: whoever let go of it last has finished reading before its new owner writes
  return size() == 0 || (storage_ && storage_->references.load(std::memory_order_acquire) == 1);
}

void Array::check_access(DType dtype, bool write) const {
  if (dtype != dtype_) {
    throw Error(fmt::format("{} is accessed as {}", type_text(dtype_, sizes_), gradloom::to_string(dtype)));
  }
  if (write && read_only_) {
    throw Error({.problem = fmt::format("{} is a view of const memory", type_text(dtype_, sizes_)),
                 .rule = "it can be read as const elements, or cloned"});
  }
  if (!data_ && size() > 0) throw Error("an Array that was moved from has no elements");
}

void* Array::checked(DType dtype, bool write) const {
  check_access(dtype, write);
  if (!contiguous()) {
    throw Error({.problem = fmt::format("{} with strides [{}] is not contiguous", type_text(dtype_, sizes_),
                                        fmt::join(strides_, ", ")),
                 .rule = "clone() makes a contiguous copy"});
  }
  return data_;
}

void* Array::element(std::initializer_list<int64_t> indices, DType dtype, bool write) const {
  check_access(dtype, write);
  const std::span<const int64_t> given(indices.begin(), indices.size());
  bool inside = given.size() == sizes_.size();
  int64_t offset = 0;
  for (size_t axis = 0; inside && axis < sizes_.size(); ++axis) {
    inside = given[axis] >= 0 && given[axis] < sizes_[axis];
    offset += given[axis] * strides_[axis];
  }
  if (!inside) {
    throw Error(fmt::format("{} has no element [{}]", type_text(dtype_, sizes_), fmt::join(given, ", ")));
  }
  return static_cast<std::byte*>(data_) + offset * static_cast<int64_t>(size_of(dtype_));
}

const void* Array::only_element(DType dtype) const {
  check_access(dtype, false);
  if (size() != 1) {
    throw Error({.problem = fmt::format("{} has {} elements", type_text(dtype_, sizes_), size()),
                 .rule = "item() is for an array of exactly one"});
  }
  return data_;
}

// ---- Assignment

namespace {

struct Extent {
  uintptr_t begin, end;
};

// The bytes from the lowest to the highest element; the array is not empty.
Extent extent_of(const Array& array) {
  int64_t low = 0, high = 1;
  for (size_t axis = 0; axis < array.sizes().size(); ++axis) {
    const int64_t reach = (array.sizes()[axis] - 1) * array.strides()[axis];
    (reach < 0 ? low : high) += reach;
  }
  const auto bytes = static_cast<int64_t>(size_of(array.dtype()));
  const auto first = reinterpret_cast<uintptr_t>(array.raw());
  return {first + static_cast<uintptr_t>(low * bytes), first + static_cast<uintptr_t>(high * bytes)};
}

bool overlap(const Array& a, const Array& b) {
  const Extent x = extent_of(a), y = extent_of(b);
  return x.begin < y.end && y.begin < x.end;
}

template <size_t Bytes>
void copy_row(std::byte* to, const std::byte* from, const RowPair& row) {
  if (row.a_stride == 1 && row.b_stride == 1) {
    std::memmove(to, from, static_cast<size_t>(row.n) * Bytes);
    return;
  }
  constexpr auto size = static_cast<int64_t>(Bytes);
  for (int64_t i = 0; i < row.n; ++i) std::memcpy(to + i * row.a_stride * size, from + i * row.b_stride * size, Bytes);
}

}  // namespace

void Array::assign(const Array& other) const {
  if (dtype_ != other.dtype_ || sizes_ != other.sizes_) {
    throw Error(
        fmt::format("{} cannot be assigned to {}", type_text(other.dtype_, other.sizes_), type_text(dtype_, sizes_)));
  }
  check_access(dtype_, true);
  other.check_access(dtype_, false);
  if (size() == 0) return;
  // Two contiguous arrays are one memmove; others are read as a whole before anything is written.
  if (overlap(*this, other) && !(contiguous() && other.contiguous())) return assign(other.clone());
  auto* const to = static_cast<std::byte*>(data_);
  const auto* const from = static_cast<const std::byte*>(other.data_);
  const size_t bytes = size_of(dtype_);
  for_each_row(*this, other, [&](const RowPair& row) {
    std::byte* const a = to + row.a * static_cast<int64_t>(bytes);
    const std::byte* const b = from + row.b * static_cast<int64_t>(bytes);
    if (bytes == 1) {
      copy_row<1>(a, b, row);
    } else if (bytes == 2) {
      copy_row<2>(a, b, row);
    } else if (bytes == 4) {
      copy_row<4>(a, b, row);
    } else {
      copy_row<8>(a, b, row);
    }
    return true;
  });
}

}  // namespace gradloom::inline v0
