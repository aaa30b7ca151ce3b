// What the definitions of the random ops share.
#pragma once

#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/random_table_internal.hpp>

#include <string_view>

namespace gradloom::inline v0 {

/// Attributes shape, dtype; fails for a negative size.
[[nodiscard]] std::vector<TensorType> random_shape(const ShapeContext& context);
/// Chunks of whole tiles; a, b and c are numbers of the distribution.
[[nodiscard]] KernelPlan plan_random(const KernelRequest& request, const RandomKernels& kernels, double a, double b = 0,
                                     double c = 0);

inline constexpr std::string_view random_no_gradient = "a random number does not depend on values";
inline constexpr OpProperties random_properties{.random = true, .per_run = true};

}  // namespace gradloom::inline v0
