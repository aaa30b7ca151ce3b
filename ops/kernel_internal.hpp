// The prelude of every kernel source. Kernel code is compiled once per instruction set (the build defines
// GRADLOOM_KERNEL_ISA as baseline, avx2 or avx512) and lives in the namespace of that name, so that the linker can
// never mix copies. It includes nothing else: no containers, no exceptions, no allocation.
#pragma once

#include <xsimd/xsimd.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#ifndef GRADLOOM_KERNEL_ISA
#error "kernel sources are compiled per instruction set: the build must define GRADLOOM_KERNEL_ISA"
#endif

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

#if defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
using Arch = xsimd::avx512bw;
#elif defined(__AVX2__) && defined(__FMA__)
using Arch = xsimd::fma3<xsimd::avx2>;
#else
using Arch = xsimd::sse4_2;
#endif

template <class T>
using Batch = xsimd::batch<T, Arch>;

template <class T>
inline constexpr bool is_float_v = std::is_same_v<T, float> || std::is_same_v<T, double>;

/// a * b + c in one rounding where the instruction set has it (avx2, avx512), in two on baseline. Kernels are compiled
/// with -ffp-contract=off, so this is the only way to an FMA and bits never depend on what the compiler fused;
/// xsimd's own fma is written x * y + z on AVX-512 and would be lost under that flag.
inline Batch<float> fmadd(Batch<float> a, Batch<float> b, Batch<float> c) {
#if defined(__AVX512BW__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}

inline Batch<double> fmadd(Batch<double> a, Batch<double> b, Batch<double> c) {
#if defined(__AVX512BW__)
  return _mm512_fmadd_pd(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_pd(a, b, c);
#else
  return a * b + c;
#endif
}

/// c - a * b, rounded like fmadd. xsimd's fnma would cost an extra negation.
inline Batch<float> fnmadd(Batch<float> a, Batch<float> b, Batch<float> c) {
#if defined(__AVX512BW__)
  return _mm512_fnmadd_ps(a, b, c);
#elif defined(__FMA__)
  return _mm256_fnmadd_ps(a, b, c);
#else
  return c - a * b;
#endif
}

inline Batch<double> fnmadd(Batch<double> a, Batch<double> b, Batch<double> c) {
#if defined(__AVX512BW__)
  return _mm512_fnmadd_pd(a, b, c);
#elif defined(__FMA__)
  return _mm256_fnmadd_pd(a, b, c);
#else
  return c - a * b;
#endif
}

/// a * b - c, rounded like fmadd.
inline Batch<float> fmsub(Batch<float> a, Batch<float> b, Batch<float> c) {
#if defined(__AVX512BW__)
  return _mm512_fmsub_ps(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmsub_ps(a, b, c);
#else
  return a * b - c;
#endif
}

inline Batch<double> fmsub(Batch<double> a, Batch<double> b, Batch<double> c) {
#if defined(__AVX512BW__)
  return _mm512_fmsub_pd(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmsub_pd(a, b, c);
#else
  return a * b - c;
#endif
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
