// erf x = 2/sqrt(pi) int_0^x e^-t^2 dt (DLMF 7.2).
#pragma once

#include <gradloom/ops/math_exp_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math {

constexpr float erf_table_f32[] = {0.128379166F,  -0.376126289F,    0.112836182F,   -0.0268551242F,
                                   0.0051907259F, -0.000803065428F, 7.91990169e-05F};
constexpr double erf_table_f64[] = {
    0.1283791670955126,     -0.37612638903183876,    0.11283791670958783,    -0.026866170645631897,
    0.00522397762924565,    -0.0008548327199358272,  0.00012055338161400656, -1.4925748180206354e-05,
    1.6463247307130268e-06, -1.6372371891698225e-07, 1.4798357234369911e-08, -1.1876555591839105e-09,
    6.762801638832501e-11,
};

constexpr float erfc_root_table_f32[] = {0.99667424F,    0.158293948F,  0.0513099842F,   0.0716002807F,
                                         -0.0316098183F, 0.0171935689F, -0.00388307823F, 0.000532970647F};
constexpr double log_erfc_table_f64[] = {
    -2.8987859505560997e-08, -1.1283789036105505,     -0.6366207919992707,    -0.10277064428305263,
    0.019127690804574354,    0.00020284509560277933,  -0.0016755976688903665, 0.0005529409299023758,
    2.1584740192718183e-05,  -0.00011053574433505098, 6.46440187107103e-05,   -2.4235642418526484e-05,
    6.770494655980276e-06,   -1.466379488800092e-06,  2.475036090772862e-07,  -3.2101698393096875e-08,
    3.0981227799129103e-09,  -2.0977057969645575e-10, 8.89362558787859e-12,   -1.7762389765417135e-13,
};

/// erf x: x + x P(x^2) up to 1, then 1 - erfc x. There erf > 0.84 and only the absolute error of erfc counts, so one
/// polynomial serves up to where erf rounds to 1 (3.92 in float, 5.92 in double): in float Q near erfc^(-1/8), to which
/// three squarings and a division add (in the manner of Abramowitz & Stegun 7.1.28), in double Q near log erfc, since
/// the power would magnify Q's rounding errors.
/// Error: 3.25 ULP in float, 1.33 in double.
template <class T>
GRADLOOM_INLINE Batch<T> erf(Batch<T> x) {
  const Batch<T> one(T(1));
  const Batch<T> a = clamp_above(abs(x), pick<T>(4, 6));
  const Batch<T> small = fmadd(a, polynomial(a * a, erf_table_f32, erf_table_f64), a);
  Batch<T> large;
  if constexpr (std::is_same_v<T, float>) {
    const Batch<T> q = polynomial(a, erfc_root_table_f32), q2 = q * q, q4 = q2 * q2;
    large = one - one / (q4 * q4);
  } else {
    // Neither overflow nor denormals here, so e^Q needs neither the clamp nor the two-step scaling of exp.
    const ExpParts<T> e = exp_parts(polynomial(a, log_erfc_table_f64));
    const Batch<T> p = power_of_two(e, 0);
    large = (one - p) - p * e.m;
  }
  return select(a <= one, small, large) | sign_bit(x);
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA::math
