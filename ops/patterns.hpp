// What rewrite rules (OpDef::simplify, OpDef::stabilize) look for around a node, and what they build again and again.
#pragma once

#include <gradloom/graph/node.hpp>
#include <gradloom/graph/tensor.hpp>

#include <optional>

namespace gradloom::inline v0 {

/// Is x the result of that op?
[[nodiscard]] GRADLOOM_API bool made_by(const Tensor& x, const OpDef& op);
/// Input i of the node that made x.
[[nodiscard]] GRADLOOM_API Tensor input_of(const Tensor& x, int i = 0);

/// The value of every element, if x is a constant that has only one, also when reshaped or broadcast.
[[nodiscard]] GRADLOOM_API std::optional<double> uniform_value(const Tensor& x);
/// Is every element of x certain to be `value`? 0 and -0 are different, nan never is.
[[nodiscard]] GRADLOOM_API bool is_uniform(const Tensor& x, double value);

/// The scalar that x repeats, if x is the broadcast of a single element, else an empty Tensor.
[[nodiscard]] GRADLOOM_API Tensor repeated_scalar(const Tensor& x);

/// Are a and b the same value because they are made in the same way? Random draws are only equal to themselves.
[[nodiscard]] GRADLOOM_API bool equal_values(const Tensor& a, const Tensor& b);

/// -x, by dropping a minus rather than adding one.
[[nodiscard]] GRADLOOM_API Tensor negated(const Tensor& x);
/// Is a = -b because one is made from the other, or both from the same?
[[nodiscard]] GRADLOOM_API bool are_opposite(const Tensor& a, const Tensor& b);
/// The y of x = 1 + y or y + 1, or an empty Tensor.
[[nodiscard]] GRADLOOM_API Tensor one_plus(const Tensor& x);

}  // namespace gradloom::inline v0
