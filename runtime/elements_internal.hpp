// Walks the elements of Arrays of any dtype and any strides.
#pragma once

#include <gradloom/graph/with_type_internal.hpp>
#include <gradloom/runtime/array.hpp>

#include <vector>

namespace gradloom::inline v0 {

/// A run of n elements in each of two arrays: where it begins and how far apart its elements are, all in elements.
struct RowPair {
  int64_t n = 0;
  int64_t a = 0, a_stride = 1;
  int64_t b = 0, b_stride = 1;
};

/// Calls f(RowPair) for each row of two arrays of the same sizes, in row-major order, until f returns false. Returns
/// whether it never did. Two contiguous arrays are one row.
template <class F>
bool for_each_row(const Array& a, const Array& b, F f) {
  const int64_t count = a.size();
  if (count == 0) return true;
  if (a.contiguous() && b.contiguous()) return f(RowPair{.n = count});
  const size_t last = a.sizes().size() - 1;
  RowPair row{.n = a.sizes()[last], .a_stride = a.strides()[last], .b_stride = b.strides()[last]};
  std::vector<int64_t> at(last, 0);
  for (;;) {
    if (!f(row)) return false;
    size_t axis = last;
    for (; axis > 0; --axis) {
      const size_t outer = axis - 1;
      row.a += a.strides()[outer];
      row.b += b.strides()[outer];
      if (++at[outer] < a.sizes()[outer]) break;
      at[outer] = 0;
      row.a -= a.strides()[outer] * a.sizes()[outer];
      row.b -= b.strides()[outer] * b.sizes()[outer];
    }
    if (axis == 0) return true;
  }
}

}  // namespace gradloom::inline v0
