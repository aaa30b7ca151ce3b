#include <gradloom/runtime/elements_internal.hpp>

#include <cmath>
#include <cstring>

namespace gradloom::inline v0 {

namespace {

// Whether `same(x, y)` holds for every pair of elements; arrays of another dtype or other sizes are never alike.
template <class Same>
bool alike(const Array& a, const Array& b, Same same) {
  if (a.dtype() != b.dtype() || a.sizes() != b.sizes()) return false;
  return with_type(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto* const x = static_cast<const T*>(a.raw());
    const auto* const y = static_cast<const T*>(b.raw());
    return for_each_row(a, b, [&](const RowPair& row) {
      for (int64_t i = 0; i < row.n; ++i) {
        if (!same(x[row.a + i * row.a_stride], y[row.b + i * row.b_stride])) return false;
      }
      return true;
    });
  });
}

template <class T>
bool equal_or_nan(T x, T y) {
  return x == y || (x != x && y != y);
}

}  // namespace

bool array_equal(const Array& a, const Array& b) {
  return alike(a, b, [](auto x, auto y) { return equal_or_nan(x, y); });
}

bool all_close(const Array& a, const Array& b, double relative, double absolute) {
  return alike(a, b, [&](auto x, auto y) {
    if (equal_or_nan(x, y)) return true;
    const auto u = static_cast<double>(x), v = static_cast<double>(y);
    if (std::isinf(u) || std::isinf(v)) return false;  // an infinite tolerance would accept anything
    return std::abs(u - v) <= absolute + relative * std::abs(v);
  });
}

bool same_bits(const Array& a, const Array& b) {
  return alike(a, b, [](auto x, auto y) { return std::memcmp(&x, &y, sizeof x) == 0; });
}

}  // namespace gradloom::inline v0
