// sin, cos, tan; asin, acos, atan.
//
// Range reduction of the first three (Cody & Waite 1980, ch. 8): |x| = n pi/2 + r, |r| <= pi/4, pi/2 in several parts
// so that r keeps a small *relative* error next to a multiple of pi/2. With FMA a part may fill the mantissa: n times
// the first part cancels exactly, and each later step rounds once, relative to what is left. Without FMA n times each
// part but the last must be exact, so the parts are shorter, there are four, and n is bounded tighter. Beyond the bound
// the lane is computed by the C library in double, which reduces by Payne & Hanek's method: right for any argument,
// slow.
#pragma once

#include <gradloom/ops/math_basic_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math {

constexpr float sin_table_f32[] = {-0.166666672F, 0.00833337288F, -0.000198502603F, 2.8036643e-06F};
constexpr double sin_table_f64[] = {-0.16666666666666666,   0.008333333333333099,    -0.00019841269841054958,
                                    2.7557319128340037e-06, -2.5052085795389897e-08, 1.605623573480483e-10,
                                    -7.484668895269431e-13};
constexpr float cos_table_f32[] = {0.0416666456F, -0.00138873083F, 2.44320254e-05F};
constexpr double cos_table_f64[] = {0.041666666666666664,  -0.0013888888888888438, 2.4801587301248478e-05,
                                    -2.75573190954872e-07, 2.087673058350535e-09,  -1.1467881202600181e-11,
                                    4.639739080027358e-14};

/// The largest |x| reduced here: n below 2^16 and 2^30 with FMA, 2^10 and 2^20 without.
template <class T>
inline constexpr T trig_limit = has_fma ? pick<T>(1e5F, 1e9) : pick<T>(1600, 1.6e6);

/// |x| = n pi/2 + r; the low bits of `quadrant` hold n.
template <class T>
struct TrigParts {
  Batch<T> r;
  Batch<Bits<T>> quadrant;
};

template <class T>
GRADLOOM_INLINE TrigParts<T> trig_parts(Batch<T> a) {
  const Batch<T> shifted = fmadd(a, Batch<T>(pick<T>(0.636619772F, 0.6366197723675814)), Batch<T>(round_magic<T>));
  const Batch<T> n = shifted - Batch<T>(round_magic<T>);
  Batch<T> r;
  if constexpr (has_fma) {
    r = fnmadd(n, Batch<T>(pick<T>(0x1.921fb6p+0F, 0x1.921fb54442d18p+0)), a);
    r = fnmadd(n, Batch<T>(pick<T>(-0x1.777a5cp-25F, 0x1.1a62633145c07p-54)), r);
    r = fnmadd(n, Batch<T>(pick<T>(-0x1.ee59dap-50F, -0x1.f1976b7ed8fbcp-110)), r);
  } else {
    const Batch<T> first = fnmadd(n, Batch<T>(pick<T>(0x1.9218p+0F, 0x1.921fb544p+0)), a);
    const Batch<T> step = n * Batch<T>(pick<T>(0x1.ed5p-14F, 0x1.0b4611a6p-34));
    const Batch<T> second = first - step;
    // Away from a multiple of pi/2 each step would round at the size of r; what the second lost joins the smaller ones.
    Batch<T> rest = (first - second) - step;
    rest = fnmadd(n, Batch<T>(pick<T>(0x1.10ap-30F, 0x1.3198a2ep-69)), rest);
    rest = fnmadd(n, Batch<T>(pick<T>(0x1.4611a6p-42F, 0x1.b839a252049c1p-104)), rest);
    r = second + rest;
  }
  return {r, bits(shifted)};
}

template <class T>
GRADLOOM_INLINE Batch<T> sin_on_quadrant(Batch<T> r, Batch<T> z) {
  return fmadd(r * z, polynomial(z, sin_table_f32, sin_table_f64), r);
}

template <class T>
GRADLOOM_INLINE Batch<T> cos_on_quadrant(Batch<T> z) {
  const Batch<T> half_z = Batch<T>(T(0.5)) * z;
  const Batch<T> w = Batch<T>(T(1)) - half_z;
  const Batch<T> tail = z * z * polynomial(z, cos_table_f32, cos_table_f64);
  if constexpr (std::is_same_v<T, float>) {
    return w + tail;
  } else {
    return w + (((Batch<T>(T(1)) - w) - half_z) + tail);  // with the rounding error of w
  }
}

