// The element functions of ops/math_internal.hpp behind plain function pointers, one table per instruction set: what
// tests/ops/math_test.cpp and bench/ulp_functions.cpp run. Neither includes kernel headers.
#pragma once

#include <span>

namespace gradloom::inline v0 {

template <class T>
using UnaryLoop = void (*)(const T* x, T* y, long n);  // n a multiple of 16

template <class T>
using BinaryLoop = void (*)(const T* a, const T* b, T* y, long n);  // n a multiple of 16

struct UnaryMathKernel {
  const char* name;
  UnaryLoop<float> f32;
  UnaryLoop<double> f64;
};

struct BinaryMathKernel {
  const char* name;
  BinaryLoop<float> f32;
  BinaryLoop<double> f64;
};

struct MathKernels {
  const char* isa;
  std::span<const UnaryMathKernel> unary;
  std::span<const BinaryMathKernel> binary;
};

namespace baseline {
extern const MathKernels math_kernels;
}
namespace avx2 {
extern const MathKernels math_kernels;
}
namespace avx512 {
extern const MathKernels math_kernels;
}

/// The sets this machine can run, the simplest first.
inline std::span<const MathKernels* const> runnable_math_kernels() {
  static constexpr const MathKernels* all[] = {&baseline::math_kernels, &avx2::math_kernels, &avx512::math_kernels};
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return std::span(all, 1);
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return std::span(all, avx512 ? 3 : 2);
}

}  // namespace gradloom::inline v0
