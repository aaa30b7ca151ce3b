// Compiled once per instruction set, as every kernel source.
#include "math_kernels_internal.hpp"
#include <gradloom/ops/math_internal.hpp>
#include <gradloom/ops/math_inverse_hyperbolic_internal.hpp>
#include <gradloom/ops/math_tanh_log1p_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

template <class T, class F>
void unary_loop(const T* x, T* y, long n) {
  constexpr long step = long(Batch<T>::size);
  for (long i = 0; i < n; i += step) F()(Batch<T>::load_unaligned(x + i)).store_unaligned(y + i);
}

template <class T, class F>
void binary_loop(const T* a, const T* b, T* y, long n) {
  constexpr long step = long(Batch<T>::size);
  for (long i = 0; i < n; i += step) {
    F()(Batch<T>::load_unaligned(a + i), Batch<T>::load_unaligned(b + i)).store_unaligned(y + i);
  }
}

// A function template as a type, so that it inlines into the loop.
#define GRADLOOM_UNARY(NAME)  \
  struct Call_##NAME {        \
    template <class B>        \
    B operator()(B x) const { \
      return math::NAME(x);   \
    }                         \
  };                          \
  constexpr UnaryMathKernel kernel_##NAME = {#NAME, unary_loop<float, Call_##NAME>, unary_loop<double, Call_##NAME>};

#define GRADLOOM_BINARY(NAME)      \
  struct Call_##NAME {             \
    template <class B>             \
    B operator()(B a, B b) const { \
      return math::NAME(a, b);     \
    }                              \
  };                               \
  constexpr BinaryMathKernel kernel_##NAME = {#NAME, binary_loop<float, Call_##NAME>, binary_loop<double, Call_##NAME>};

GRADLOOM_UNARY(exp)
GRADLOOM_UNARY(expm1)
GRADLOOM_UNARY(sinh)
GRADLOOM_UNARY(cosh)
GRADLOOM_UNARY(tanh)
GRADLOOM_UNARY(sigmoid)
GRADLOOM_UNARY(log)
GRADLOOM_UNARY(log1p)
GRADLOOM_UNARY(softplus)
GRADLOOM_UNARY(tanh_log1p)
GRADLOOM_UNARY(tanh_log1p_slope)
GRADLOOM_UNARY(sin)
GRADLOOM_UNARY(cos)
GRADLOOM_UNARY(tan)
GRADLOOM_UNARY(asin)
GRADLOOM_UNARY(acos)
GRADLOOM_UNARY(atan)
GRADLOOM_UNARY(asinh)
GRADLOOM_UNARY(acosh)
GRADLOOM_UNARY(atanh)
GRADLOOM_UNARY(erf)
GRADLOOM_UNARY(sqrt)
GRADLOOM_UNARY(rsqrt)
GRADLOOM_UNARY(reciprocal)
GRADLOOM_UNARY(floor)
GRADLOOM_UNARY(ceil)
GRADLOOM_UNARY(round)
GRADLOOM_UNARY(trunc)
GRADLOOM_UNARY(abs)
GRADLOOM_UNARY(sign)
GRADLOOM_BINARY(pow)
GRADLOOM_BINARY(fmod)
GRADLOOM_BINARY(mod)
GRADLOOM_BINARY(maximum)
GRADLOOM_BINARY(minimum)
GRADLOOM_BINARY(copysign)

#undef GRADLOOM_UNARY
#undef GRADLOOM_BINARY

constexpr UnaryMathKernel unary[] = {
    kernel_exp,        kernel_expm1,      kernel_sinh,
    kernel_cosh,       kernel_tanh,       kernel_sigmoid,
    kernel_log,        kernel_log1p,      kernel_softplus,
    kernel_sin,        kernel_cos,        kernel_tan,
    kernel_asin,       kernel_acos,       kernel_atan,
    kernel_erf,        kernel_sqrt,       kernel_rsqrt,
    kernel_reciprocal, kernel_floor,      kernel_ceil,
    kernel_round,      kernel_trunc,      kernel_abs,
    kernel_sign,       kernel_tanh_log1p, kernel_tanh_log1p_slope,
    kernel_asinh,      kernel_acosh,      kernel_atanh,
};
constexpr BinaryMathKernel binary[] = {kernel_pow,     kernel_fmod,    kernel_mod,
                                       kernel_maximum, kernel_minimum, kernel_copysign};

#define GRADLOOM_TEXT(X) #X
#define GRADLOOM_TEXT_OF(X) GRADLOOM_TEXT(X)

}  // namespace

const MathKernels math_kernels = {GRADLOOM_TEXT_OF(GRADLOOM_KERNEL_ISA), unary, binary};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
