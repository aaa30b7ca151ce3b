// Natural logarithms: log, log1p, and softplus, which is a log1p.
//
// Reduction: x = 2^e m with m in [3/4, 3/2), f = m - 1 (exact), log x = e ln 2 + log(1 + f), ln 2 in two parts, the
// first short enough that e times it is exact. With s = f / (2 + f), log(1 + f) = f - (f^2/2 - s (f^2/2 + s^2 R(s^2)))
// (Ng's variant of the atanh series 2 (s + s^3/3 + ...)), R near-minimax (bench/minimax.py). A polynomial in f itself
// would save the division, but have 9 terms in float and 19 in double where R has 3 and 8, which takes longer.
#pragma once

#include <gradloom/ops/math_exp_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math {

constexpr float log_table_f32[] = {0.666669488F, 0.39957732F, 0.303620189F};
constexpr double log_table_f64[] = {0.666666666666666,   0.40000000000056374, 0.2857142855593738,  0.22222224281824615,
                                    0.18181666838422317, 0.15391078678688286, 0.13174179597393026, 0.13839010453126505};

/// x = 2^e m, m in [3/4, 3/2).
template <class T>
struct LogParts {
  Batch<T> e, m;
};

/// The parts of a positive, finite x; of others, garbage that the caller replaces. A caller that knows x to be 0 or
/// normal saves a quarter of the instructions.
template <bool Denormals = true, class T>
GRADLOOM_INLINE LogParts<T> log_parts(Batch<T> x) {
#if defined(__AVX512BW__)
  // The instructions know denormals. getexp(m) is -1 where the mantissa was halved to stay below 3/2.
  if constexpr (sizeof(T) == 4) {
    const Batch<T> m = _mm512_getmant_ps(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src);
    return {Batch<T>(_mm512_getexp_ps(x)) - Batch<T>(_mm512_getexp_ps(m)), m};
  } else {
    const Batch<T> m = _mm512_getmant_pd(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src);
    return {Batch<T>(_mm512_getexp_pd(x)) - Batch<T>(_mm512_getexp_pd(m)), m};
  }
#else
  constexpr int lift = mantissa_bits<T> + 2;  // makes any denormal normal
  const Batch<T> bias(T(exponent_bias<T>));
  Batch<T> normal = x, lifted_bias = bias;
  if constexpr (Denormals) {
    const Mask<T> denormal = x < Batch<T>(std::numeric_limits<T>::min());
    normal = select(denormal, x * Batch<T>(T(Bits<T>(1) << lift)), x);
    lifted_bias = select(denormal, bias + Batch<T>(T(lift)), bias);
  }
  // Subtracting the bits of 3/4 carries into the exponent exactly where the mantissa reaches 3/2.
  const Batch<Bits<T>> three_quarters = bits(Batch<T>(T(0.75)));
  const Batch<Bits<T>> biased_bits = (bits(normal) - three_quarters) + bits(Batch<T>(T(1)));
  const Batch<Bits<T>> biased = biased_bits >> mantissa_bits<T>;  // e + bias >= 0: a logical shift does
  const Batch<T> m = from_bits(bits(normal) - (biased << mantissa_bits<T>)+bits(Batch<T>(T(1))));
  // An integer below 2^mantissa_bits becomes a float by writing it under the exponent of 2^mantissa_bits.
  const Batch<T> unit(T(Bits<T>(1) << mantissa_bits<T>));
  return {from_bits(biased | bits(unit)) - (unit + lifted_bias), m};
#endif
}

/// e ln 2 + log(1 + f), f in [-1/4, 1/2].
template <class T>
GRADLOOM_INLINE Batch<T> log_of_parts(Batch<T> e, Batch<T> f) {
  // 15 bits (float) and 42 bits (double) of ln 2, and the rest.
  constexpr T ln2_hi = pick<T>(0x1.62e4p-1F, 0x1.62e42fefa38p-1);
  constexpr T ln2_lo = pick<T>(0x1.7f7d1cp-20F, 0x1.ef35793c7673p-45);
  const Batch<T> half_square = f * f * Batch<T>(T(0.5));
  const Batch<T> s = f / (f + Batch<T>(T(2)));
  const Batch<T> z = s * s;
  // log(1 + f) - f, and the small part of e ln 2
  Batch<T> tail = fmsub(s, fmadd(z, polynomial(z, log_table_f32, log_table_f64), half_square), half_square);
  tail = fmadd(e, Batch<T>(ln2_lo), tail);
  return fmadd(e, Batch<T>(ln2_hi), f + tail);
}

