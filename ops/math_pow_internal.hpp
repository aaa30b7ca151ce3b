// pow(x, y) = x^y, with the special cases of IEEE 754-2019 9.2.1.
//
// |x|^y = e^(y log |x|), where y log |x| may reach 2^10: its absolute error is the result's relative error, so log |x|
// needs 10 bits more than the result has. In float all is computed in double, to about 2^-40: also exact where the
// result is a float, as for small integers. In double the logarithm is a Pair, a sum of two doubles, good to about
// 2^-64.
#pragma once

#include <gradloom/ops/math_basic_internal.hpp>
#include <gradloom/ops/math_exp_internal.hpp>
#include <gradloom/ops/math_log_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math {

constexpr double pow_exp_table[] = {0.4999999999959083,   0.16666666789898074,  0.04166666699460194,
                                    0.008333280547276343, 0.001388880687008253, 0.0001990962565133392,
                                    2.488256047800849e-05};
constexpr double pow_log_table[] = {0.6666666666615884, 0.4000000024746135, 0.28571388591389824,
                                    0.2222518071522432, 0.1807176017987228, 0.17372762750139026};

/// The halves of a batch of floats as doubles, and back.
inline Batch<double> widen_low(Batch<float> x) {
#if defined(__AVX512BW__)
  return _mm512_cvtps_pd(_mm512_castps512_ps256(x));
#elif defined(__AVX2__)
  return _mm256_cvtps_pd(_mm256_castps256_ps128(x));
#else
  return _mm_cvtps_pd(x);
#endif
}

inline Batch<double> widen_high(Batch<float> x) {
#if defined(__AVX512BW__)
  return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
#elif defined(__AVX2__)
  return _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
#else
  return _mm_cvtps_pd(_mm_movehl_ps(x, x));
#endif
}

inline Batch<float> narrow(Batch<double> low, Batch<double> high) {
#if defined(__AVX512BW__)
  return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high), 1);
#elif defined(__AVX2__)
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(low)), _mm256_cvtpd_ps(high), 1);
#else
  return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
#endif
}

// Not forced inline: the arithmetic outweighs a call, and eight copies in a handler would crowd the instruction cache.

/// a^y to about 2^-40, for doubles that are positive, finite floats.
inline Batch<double> pow_positive_float(Batch<double> a, Batch<double> y) {
  using D = Batch<double>;
  const LogParts<double> p = log_parts(a);
  const D f = p.m - D(1.0);
  const D s = f / (f + D(2.0));
  const D z = s * s;
  const D log_m = fmadd(s * z, polynomial(z, pow_log_table), s + s);
  const D log_a = fmadd(p.e, D(0.6931471805599453), log_m);
  // Past +-120 a float result is 0 or inf; inside, the double has no need of gradual underflow.
  const ExpReduced<double> r = exp_reduce(clamp(y * log_a, -120.0, 120.0));
  const D m = fmadd(r.r * r.r, polynomial(r.r, pow_exp_table), r.r);
  const ExpParts<double> e{m, r.n, r.shifted};
  const D power = power_of_two(e, 0);
  return fmadd(power, m, power);
}

inline Batch<float> pow_positive(Batch<float> a, Batch<float> y) {
  // inf log 1 would be nan; any a but 1 goes over the edge well before.
  y = clamp(y, -0x1p60F, 0x1p60F);
  return narrow(pow_positive_float(widen_low(a), widen_low(y)), pow_positive_float(widen_high(a), widen_high(y)));
}

/// log m / 2 = s + s^3/3 + s^5/5 + ... beyond the s^3 term, as a factor of s^5.
constexpr double log_pair_table[] = {0.2,
                                     0.14285714285713422,
                                     0.11111111111355708,
                                     0.09090909055619946,
                                     0.07692310652221428,
                                     0.06666513821310455,
                                     0.058872765745202754,
                                     0.05167084310756467,
                                     0.057890335165939014};

