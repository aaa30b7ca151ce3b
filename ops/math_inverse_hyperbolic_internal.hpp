// asinh, acosh and atanh: logarithms (DLMF 4.37(iv)), each written as log1p of what is exact near the function's zero.
// Included by the op that is made of them, not by all that need the element functions.
#pragma once

#include <gradloom/ops/math_basic_internal.hpp>
#include <gradloom/ops/math_log_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math {

/// log(1 + y), or log(2 x) if x is so large that 1 / x is nothing to its logarithm, and its square may overflow.
template <class T>
GRADLOOM_INLINE Batch<T> log1p_or_log_of_twice(Batch<T> y, Batch<T> x) {
  const Mask<T> large = x > Batch<T>(pick<T>(0x1p32F, 0x1p100));
  constexpr T ln2 = T(0.69314718055994530942);
  return log1p(select(large, x, y)) + select(large, Batch<T>(ln2), Batch<T>(T(0)));
}

/// asinh x = log(a + sqrt(a^2 + 1)), a = |x|, where sqrt(a^2 + 1) - 1 = a^2 / (1 + sqrt(a^2 + 1)); the sign is put
/// back.
/// Error: 1.78 ULP in float, 1.67 in double.
template <class T>
GRADLOOM_INLINE Batch<T> asinh(Batch<T> x) {
  const Batch<T> one(T(1));
  const Batch<T> a = abs(x), z = a * a;
  return log1p_or_log_of_twice(a + z / (one + sqrt(z + one)), a) | sign_bit(x);
}

/// acosh x = log(x + sqrt(x^2 - 1)), with t = x - 1; nan below 1.
/// Error: 2.41 ULP in float, 2.48 in double.
template <class T>
GRADLOOM_INLINE Batch<T> acosh(Batch<T> x) {
  const Batch<T> one(T(1));
  const Batch<T> t = x - one;
  const Batch<T> y = log1p_or_log_of_twice(t + sqrt(t * (x + one)), x);
  return select(x < one, Batch<T>(nan<T>), y);
}

/// atanh x = log((1 + a) / (1 - a)) / 2, a = |x|, where (1 + a) / (1 - a) - 1 = 2 a + 2 a^2 / (1 - a), whose rounding
/// errors are small beside 2 a where a is; the sign is put back. inf at 1, nan above.
/// Error: 1.74 ULP in float, 1.60 in double.
template <class T>
GRADLOOM_INLINE Batch<T> atanh(Batch<T> x) {
  const Batch<T> one(T(1));
  const Batch<T> a = abs(x), twice = a + a;
  const Batch<T> y = log1p(twice + twice * a / (one - a)) * Batch<T>(T(0.5));
  return select(a > one, Batch<T>(nan<T>), y | sign_bit(x));
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math
