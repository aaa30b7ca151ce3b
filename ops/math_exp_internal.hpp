// e^x and the functions made of it: exp, expm1, sinh, cosh, tanh, sigmoid.
//
// Range reduction (Cody & Waite 1980, ch. 6): x = n ln 2 + r, |r| <= ln 2 / 2, with ln 2 in two parts, the first short
// enough that n times it is exact. Then e^x = 2^n (1 + m), m = e^r - 1 = r + r^2 P(r), P near-minimax
// (bench/minimax.py). Keeping m apart from the 1 is what makes expm1, sinh and tanh exact near 0.
#pragma once

#include <gradloom/ops/math_core_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math {

constexpr float exp_table_f32[] = {0.5F, 0.16666542F, 0.0416664779F, 0.00836667698F, 0.00139336905F};
constexpr double exp_table_f64[] = {
    0.5,
    0.16666666666666677,
    0.04166666666666668,
    0.008333333333321456,
    0.0013888888888877455,
    0.00019841269886508285,
    2.4801587340571925e-05,
    2.7557243869811986e-06,
    2.7557259264804236e-07,
    2.5109143046733583e-08,
    2.091947668792563e-09,
};

/// x = n ln 2 + r. `shifted` is n + round_magic, whose bits hold the integer n.
template <class T>
struct ExpReduced {
  Batch<T> r, n, shifted;
};

/// e^x = 2^n (1 + m).
template <class T>
struct ExpParts {
  Batch<T> m, n, shifted;
};

template <class T>
GRADLOOM_INLINE ExpReduced<T> exp_reduce(Batch<T> x) {
  // 16 bits (float) and 42 bits (double) of ln 2, and the rest.
  constexpr T ln2_hi = pick<T>(0x1.62e4p-1F, 0x1.62e42fefa38p-1);
  constexpr T ln2_lo = pick<T>(0x1.7f7d1cp-20F, 0x1.ef35793c7673p-45);
  const Batch<T> shifted = fmadd(x, Batch<T>(T(1.4426950408889634)), Batch<T>(round_magic<T>));
  const Batch<T> n = shifted - Batch<T>(round_magic<T>);
  return {fnmadd(n, Batch<T>(ln2_lo), fnmadd(n, Batch<T>(ln2_hi), x)), n, shifted};
}

template <class T>
GRADLOOM_INLINE ExpParts<T> exp_parts(Batch<T> x) {
  const ExpReduced<T> a = exp_reduce(x);
  return {fmadd(a.r * a.r, polynomial(a.r, exp_table_f32, exp_table_f64), a.r), a.n, a.shifted};
}

/// 2^(n + plus) for an n that keeps it a normal number.
template <class T>
GRADLOOM_INLINE Batch<T> power_of_two(const ExpParts<T>& e, int plus) {
  const Batch<Bits<T>> biased = bits(e.shifted) + Batch<Bits<T>>(Bits<T>(exponent_bias<T> + plus));
  return from_bits(biased << mantissa_bits<T>);
}

/// 2^n y, overflowing to inf and underflowing gradually. Without AVX-512's instruction for it in two steps, because 2^n
/// itself may be out of range: the first product is exact, the second rounds once.
template <class T>
GRADLOOM_INLINE Batch<T> scale(Batch<T> y, const ExpParts<T>& e) {
#if defined(__AVX512BW__)
  if constexpr (sizeof(T) == 4) {
    return _mm512_scalef_ps(y, e.n);
  } else {
    return _mm512_scalef_pd(y, e.n);
  }
#else
  const Batch<Bits<T>> half = bits(fmadd(e.n, Batch<T>(T(0.5)), Batch<T>(round_magic<T>)));
  const Batch<Bits<T>> bias(Bits<T>{exponent_bias<T>});
  const Batch<Bits<T>> rest = bits(e.shifted) - half;
  return y * from_bits((half + bias) << mantissa_bits<T>) * from_bits((rest + bias) << mantissa_bits<T>);
#endif
}

/// e^x.
/// Error: 1.04 ULP in float, 1.00 in double.
template <class T>
GRADLOOM_INLINE Batch<T> exp(Batch<T> x) {
  // Past these bounds the result is 0 or inf; inside, n is small enough for the steps above.
  const ExpParts<T> e = exp_parts(clamp(x, pick<T>(-105, -746), pick<T>(89, 710)));
  return scale(Batch<T>(T(1)) + e.m, e);
}

/// (e^x - 1) / 2^K, for x not below -20 (float) or -40 (double), where e^x - 1 is -1 already, and with n <= K +
/// exponent_bias. The division puts off the overflow; with K = 1 it is exact down to denormals if the caller doubled x.
template <int K, class T>
GRADLOOM_INLINE Batch<T> scaled_expm1(Batch<T> x) {
  const ExpParts<T> e = exp_parts(x);
  const Batch<T> s = power_of_two(e, -K);
  return fmadd(s, e.m, s - Batch<T>(T(1) / T(1 << K)));
}