/// Bit 1 of the quadrant as the sign bit.
template <class T>
GRADLOOM_INLINE Batch<T> half_turn_sign(Batch<Bits<T>> quadrant) {
  return from_bits((quadrant >> 1) << (8 * int(sizeof(T)) - 1));
}

/// sin x: the quadrant chooses the polynomial and the sign.
/// Error: 2.20 ULP in float, 1.41 in double.
template <class T>
GRADLOOM_INLINE Batch<T> sin(Batch<T> x) {
  const Batch<T> a = abs(x);
  const TrigParts<T> p = trig_parts(a);
  const Batch<T> z = p.r * p.r;
  Batch<T> y = select(low_bit<T>(p.quadrant), cos_on_quadrant(z), sin_on_quadrant(p.r, z));
  y = y ^ half_turn_sign<T>(p.quadrant) ^ sign_bit(x);
  if (!xsimd::all(a <= Batch<T>(trig_limit<T>))) [[unlikely]] {
    y = with_library(x, y, trig_limit<T>, [](double v) { return __builtin_sin(v); });
  }
  return y;
}

/// cos x = sin (x + pi/2): the same, a quadrant on.
/// Error: 2.20 ULP in float, 1.51 in double.
template <class T>
GRADLOOM_INLINE Batch<T> cos(Batch<T> x) {
  const Batch<T> a = abs(x);
  const TrigParts<T> p = trig_parts(a);
  const Batch<T> z = p.r * p.r;
  Batch<T> y = select(low_bit<T>(p.quadrant), sin_on_quadrant(p.r, z), cos_on_quadrant(z));
  y = y ^ half_turn_sign<T>(p.quadrant + Batch<Bits<T>>(Bits<T>(1)));
  if (!xsimd::all(a <= Batch<T>(trig_limit<T>))) [[unlikely]] {
    y = with_library(x, y, trig_limit<T>, [](double v) { return __builtin_cos(v); });
  }
  return y;
}

/// sin / cos, and -cos / sin in odd quadrants.
/// Error: 3.68 ULP in float, 2.57 in double.
template <class T>
GRADLOOM_INLINE Batch<T> tan(Batch<T> x) {
  const Batch<T> a = abs(x);
  const TrigParts<T> p = trig_parts(a);
  const Batch<T> z = p.r * p.r;
  const Batch<T> s = sin_on_quadrant(p.r, z), c = cos_on_quadrant(z);
  const Mask<T> odd = low_bit<T>(p.quadrant);
  Batch<T> y = select(odd, c, s) / select(odd, -s, c);
  y = y ^ sign_bit(x);
  if (!xsimd::all(a <= Batch<T>(trig_limit<T>))) [[unlikely]] {
    y = with_library(x, y, trig_limit<T>, [](double v) { return __builtin_tan(v); });
  }
  return y;
}

constexpr float asin_table_f32[] = {0.166667491F, 0.0749541968F, 0.0454561934F, 0.0242453795F, 0.0420600623F};
constexpr double asin_table_f64[] = {
    0.16666666666665764,  0.07500000000270568,  0.04464285687473202,   0.030381957456406233,
    0.022371794289366545, 0.017359205204102907, 0.013889800167169349,  0.012141232064215855,
    0.006641762760427377, 0.019233731868803866, -0.015784975397546384, 0.031624922287797036,
};

constexpr float atan_table_f32[] = {-0.333333164F, 0.199985281F, -0.142443806F, 0.105990037F, -0.060894236F};
constexpr double atan_table_f64[] = {
    -0.33333333333333237, 0.19999999999962206,  -0.14285714280897344,  0.11111110812946105,
    -0.09090898491145687, 0.07692071721117313,  -0.06663221083424063,  0.058486598545486185,
    -0.05042474429628375, 0.038138620420069755, -0.017982246810858686,
};

template <class T>
inline constexpr T half_pi = pick<T>(0x1.921fb6p+0F, 0x1.921fb54442d18p+0);

/// pi/2 - half_pi, the next part.
template <class T>
inline constexpr T half_pi_low = pick<T>(-0x1.777a5cp-25F, 0x1.1a62633145c07p-54);

