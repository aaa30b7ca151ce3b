// What the element functions are made of: bit views of a batch, selects, rounding to an integer, polynomials, and exact
// products. Private to ops/math_*_internal.hpp. Everything is lane-wise: a lane's result never depends on another lane.
#pragma once

#include <gradloom/ops/kernel_internal.hpp>

#include <limits>

/// Of all element functions but pow: a call spills every live vector register (the System V ABI preserves none), and on
/// AVX-512 GCC 12 would call even exp where a handler applies it to eight registers.
#define GRADLOOM_INLINE [[gnu::always_inline]] inline

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math {

#if defined(__AVX512BW__)
inline constexpr bool has_fma = true;
#elif defined(__FMA__)
inline constexpr bool has_fma = true;
#else
inline constexpr bool has_fma = false;
#endif

template <class T>
using Mask = xsimd::batch_bool<T, Arch>;

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <class T>
inline constexpr int mantissa_bits = std::numeric_limits<T>::digits - 1;  // stored ones: 23, 52

template <class T>
inline constexpr int exponent_bias = std::numeric_limits<T>::max_exponent - 1;  // 127, 1023

template <class T>
inline constexpr T infinity = std::numeric_limits<T>::infinity();

template <class T>
inline constexpr T nan = std::numeric_limits<T>::quiet_NaN();

/// Adding it to |x| < 2^(mantissa_bits - 2) rounds x to an integer, half to even, which then sits in the low bits of
/// the sum in two's complement: one addition in place of a conversion, and the only one for int64 before AVX-512.
template <class T>
inline constexpr T round_magic = T(1.5) * T(Bits<T>(1) << mantissa_bits<T>);

template <class T>
constexpr T pick(float for_float, double for_double) {
  return std::is_same_v<T, float> ? T(for_float) : T(for_double);
}

template <class T>
GRADLOOM_INLINE Batch<Bits<T>> bits(Batch<T> x) {
  return xsimd::bitwise_cast<Batch<Bits<T>>>(x);
}

GRADLOOM_INLINE Batch<float> from_bits(Batch<std::uint32_t> x) { return xsimd::bitwise_cast<Batch<float>>(x); }
GRADLOOM_INLINE Batch<double> from_bits(Batch<std::uint64_t> x) { return xsimd::bitwise_cast<Batch<double>>(x); }

/// Where the low bit of an integer is set.
template <class T>
GRADLOOM_INLINE Mask<T> low_bit(Batch<Bits<T>> x) {
#if defined(__AVX512BW__)
  if constexpr (sizeof(T) == 4) {
    return _mm512_test_epi32_mask(x, _mm512_set1_epi32(1));
  } else {
    return _mm512_test_epi64_mask(x, _mm512_set1_epi64(1));
  }
#else
  // A mask is all ones, which is the integer -1.
  const Batch<T> spread = from_bits(Batch<Bits<T>>(Bits<T>(0)) - (x & Batch<Bits<T>>(Bits<T>(1))));
  return Mask<T>(typename Mask<T>::register_type(spread));
#endif
}

template <class T>
GRADLOOM_INLINE Batch<T> select(Mask<T> m, Batch<T> a, Batch<T> b) {
  return xsimd::select(m, a, b);
}

template <class T>
GRADLOOM_INLINE Mask<T> is_nan(Batch<T> x) {
  return xsimd::isnan(x);
}

template <class T>
GRADLOOM_INLINE Batch<T> sign_bit(Batch<T> x) {
  return x & Batch<T>(T(-0.0));
}

template <class T>
GRADLOOM_INLINE Batch<T> abs(Batch<T> x) {
  return from_bits(bits(x) & Batch<Bits<T>>(~Bits<T>(0) >> 1));
}

/// |x| with the sign of y.
template <class T>
GRADLOOM_INLINE Batch<T> copysign(Batch<T> x, Batch<T> y) {
  return abs(x) | sign_bit(y);
}

/// x held in [lo, hi]; nan stays nan, because min and max of the hardware return their *second* operand then.
template <class T>
GRADLOOM_INLINE Batch<T> clamp(Batch<T> x, T lo, T hi) {
  return xsimd::min(Batch<T>(hi), xsimd::max(Batch<T>(lo), x));
}

template <class T>
GRADLOOM_INLINE Batch<T> clamp_above(Batch<T> x, T hi) {
  return xsimd::min(Batch<T>(hi), x);
}

/// c[K] + c[K + S] x + c[K + 2 S] x^2 + ...
template <std::size_t K, std::size_t S, class T, std::size_t N>
GRADLOOM_INLINE Batch<T> horner_steps(Batch<T> x, const T (&c)[N]) {
  if constexpr (K + S >= N) {
    return Batch<T>(c[K]);
  } else {
    return fmadd(horner_steps<K + S, S>(x, c), x, Batch<T>(c[K]));
  }
}

/// c[0] + c[1] x + c[2] x^2 + ..., by Horner's rule: few instructions and few live registers, and the loops around
/// these functions have other registers to work on meanwhile. Long tables as even and odd terms, two chains of half the
/// latency for one multiplication more: erf of double
/// went from 1.54 to 1.14 ns on AVX-512, and shorter tables gained nothing.
template <class T, std::size_t N>
GRADLOOM_INLINE Batch<T> polynomial(Batch<T> x, const T (&c)[N]) {
  if constexpr (N < 8) {
    return horner_steps<0, 1>(x, c);
  } else {
    const Batch<T> square = x * x;
    return fmadd(horner_steps<1, 2>(square, c), x, horner_steps<0, 2>(square, c));
  }
}

/// The same with the table of x's type.
template <class T, std::size_t N, std::size_t M>
GRADLOOM_INLINE Batch<T> polynomial(Batch<T> x, const float (&for_float)[N], const double (&for_double)[M]) {
  if constexpr (std::is_same_v<T, float>) {
    return polynomial(x, for_float);
  } else {
    return polynomial(x, for_double);
  }
}

/// An unevaluated sum hi + lo, |lo| <= half an ulp of hi: twice the precision.
template <class T>
struct Pair {
  Batch<T> hi, lo;
};

/// a + b exactly, if |a| >= |b| or a = 0 (Dekker 1971).
template <class T>
GRADLOOM_INLINE Pair<T> fast_two_sum(Batch<T> a, Batch<T> b) {
  const Batch<T> s = a + b;
  return {s, b - (s - a)};
}

/// a * b exactly, but for overflow and underflow: one FMA, or Dekker's splitting (Veltkamp) without it.
template <class T>
GRADLOOM_INLINE Pair<T> two_product(Batch<T> a, Batch<T> b) {
  const Batch<T> p = a * b;
  if constexpr (has_fma) {
    return {p, fmsub(a, b, p)};
  } else {
    const Batch<T> splitter(T(Bits<T>(1) << (mantissa_bits<T> + 2) / 2) + 1);
    const Batch<T> at = splitter * a, bt = splitter * b;
    const Batch<T> ah = at - (at - a), bh = bt - (bt - b);
    const Batch<T> al = a - ah, bl = b - bh;
    return {p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
  }
}

/// y, but f(x) of the C library in the lanes where |x| <= limit does not hold. Out of line: it is the rare, slow path.
template <class T>
[[gnu::noinline, gnu::cold]] inline Batch<T> with_library(Batch<T> x, Batch<T> y, T limit, double (*f)(double)) {
  alignas(64) T xs[Batch<T>::size], ys[Batch<T>::size];
  x.store_aligned(xs);
  y.store_aligned(ys);
  for (std::size_t i = 0; i < Batch<T>::size; ++i) {
    if (!(__builtin_fabs(double(xs[i])) <= double(limit))) ys[i] = T(f(double(xs[i])));
  }
  return Batch<T>::load_aligned(ys);
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math
