// Element functions that are exact or one rounding away from a hardware instruction, and mod.
#pragma once

#include <gradloom/ops/math_core_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math {

enum class Rounding { nearest_even = 0, floor = 1, ceil = 2, trunc = 3 };

/// x rounded to an integer in the direction given, whatever the thread's rounding mode; the sign of a zero result is
/// x's.
template <Rounding R, class T>
GRADLOOM_INLINE Batch<T> round_to(Batch<T> x) {
  constexpr int mode = int(R) | _MM_FROUND_NO_EXC;
#if defined(__AVX512BW__)
  if constexpr (sizeof(T) == 4) {
    return _mm512_roundscale_ps(x, mode);
  } else {
    return _mm512_roundscale_pd(x, mode);
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    return _mm256_round_ps(x, mode);
  } else {
    return _mm256_round_pd(x, mode);
  }
#else
  if constexpr (sizeof(T) == 4) {
    return _mm_round_ps(x, mode);
  } else {
    return _mm_round_pd(x, mode);
  }
#endif
}

template <class T>
GRADLOOM_INLINE Batch<T> floor(Batch<T> x) {
  return round_to<Rounding::floor>(x);
}

template <class T>
GRADLOOM_INLINE Batch<T> ceil(Batch<T> x) {
  return round_to<Rounding::ceil>(x);
}

template <class T>
GRADLOOM_INLINE Batch<T> trunc(Batch<T> x) {
  return round_to<Rounding::trunc>(x);
}

/// The nearest integer, half to even as in Python and NumPy.
template <class T>
GRADLOOM_INLINE Batch<T> round(Batch<T> x) {
  return round_to<Rounding::nearest_even>(x);
}

/// Correctly rounded (IEEE 754).
template <class T>
GRADLOOM_INLINE Batch<T> sqrt(Batch<T> x) {
#if defined(__AVX512BW__)
  if constexpr (sizeof(T) == 4) {
    return _mm512_sqrt_ps(x);
  } else {
    return _mm512_sqrt_pd(x);
  }
#else
  return xsimd::sqrt(x);
#endif
}

/// 1 / x, correctly rounded: the hardware's estimate would differ between makers.
template <class T>
GRADLOOM_INLINE Batch<T> reciprocal(Batch<T> x) {
  return Batch<T>(T(1)) / x;
}

/// 1 / sqrt(x), two roundings (1 ULP); -inf at -0, as IEEE 754 has it.
template <class T>
GRADLOOM_INLINE Batch<T> rsqrt(Batch<T> x) {
  return reciprocal(sqrt(x));
}

/// 1, -1; 0, -0 and nan are their own sign.
template <class T>
GRADLOOM_INLINE Batch<T> sign(Batch<T> x) {
  return select(abs(x) > Batch<T>(T(0)), copysign(Batch<T>(T(1)), x), x);
}

/// The larger; nan if either is nan; 0 and not -0. Symmetric, so a graph may swap the operands: the hardware's max
/// returns its second operand for nan and for equal zeros, hence both orders and an `and` of their bits.
template <class T>
GRADLOOM_INLINE Batch<T> maximum(Batch<T> a, Batch<T> b) {
  const Batch<T> sum = a + b;  // not nan: the operands are ordered, or inf and -inf
  const Batch<T> larger = xsimd::max(a, b) & xsimd::max(b, a);
  return select(is_nan(a) | is_nan(b), sum, larger);
}

/// The smaller; nan if either is nan; -0 and not 0.
template <class T>
GRADLOOM_INLINE Batch<T> minimum(Batch<T> a, Batch<T> b) {
  const Batch<T> smaller = xsimd::min(a, b) | xsimd::min(b, a);
  return select(is_nan(a) | is_nan(b), a + b, smaller);
}

/// Remainder lanes by the C library's fmod, which is exact for any quotient.
template <class T>
[[gnu::noinline, gnu::cold]] inline Batch<T> fmod_with_library(Batch<T> x, Batch<T> y) {
  alignas(64) T xs[Batch<T>::size], ys[Batch<T>::size];
  x.store_aligned(xs);
  y.store_aligned(ys);
  for (std::size_t i = 0; i < Batch<T>::size; ++i) {
    if constexpr (sizeof(T) == 4) {
      xs[i] = __builtin_fmodf(xs[i], ys[i]);
    } else {
      xs[i] = __builtin_fmod(xs[i], ys[i]);
    }
  }
  return Batch<T>::load_aligned(xs);
}

/// The exact remainder of x / y with the sign of x, as C's fmod.
template <class T>
GRADLOOM_INLINE Batch<T> fmod(Batch<T> x, Batch<T> y) {
  if constexpr (!has_fma) {
    return fmod_with_library(x, y);
  } else {
    // For a quotient that T holds exactly, x - q y is representable and one FMA gives it exactly. The rounded quotient
    // may be one too large, where the remainder comes out negative.
    const Batch<T> a = abs(x), b = abs(y);
    const Batch<T> q = trunc(a / b);
    const Batch<T> r = fnmadd(q, b, a);
    // Small quotients of finite numbers; q <= limit is false for nan, and y = inf has q = 0 but 0 inf = nan.
    const Mask<T> direct = (q < Batch<T>(T(Bits<T>(1) << mantissa_bits<T>))) & (b < Batch<T>(infinity<T>));
    if (!xsimd::all(direct)) [[unlikely]]
      return fmod_with_library(x, y);
    return copysign(select(r < Batch<T>(T(0)), r + b, r), x);
  }
}

/// Remainder with the sign of y, as Python's % (x - y floor(x / y), but exact; a zero has the sign of y too).
template <class T>
GRADLOOM_INLINE Batch<T> mod(Batch<T> x, Batch<T> y) {
  const Batch<T> zero(T(0));
  const Batch<T> r = fmod(x, y);
  const Batch<T> moved = select((r < zero) == (y < zero), r, r + y);
  return select(r == zero, copysign(zero, y), moved);
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math
