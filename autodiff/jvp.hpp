// Derivatives along a direction, built from reverse sweeps. All of them are nodes of y's graph, to be differentiated
// again.
#pragma once

#include <gradloom/graph/tensor.hpp>

#include <span>
#include <vector>

namespace gradloom::inline v0 {

/// Jacobian times vector: how y changes as x moves along `tangent`. dy/dx * tangent, in y's shape and dtype; the
/// tangent has x's. By two reverse sweeps: u -> J^T u is linear in a dummy u, so the gradient of <J^T u, tangent> by u
/// is J tangent (J. Townsend, "A new trick for calculating Jacobian vector products", 2017); the first sweep is dead
/// code then. Throws Error as gradients() does, and if the tangent is not of x's shape and dtype.
[[nodiscard]] GRADLOOM_API Tensor jvp(const Operand& y, const Tensor& x, const Tensor& tangent);
/// Along several xs at once: the sum over i of dy/dxs[i] * tangents[i].
[[nodiscard]] GRADLOOM_API Tensor jvp(const Operand& y, std::span<const Tensor> xs, std::span<const Tensor> tangents);

/// Hessian times vector: the second derivative of y (of its sum, if it is not a scalar) by x, times `v` of x's shape
/// and dtype; in x's shape. Twice the work of a gradient, and no n x n matrix. An x on which the first derivative
/// depends only through steps (relu(x)) gives zeros. Throws Error as gradients() does.
[[nodiscard]] GRADLOOM_API Tensor hvp(const Operand& y, const Tensor& x, const Tensor& v);
/// With respect to several xs at once: the i-th result is the sum over j of d2y/(dxs[i] dxs[j]) * vs[j].
[[nodiscard]] GRADLOOM_API std::vector<Tensor> hvp(const Operand& y, std::span<const Tensor> xs,
                                                   std::span<const Tensor> vs);

}  // namespace gradloom::inline v0
