// tanh(log(1 + v)) and its logarithmic slope: rational, so they need no exponential and no logarithm.
//
// With w = log(1 + v): tanh w = (e^2w - 1) / (e^2w + 1) = h / (h + 1) for h = ((1 + v)^2 - 1) / 2 = v^2 / 2 + v. Its
// derivative is h' / (h + 1)^2 with h' = v + 1. All terms are positive, so nothing cancels; v is an e^x, and for v < 0
// the result is nan.
#pragma once

#include <gradloom/ops/math_core_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math {

/// Beyond 2^30 the result rounds to 1, and the square of 2^30 is far from overflow.
/// Error: 3.34 ULP in float, 2.90 in double.
template <class T>
GRADLOOM_INLINE Batch<T> tanh_log1p(Batch<T> v) {
  const Batch<T> one(T(1)), half(T(0.5));
  const Batch<T> c = clamp_above(v, T(0x1p30F));
  const Batch<T> m = fmadd(c, half, one);
  return select(v < Batch<T>(T(0)), Batch<T>(nan<T>), c * m / fmadd(c, m, one));
}

/// v (v + 1) / (h + 1)^2 for 0 <= v where nothing overflows. An error of d = h + 1 = v^2 / 2 + (v + 1) counts twice, so
/// the rounding errors of its sums (Dekker 1971: exact if the larger term comes first) and of the square go into d^2.
template <class T>
GRADLOOM_INLINE Batch<T> tanh_log1p_slope_in_range(Batch<T> v) {
  const Batch<T> one(T(1)), half(T(0.5));
  const Batch<T> sum = v + one, scaled = v * half, square = scaled * v;
  const Batch<T> larger = xsimd::max(square, sum), smaller = xsimd::min(square, sum), d = larger + smaller;
  const Batch<T> of_sum = xsimd::min(v, one) - (sum - xsimd::max(v, one));
  const Batch<T> error = (of_sum + fmsub(scaled, v, square)) + (smaller - (d - larger));
  return fmadd(v, v, v) / fmadd(d, d, (d + d) * error);
}

/// For a large v, whose powers overflow: with x = 1 / v it is 4 x^2 (1 - 3 x + 4 x^2 - ...), and w = 2 x is made exact
/// by its remainder. 0 beyond the bound.
template <class T>
GRADLOOM_INLINE Batch<T> tanh_log1p_slope_of_large(Batch<T> v) {
  const Batch<T> two(T(2)), half(T(0.5));
  const Batch<T> c = clamp_above(v, pick<T>(0x1p100F, 0x1p540));
  const Batch<T> w = two / c, x = w * half;
  const Batch<T> error = fnmadd(w, c, two) * x;
  return fmadd(w, w, w * (two * error - w * x * (Batch<T>(T(3)) - two * w)));
}

/// Error: 2.48 ULP in float and 2.33 in double with fused multiply-adds; 4.02 and 3.63 on baseline, which rounds twice.
template <class T>
GRADLOOM_INLINE Batch<T> tanh_log1p_slope(Batch<T> v) {
  const Batch<T> zero(T(0)), limit(pick<T>(0x1p15F, 0x1p200));
  const Batch<T> y = tanh_log1p_slope_in_range(v);
  const Mask<T> in_range = (v >= zero) & (v <= limit);
  if (xsimd::all(in_range)) [[likely]]
    return y;
  return select(in_range, y, select(v < zero, Batch<T>(nan<T>), tanh_log1p_slope_of_large(v)));
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math