/// log a of a positive, finite double, to about 2^-64 relative: log a = e ln 2 + 2 (s + s w), s = f / (2 + f),
/// w = z (1/3 + z (1/5 + ...)), z = s^2 <= 0.04; all but the terms from 1/5 on as pairs.
inline Pair<double> log_pair(Batch<double> a) {
  using D = Batch<double>;
  const LogParts<double> p = log_parts(a);
  const D f = p.m - D(1.0);
  // s = f / d to twice the precision: the quotient, then what it leaves over.
  const Pair<double> d = fast_two_sum(D(2.0), f);
  const D s = f / d.hi;
  const Pair<double> s_times_d = two_product(s, d.hi);
  const D s_low = (((f - s_times_d.hi) - s_times_d.lo) - s * d.lo) / d.hi;
  const Pair<double> ss = two_product(s, s);
  const D z = ss.hi, z_low = fmadd(s + s, s_low, ss.lo);
  // c = 1/3 + tail
  const Pair<double> c = fast_two_sum(D(0x1.5555555555555p-2), z * polynomial(z, log_pair_table));
  const D c_low = c.lo + D(0x1.5555555555555p-56);
  // w = z c, then s w
  const Pair<double> zc = two_product(z, c.hi);
  const D w_low = zc.lo + fmadd(z, c_low, z_low * c.hi);
  const Pair<double> sw = two_product(s, zc.hi);
  const D sw_low = sw.lo + fmadd(s, w_low, s_low * zc.hi);
  // s + s w, doubled
  const Pair<double> half = fast_two_sum(s, sw.hi);
  const D half_low = half.lo + (s_low + sw_low);
  // e ln 2, whose first part has 42 bits: exact. It is 0 or larger than log m.
  const D e_ln2 = p.e * D(0x1.62e42fefa38p-1);
  const Pair<double> sum = fast_two_sum(e_ln2, half.hi + half.hi);
  const D low = sum.lo + fmadd(p.e, D(0x1.ef35793c7673p-45), half_low + half_low);
  return fast_two_sum(sum.hi, low);
}

inline Batch<double> pow_positive(Batch<double> a, Batch<double> y) {
  using D = Batch<double>;
  // 2^80 sends every a but 1 over the edge already (|log a| >= 2^-53), and keeps the products below finite.
  const D bounded_y = clamp(y, -0x1p80, 0x1p80);
  const Pair<double> l = log_pair(a);
  const Pair<double> t = two_product(bounded_y, l.hi);
  const D t_low = fmadd(bounded_y, l.lo, t.lo);
  const D clamped = clamp(t.hi, -746.0, 710.0);
  ExpReduced<double> r = exp_reduce(clamped);
  r.r = r.r + select(clamped == t.hi, t_low, D(0.0));
  const D m = fmadd(r.r * r.r, polynomial(r.r, exp_table_f32, exp_table_f64), r.r);
  return scale(D(1.0) + m, ExpParts<double>{m, r.n, r.shifted});
}

/// Error: 0.51 ULP in float, 1.57 in double.
template <class T>
inline Batch<T> pow(Batch<T> x, Batch<T> y) {
  using B = Batch<T>;
  const B zero(T(0)), one(T(1)), inf(infinity<T>);
  const B a = abs(x);
  B result = pow_positive(a, y);
  // 0 and inf: 0 or inf again, by whether y turns them over.
  const B flipped = select(y > zero, a, reciprocal(a));
  result = select((a == zero) | (a == inf), flipped, result);
  // |y| = inf against |x| on either side of 1 comes out right by overflow. Negative x: integers y only.
  const B half_y = y * B(T(0.5));
  const Mask<T> integer = trunc(y) == y;  // inf counts as an even integer
  const Mask<T> odd = integer & (trunc(half_y) != half_y);
  result = select(odd, result | sign_bit(x), result);
  result = select((x < zero) & (a < inf) & !integer, B(nan<T>), result);
  result = select(is_nan(x) | is_nan(y), x + y, result);
  return select((y == zero) | (x == one), one, result);
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math
