// The element functions over Batch<T>, T = float or double, that pointwise kernels are made of. Lane-wise, inlined into
// fused loops, right for 0, -0, inf, nan and denormals. Accuracy and speed: bench/ulp_functions.cpp measures both.
#pragma once

#include <gradloom/ops/math_basic_internal.hpp>
#include <gradloom/ops/math_erf_internal.hpp>
#include <gradloom/ops/math_exp_internal.hpp>
#include <gradloom/ops/math_log_internal.hpp>
#include <gradloom/ops/math_pow_internal.hpp>
#include <gradloom/ops/math_trig_internal.hpp>
