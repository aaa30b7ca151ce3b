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

/// v (v + 1) / (h + 1)^2, in which v^4 overflows long before the result, about 4 / v^2, underflows. So a large v is
/// scaled by a power of two, k, and with it the ones it is added to: for u = k v the result is
/// k^2 u (u + k) / (u^2 / 2 + k u + k^2)^2. Beyond the bound it is 0. An error of d counts twice, so of its two sums
/// the one is taken that adds the larger term last.
/// Error: 4.87 ULP in float, 4.20 in double.
template <class T>
GRADLOOM_INLINE Batch<T> tanh_log1p_slope(Batch<T> v) {
  const Batch<T> one(T(1)), half(T(0.5));
  const Batch<T> c = clamp_above(v, pick<T>(0x1p77F, 0x1p540));
  const Batch<T> k = select(c > Batch<T>(pick<T>(0x1p15F, 0x1p200)), Batch<T>(pick<T>(0x1p-46F, 0x1p-370)), one);
  const Batch<T> u = k * c;
  const Batch<T> kk = k * k;
  const Batch<T> d = select(u < k, fmadd(u, fmadd(u, half, k), kk), fmadd(u * half, u, fmadd(u, k, kk)));
  const Batch<T> y = fmadd(u, u, u * k) / (d * d) * kk;
  return select(v < Batch<T>(T(0)), Batch<T>(nan<T>), y);
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math
