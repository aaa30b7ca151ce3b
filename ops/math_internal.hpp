// The element functions over Batch<T>, T = float or double, that pointwise kernels are made of. Lane-wise, inlined into
// fused loops, right for 0, -0, inf, nan and denormals. The errors they state are the largest on any instruction set,
// in ULPs: in float over all 2^32 arguments (sin, cos, tan: all between 2^-14 and 1e5, the rest sampled; pow: sampled),
// in double over 4 million of all magnitudes. bench/ulp_functions.cpp measures them, and the speed: in float on AVX-512
// 0.10 ns for exp, 0.14 log, 0.16 sigmoid, 0.17 sin, 0.21 tanh, 0.28 erf, 1.2 pow.
#pragma once

#include <gradloom/ops/math_basic_internal.hpp>
#include <gradloom/ops/math_erf_internal.hpp>
#include <gradloom/ops/math_exp_internal.hpp>
#include <gradloom/ops/math_log_internal.hpp>
#include <gradloom/ops/math_pow_internal.hpp>
#include <gradloom/ops/math_trig_internal.hpp>
