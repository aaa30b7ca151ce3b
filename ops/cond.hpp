#pragma once

#include <gradloom/graph/function_ref.hpp>
#include <gradloom/graph/tensor.hpp>

#include <vector>

namespace gradloom::inline v0 {

struct OpDef;

/// Operands: the predicate, then what both bodies are given. Attributes then, otherwise: bodies with outputs of the
/// same shapes and dtypes.
GRADLOOM_API extern const OpDef cond_def;

using Branch = FunctionRef<std::vector<Tensor>()>;

/// What `then` returns if the predicate, a boolean scalar, is true in a run, else what `otherwise` does; only that one
/// runs (unlike in where, which computes both). Both functions are called once, here, use any Tensors around them, and
/// return as many Tensors of the same shapes and dtypes. Differentiable to every order: a gradient is a cond too, which
/// computes the branch again. Throws Error if the predicate is no boolean scalar or if the branches do not fit.
///   Tensor y = cond(x > 0, [&] { return std::vector{expensive(x)}; }, [&] { return std::vector{x}; })[0];
[[nodiscard]] GRADLOOM_API std::vector<Tensor> cond(const Operand& predicate, Branch then, Branch otherwise);

}  // namespace gradloom::inline v0
