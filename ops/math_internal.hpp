// The element functions over Batch<T>, T = float or double, that pointwise kernels are made of. Lane-wise, inlined into
// fused loops, right for 0, -0, inf, nan and denormals. The errors they state are the largest on any instruction set,
// in ULPs: in float over all 2^32 arguments (sin, cos, tan: all between 2^-14 and 1e5, the rest sampled; pow: sampled),
// in double over 4 million of all magnitudes. bench/ulp_functions.cpp measures them, and the speed; bench/results has
// both. (log, log1p, softplus and erf have been measured on baseline and AVX2 only since they last changed.)
#pragma once

#include <gradloom/ops/math_basic_internal.hpp>
#include <gradloom/ops/math_erf_internal.hpp>
#include <gradloom/ops/math_exp_internal.hpp>
#include <gradloom/ops/math_log_internal.hpp>
#include <gradloom/ops/math_pow_internal.hpp>
#include <gradloom/ops/math_trig_internal.hpp>