/// The logarithm's special cases: `y` where x is positive and finite, else inf, -inf at 0, nan below.
template <class T>
GRADLOOM_INLINE Batch<T> log_specials(Batch<T> x, Batch<T> y) {
#if defined(__AVX512BW__)
  // One instruction looks up the answer by the class of x, 4 bits per class from the lowest: quiet nan, signalling nan,
  // zero, one, -inf, inf, negative, positive. 0 keeps y, 1 is x, 2 is x made quiet, 3 nan, 4 -inf, 5 inf.
  constexpr int answers = 0x03530422;
  if constexpr (sizeof(T) == 4) {
    return _mm512_fixupimm_ps(y, x, _mm512_set1_epi32(answers), 0);
  } else {
    return _mm512_fixupimm_pd(y, x, _mm512_set1_epi64(answers), 0);
  }
#else
  const Batch<T> zero(T(0));
  const Batch<T> not_positive = select(x == zero, Batch<T>(-infinity<T>), Batch<T>(nan<T>));
  return select(x > zero, select(x == Batch<T>(infinity<T>), x, y), not_positive);
#endif
}

/// log x.
/// Error: 0.98 ULP in float, 0.88 in double.
template <class T>
GRADLOOM_INLINE Batch<T> log(Batch<T> x) {
  const LogParts<T> p = log_parts(x);
  return log_specials(x, log_of_parts(p.e, p.m - Batch<T>(T(1))));
}

/// log(1 + x): log of u = 1 + x rounded, with the rounding error c, scaled by 2^-e, added to f.
/// Error: 0.98 ULP in float, 0.87 in double.
template <class T>
GRADLOOM_INLINE Batch<T> log1p(Batch<T> x) {
  const Batch<T> one(T(1));
  const Batch<T> u = x + one;
  const Batch<T> x_rounded = u - one;
  const Batch<T> c = (one - (u - x_rounded)) + (x - x_rounded);  // exact: Knuth's two-sum
  const LogParts<T> p = log_parts<false>(u);
  Batch<T> scaled_c;
#if defined(__AVX512BW__)
  if constexpr (sizeof(T) == 4) {
    scaled_c = _mm512_scalef_ps(c, -p.e);
  } else {
    scaled_c = _mm512_scalef_pd(c, -p.e);
  }
#else
  // 2^-e, or 0 for the last e, where c is too small to matter.
  const Batch<T> biased = xsimd::max(Batch<T>(T(exponent_bias<T>)) - p.e, Batch<T>(T(0)));
  scaled_c = c * from_bits(bits(biased + Batch<T>(round_magic<T>)) << mantissa_bits<T>);
#endif
  const Batch<T> y = log_specials(u, log_of_parts(p.e, (p.m - one) + scaled_c));
  // Tiny x is its own result; the sum above would lose the sign of -0.
  return select(abs(x) < Batch<T>(pick<T>(0x1p-25F, 0x1p-54)), x, y);
}

constexpr float log1p_table_f32[] = {0.666664124F, 0.400217056F, 0.279993385F, 0.280226767F};
constexpr double log1p_table_f64[] = {
    0.6666666666666667,  0.39999999999995434, 0.2857142857232309,  0.22222222137893752,
    0.18181822715200388, 0.15384463998314707, 0.13336612447571175, 0.11717955098437186,
    0.1095959427424383,  0.07041904102488712, 0.16391755307414516,
};

/// log(1 + e^x) = max(x, 0) + log(1 + e), e = e^-|x|: no overflow, and the left tail is e^x down to its denormals. As e
/// is at most 1, log(1 + e) = e - s (e - s^2 R(s^2)), s = e / (2 + e) <= 1/3, needs no reduction.
/// Error: 2.05 ULP in float, 1.93 in double.
template <class T>
GRADLOOM_INLINE Batch<T> softplus(Batch<T> x) {
  const Batch<T> zero(T(0));
  const Batch<T> e = exp(-abs(x));
  const Batch<T> s = e / (e + Batch<T>(T(2)));
  const Batch<T> z = s * s;
  const Batch<T> y = fnmadd(s, fnmadd(z, polynomial(z, log1p_table_f32, log1p_table_f64), e), e);
  return xsimd::max(zero, x) + y;  // the hardware's max returns its second operand if one is nan
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math
