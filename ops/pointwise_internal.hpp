// Included first by the source of a pointwise op. Such a source has two parts, told apart by GRADLOOM_KERNEL_ISA: the
// functor, compiled once per instruction set, and the definition, compiled once.
#pragma once

#ifdef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/math_internal.hpp>
#include <gradloom/ops/pointwise_loop_internal.hpp>

/// Compiles the loops of `op` from a functor, for a list of element types: floats, numbers, signed_numbers, booleans...
#define GRADLOOM_POINTWISE(op, Functor, types)                                  \
  namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {                          \
  extern const PointwiseKernels op##_kernels;                                   \
  const PointwiseKernels op##_kernels = make_pointwise_kernels<Functor>(types); \
  }

#else

#include <gradloom/ops/pointwise_table.hpp>

/// Names the three compiled copies, as op##_table.
#define GRADLOOM_POINTWISE(op, Functor, types)                                                                       \
  namespace gradloom::inline v0 {                                                                                    \
  namespace baseline {                                                                                               \
  extern const PointwiseKernels op##_kernels;                                                                        \
  }                                                                                                                  \
  namespace avx2 {                                                                                                   \
  extern const PointwiseKernels op##_kernels;                                                                        \
  }                                                                                                                  \
  namespace avx512 {                                                                                                 \
  extern const PointwiseKernels op##_kernels;                                                                        \
  }                                                                                                                  \
  static constexpr PointwiseTable op##_table{{&baseline::op##_kernels, &avx2::op##_kernels, &avx512::op##_kernels}}; \
  }

#endif
