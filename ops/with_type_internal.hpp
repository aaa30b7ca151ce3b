// From a DType, known when a node is planned, to the C++ type of its elements.
#pragma once

#include <gradloom/graph/dtype.hpp>

#include <cmath>
#include <limits>
#include <type_traits>

namespace gradloom::inline v0 {

/// Calls f with a value (zero) of the C++ type of `dtype`.
template <class F>
auto with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::boolean:
      return f(false);
    case DType::u8:
      return f(uint8_t{});
    case DType::i32:
      return f(int32_t{});
    case DType::i64:
      return f(int64_t{});
    case DType::f32:
      return f(float{});
    case DType::f64:
      break;
  }
  return f(double{});
}

/// True if an element of that dtype can be `value`: whatever it is for floats, a whole number in range for others.
[[nodiscard]] inline bool fits(double value, DType dtype) {
  return with_type(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) {
      return true;
    } else {
      const double low = static_cast<double>(std::numeric_limits<T>::min());
      // 2^63 is not an int64, but max() rounds up to it as a double: hence < for that type.
      const double high = static_cast<double>(std::numeric_limits<T>::max());
      return value >= low && (sizeof(T) == 8 ? value < high : value <= high) && value == std::floor(value);
    }
  });
}

}  // namespace gradloom::inline v0