/// e^x - 1.
/// Error: 1.68 ULP in float, 2.05 in double.
template <class T>
GRADLOOM_INLINE Batch<T> expm1(Batch<T> x) {
  const Batch<T> half = scaled_expm1<1>(clamp(x, pick<T>(-20, -40), pick<T>(89, 710)));
  // Tiny x is its own result (x + x^2/2): halving would lose the last bit of a denormal, and -0 its sign.
  const Mask<T> tiny = abs(x) < Batch<T>(pick<T>(0x1p-25F, 0x1p-54));
  return select(tiny, x, half + half);
}

constexpr float tanh_table_f32[] = {-0.333333313F, 0.133332223F,    -0.0539484471F,
                                    0.0217085835F, -0.00819449499F, 0.00215695403F};
constexpr double tanh_table_f64[] = {-0.3333333333333333,    0.13333333333333025,    -0.05396825396806166,
                                     0.021869488529874463,   -0.008863235405854177,  0.003592126433795781,
                                     -0.0014558201969350935, 0.0005899390232928385,  -0.0002387364992103331,
                                     9.567270399518726e-05,  -3.650957997572438e-05, 1.169433610637952e-05,
                                     -2.2333049653491592e-06};

/// tanh x = x + x z P(z), z = x^2, up to 5/8; above, t / (t + 2) with t = e^2x - 1 (DLMF 4.28), which near 0 would add
/// up to 2.4 ULP. On |x|, with the sign put back; 1 from 9.02 (float) and 19.07 (double) on.
/// Error: 1.50 ULP in float, 1.48 in double.
template <class T>
GRADLOOM_INLINE Batch<T> tanh(Batch<T> x) {
  const Batch<T> a = clamp_above(abs(x), pick<T>(10, 20));
  const Batch<T> z = a * a;
  const Batch<T> small = fmadd(a * z, polynomial(z, tanh_table_f32, tanh_table_f64), a);
  const Batch<T> h = scaled_expm1<1>(a + a);
  return select(a < Batch<T>(T(0.625)), small, h / (h + Batch<T>(T(1)))) | sign_bit(x);
}

/// sinh x = (t + t / (t + 1)) / 2 with t = e^x - 1, on |x| with the sign put back.
/// Error: 2.30 ULP in float, 2.35 in double.
template <class T>
GRADLOOM_INLINE Batch<T> sinh(Batch<T> x) {
  const Batch<T> a = abs(x);
  const Batch<T> quarter = scaled_expm1<2>(clamp_above(a, pick<T>(89.7F, 710.7)));
  const Batch<T> h = quarter + quarter;  // t / 2, inf only where sinh is
  // The quotient tends to 1/2; bounding its terms keeps inf / inf away.
  const Batch<T> bounded = clamp_above(h, pick<T>(0x1p60F, 0x1p100));
  const Batch<T> y = h + bounded / (bounded + bounded + Batch<T>(T(1)));
  return select(a < Batch<T>(pick<T>(0x1p-13F, 0x1p-27)), x, copysign(y, x));
}

/// cosh x = E + 1 / (4 E) with E = e^|x| / 2.
/// Error: 1.51 ULP in float, 1.46 in double.
template <class T>
GRADLOOM_INLINE Batch<T> cosh(Batch<T> x) {
  const ExpParts<T> e = exp_parts(clamp_above(abs(x), pick<T>(90, 711)));
  const Batch<T> half_exp = scale(fmadd(Batch<T>(T(0.5)), e.m, Batch<T>(T(0.5))), e);
  return half_exp + Batch<T>(T(0.25)) / half_exp;
}

/// 1 / (1 + e^-x) = c / (c + c e^-x), c = 2^-32 (float) or 2^-64: so scaled, e^-x does not overflow before the quotient
/// has underflown, gradually, to 0. With c e^-x = s (1 + m) the denominator is (c + s) + s m: one rounding of its size,
/// where adding up a rounded e^-x would be two. (c + s is exact but around e^-x = 2^24, where c is its last bit.)
/// Error: 1.77 ULP in float, 1.61 in double.
template <class T>
GRADLOOM_INLINE Batch<T> sigmoid(Batch<T> x) {
  constexpr int k = std::is_same_v<T, float> ? 32 : 64;
  const Batch<T> c(pick<T>(0x1p-32F, 0x1p-64));
  const ExpParts<T> e = exp_parts(clamp(-x, pick<T>(-30, -50), pick<T>(105, 746)));
  const Batch<T> s = power_of_two(e, -k);
  const Batch<T> sum = c + s;
  const Batch<T> lost = c - (sum - s);
  return c / (sum + fmadd(s, e.m, lost));
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math
