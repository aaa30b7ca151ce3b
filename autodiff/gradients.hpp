#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>

#include <initializer_list>
#include <span>
#include <vector>

namespace gradloom::inline v0 {

/// dy/dx for every x in xs, as nodes of the same graph, by one reverse sweep. y of any shape: the gradient of its sum,
/// or of sum(y * cotangent) if one is given. Each result has its x's shape and dtype (f32 for bf16); an x that y does
/// not depend on gives zeros. Throws Error if y or an x is not a float tensor, or if a path from x to y leads through
/// an op that has no gradient yet (its name, node and reason are in the message).
[[nodiscard]] GRADLOOM_API std::vector<Tensor> gradients(const Operand& y, std::span<const Tensor> xs,
                                                         const Tensor& cotangent = {});
[[nodiscard]] GRADLOOM_API std::vector<Tensor> gradients(const Operand& y, std::initializer_list<Tensor> xs,
                                                         const Tensor& cotangent = {});
/// For a single x.
[[nodiscard]] GRADLOOM_API Tensor gradient(const Operand& y, const Tensor& x, const Tensor& cotangent = {});

}  // namespace gradloom::inline v0
