#include <gradloom/ops/strided_copy.hpp>
#include <gradloom/runtime/spread_internal.hpp>

#include <algorithm>
#include <cstring>

namespace gradloom::inline v0 {

namespace {

template <class T>
void write_elements(const Spread& s, const void* from, void* to, int64_t begin, int64_t count) {
  const T* const source = static_cast<const T*>(from);
  T* out = static_cast<T*>(to);
  const size_t inner = s.sizes.size() - 1;
  const int64_t row = s.sizes[inner], stride = s.strides[inner];
  int64_t column = begin % row, index = begin / row;
  while (count > 0) {
    int64_t at = 0, rest = index;
    for (size_t axis = inner; axis-- > 0;) {
      at += rest % s.sizes[axis] * s.strides[axis];
      rest /= s.sizes[axis];
    }
    const int64_t n = std::min(row - column, count);
    const T* const base = source + at + column * stride;
    if (stride == 1) {
      std::memcpy(out, base, static_cast<size_t>(n) * sizeof(T));
    } else if (stride == 0) {
      std::fill(out, out + n, *base);
    } else {
      for (int64_t i = 0; i < n; ++i) out[i] = base[i * stride];
    }
    out += n;
    count -= n;
    column = 0;
    ++index;
  }
}

}  // namespace

Spread::Spread(const std::vector<int64_t>& from, const std::vector<int64_t>& to, size_t element_bytes)
    : element_size(element_bytes) {
  const std::vector<int64_t> own = row_major_strides(from);
  const size_t missing = to.size() - from.size();
  for (size_t axis = 0; axis < to.size(); ++axis) {
    if (to[axis] == 1) continue;
    const int64_t stride = axis < missing || from[axis - missing] == 1 ? 0 : own[axis - missing];
    if (!sizes.empty() && strides.back() == stride * to[axis]) {
      sizes.back() *= to[axis];
      strides.back() = stride;
    } else {
      sizes.push_back(to[axis]);
      strides.push_back(stride);
    }
  }
  if (sizes.empty()) {
    sizes = {1};
    strides = {0};
  }
}

int64_t Spread::period() const {
  size_t first = 0;
  while (first < sizes.size() && strides[first] == 0) ++first;
  int64_t period = 1;
  for (size_t axis = first; axis < sizes.size(); ++axis) period *= std::max<int64_t>(sizes[axis], 1);
  return period;
}

void Spread::write(const void* input, void* to, int64_t begin, int64_t count) const {
  // One period, and then what is there already, again and again.
  if (const int64_t once = period(); count > once) {
    write(input, to, begin, once);
    auto* const bytes = static_cast<std::byte*>(to);
    for (int64_t done = once; done < count; done *= 2) {
      std::memcpy(bytes + static_cast<size_t>(done) * element_size, bytes,
                  static_cast<size_t>(std::min(done, count - done)) * element_size);
    }
    return;
  }
  switch (element_size) {
    case 1:
      return write_elements<uint8_t>(*this, input, to, begin, count);
    case 2:
      return write_elements<uint16_t>(*this, input, to, begin, count);
    case 4:
      return write_elements<uint32_t>(*this, input, to, begin, count);
    default:
      return write_elements<uint64_t>(*this, input, to, begin, count);
  }
}

}  // namespace gradloom::inline v0
