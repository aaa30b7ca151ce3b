#pragma once

#include <gradloom/graph/function_ref.hpp>
#include <gradloom/graph/tensor.hpp>

#include <initializer_list>
#include <span>
#include <vector>

namespace gradloom::inline v0 {

struct OpDef;

GRADLOOM_API extern const OpDef custom_gradient_def;

/// A gradient rule as a function of Tensors: from the inputs, the value and the value's cotangent to one gradient per
/// input, of the input's shape and dtype; an empty Tensor for an input that has none (an index).
using GradientRule =
    FunctionRef<std::vector<Tensor>(std::span<const Tensor> inputs, const Tensor& value, const Tensor& cotangent)>;

/// `value` with a gradient of your own with respect to `inputs`; how the value was computed no longer matters to it.
/// The rule is called once, here, with stand-ins for its arguments, and what it builds is kept as a graph, which
/// gradients of any order copy from. So it can use nothing but its arguments: pass what else it needs as an input.
///
///     // x, with gradients clipped to [-1, 1] on their way back
///     Tensor clipped = custom_gradient(x, {x}, [](auto, const Tensor&, const Tensor& cotangent) {
///       return std::vector<Tensor>{clamp(cotangent, -1, 1)};
///     });
///
/// jvp and hvp need a rule that is linear in the cotangent. Throws Error if the value is not a float tensor, if the
/// rule makes inputs or parameters of its own, or if it returns another number of gradients, shape or dtype.
[[nodiscard]] GRADLOOM_API Tensor custom_gradient(const Operand& value, std::span<const Tensor> inputs,
                                                  GradientRule rule);
[[nodiscard]] GRADLOOM_API Tensor custom_gradient(const Operand& value, std::initializer_list<Tensor> inputs,
                                                  GradientRule rule);

}  // namespace gradloom::inline v0
