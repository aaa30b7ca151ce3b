// Which numbers are elements of which dtypes.
#pragma once

#include <gradloom/graph/with_type_internal.hpp>

#include <cmath>
#include <limits>
#include <type_traits>

namespace gradloom::inline v0 {

/// True if an element of that dtype can be `value`: whatever it is for floats, a whole number in range for others.
[[nodiscard]] inline bool fits(double value, DType dtype) {
  if (dtype == DType::boolean) return value == 0 || value == 1;
  return with_type(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<NumberOf<T>>) {
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
