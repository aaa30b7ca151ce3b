#pragma once

#include <cstdint>
#include <span>

#include <gradloom/graph/attributes.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/op_def.hpp>

namespace gradloom::inline v0 {

/// Data that is part of the graph: attribute "literal".
GRADLOOM_API extern const OpDef constant_def;

[[nodiscard]] inline bool is_constant(const Node& node) { return node.op == &constant_def; }
[[nodiscard]] GRADLOOM_API const Literal& literal_of(const Node& constant);
/// True if every element of a constant equals `value`. False for other nodes.
[[nodiscard]] GRADLOOM_API bool is_constant(const Tensor& tensor, double value);

/// A scalar of that dtype. Throws Error if the value does not fit in it (nan or a fraction in an integer).
[[nodiscard]] GRADLOOM_API Tensor constant(Graph& graph, double value, DType dtype = DType::f32,
                                           SourceLocation location = SourceLocation::current());
[[nodiscard]] GRADLOOM_API Tensor constant(Graph& graph, Literal literal,
                                           SourceLocation location = SourceLocation::current());

/// Values of a given shape (row-major), e.g. `constant<float>(g, {2, 2}, values)`. Throws Error if the count differs.
template <class T>
[[nodiscard]] Tensor constant(Graph& graph, std::initializer_list<int64_t> sizes, std::span<const T> values,
                              SourceLocation location = SourceLocation::current()) {
  Literal literal{dtype_of<T>, sizes, {}};
  const auto bytes = std::as_bytes(values);
  literal.bytes.assign(bytes.begin(), bytes.end());
  return constant(graph, std::move(literal), location);
}

/// A tensor of that shape, every element `value`.
[[nodiscard]] GRADLOOM_API Tensor full(Graph& graph, const Shape& shape, double value, DType dtype = DType::f32,
                                       SourceLocation location = SourceLocation::current());
/// Zeros or ones in the shape and dtype of x.
[[nodiscard]] GRADLOOM_API Tensor zeros_like(const Operand& x);
[[nodiscard]] GRADLOOM_API Tensor ones_like(const Operand& x);

}  // namespace gradloom::inline v0