/// asin of |x|: asin s = s + correction, with s = |x| up to 1/2 and s = sqrt((1 - |x|) / 2) above, where
/// asin |x| = pi/2 - 2 asin s (DLMF 4.24). Above 1, and for nan, s is nan.
template <class T>
struct AsinParts {
  Mask<T> folded;
  Batch<T> s, correction;
};

template <class T>
GRADLOOM_INLINE AsinParts<T> asin_parts(Batch<T> x) {
  const Batch<T> half(T(0.5));
  const Batch<T> a = abs(x);
  const Mask<T> folded = a > half;
  const Batch<T> z = select(folded, (Batch<T>(T(1)) - a) * half, a * a);
  const Batch<T> s = select(folded, sqrt(z), a);
  return {folded, s, s * z * polynomial(z, asin_table_f32, asin_table_f64)};
}

/// asin x, on |x| with the sign put back.
/// Error: 1.19 ULP in float, 1.21 in double.
template <class T>
GRADLOOM_INLINE Batch<T> asin(Batch<T> x) {
  const AsinParts<T> p = asin_parts(x);
  const Batch<T> two(T(2));
  // The large terms subtract first, the small ones are added to the difference.
  const Batch<T> high = Batch<T>(half_pi<T>) - two * p.s;
  const Batch<T> lost = (Batch<T>(half_pi<T>) - high) - two * p.s;
  const Batch<T> above = high + (lost + fnmadd(two, p.correction, Batch<T>(half_pi_low<T>)));
  return select(p.folded, above, p.s + p.correction) | sign_bit(x);
}

/// pi/2 - asin x up to 1/2; above, 2 asin s; below -1/2, pi - 2 asin s.
/// Error: 1.17 ULP in float, 1.19 in double.
template <class T>
GRADLOOM_INLINE Batch<T> acos(Batch<T> x) {
  const AsinParts<T> p = asin_parts(x);
  const Batch<T> negative = sign_bit(x);
  const Batch<T> twice = Batch<T>(T(2)) * p.s + Batch<T>(T(2)) * p.correction;
  // base - s - correction, with s and base the large terms.
  const Batch<T> zero(T(0));
  const Batch<T> base = select(p.folded, Batch<T>(T(2) * half_pi<T>), Batch<T>(half_pi<T>));
  const Batch<T> base_low = select(p.folded, Batch<T>(T(2) * half_pi_low<T>), Batch<T>(half_pi_low<T>));
  const Batch<T> s = select(p.folded, p.s + p.s, p.s ^ negative);
  const Batch<T> correction = select(p.folded, p.correction + p.correction, p.correction ^ negative);
  const Batch<T> high = base - s;
  const Batch<T> below = high + ((((base - high) - s) - correction) + base_low);
  return select(p.folded & (x > zero), twice, below);
}

/// atan |x| = atan t + 0, pi/4 or pi/2, with t = |x| up to sqrt(2) - 1, (|x| - 1) / (|x| + 1) up to sqrt(2) + 1, then
/// -1 / |x| (DLMF 4.24): |t| <= sqrt(2) - 1 throughout.
/// Error: 1.93 ULP in float, 1.72 in double.
template <class T>
GRADLOOM_INLINE Batch<T> atan(Batch<T> x) {
  const Batch<T> zero(T(0)), one(T(1));
  const Batch<T> a = abs(x);
  const Mask<T> middle = a > Batch<T>(T(0.41421356237309503));
  const Mask<T> high = a > Batch<T>(T(2.414213562373095));
  const Batch<T> numerator = select(high, Batch<T>(T(-1)), select(middle, a - one, a));
  const Batch<T> denominator = select(high, a, select(middle, a + one, one));
  const Batch<T> t = numerator / denominator;
  const Batch<T> z = t * t;
  const Batch<T> tail = t * z * polynomial(z, atan_table_f32, atan_table_f64);
  const Batch<T> quarter_pi(half_pi<T> / 2), quarter_pi_low(half_pi_low<T> / 2);
  const Batch<T> base = select(high, Batch<T>(half_pi<T>), select(middle, quarter_pi, zero));
  const Batch<T> base_low = select(high, Batch<T>(half_pi_low<T>), select(middle, quarter_pi_low, zero));
  return (base + (t + (tail + base_low))) | sign_bit(x);
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math
