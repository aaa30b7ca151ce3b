#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

namespace gradloom::inline v0 {

struct Literal;

/// Data that is part of the graph: attribute "literal".
GRADLOOM_API extern const OpDef constant_def;

[[nodiscard]] GRADLOOM_API bool is_constant(const Node& node);
[[nodiscard]] GRADLOOM_API const Literal& literal_of(const Node& constant);
/// True if every element of a constant equals `value`. False for other nodes.
[[nodiscard]] GRADLOOM_API bool is_constant(const Tensor& tensor, double value);

/// A scalar of that dtype. Throws Error if the value does not fit in it (nan or a fraction in an integer).
[[nodiscard]] GRADLOOM_API Tensor constant(Graph& graph, double value, DType dtype = DType::f32,
                                           SourceLocation location = SourceLocation::current());
[[nodiscard]] GRADLOOM_API Tensor constant(Graph& graph, Literal literal,
                                           SourceLocation location = SourceLocation::current());

/// Values of a given shape, row-major, as bytes. Throws Error if their number does not fit the shape.
[[nodiscard]] GRADLOOM_API Tensor constant(Graph& graph, DType dtype, std::span<const int64_t> sizes,
                                           std::span<const std::byte> bytes, SourceLocation location);

/// Values of a given shape, row-major: `constant<float>(g, {2, 2}, values)`. Throws Error if their number differs.
template <class T>
[[nodiscard]] Tensor constant(Graph& graph, std::initializer_list<int64_t> sizes, std::span<const T> values,
                              SourceLocation location = SourceLocation::current()) {
  return constant(graph, dtype_of<T>, std::span<const int64_t>(sizes.begin(), sizes.size()), std::as_bytes(values),
                  location);
}
template <class T>
[[nodiscard]] Tensor constant(Graph& graph, std::initializer_list<int64_t> sizes, std::initializer_list<T> values,
                              SourceLocation location = SourceLocation::current()) {
  return constant<T>(graph, sizes, std::span<const T>(values.begin(), values.size()), location);
}

/// A tensor of that shape, every element `value`.
[[nodiscard]] GRADLOOM_API Tensor full(Graph& graph, const Shape& shape, double value, DType dtype = DType::f32,
                                       SourceLocation location = SourceLocation::current());
/// Zeros or ones in the shape and dtype of x.
[[nodiscard]] GRADLOOM_API Tensor zeros_like(const Operand& x);
[[nodiscard]] GRADLOOM_API Tensor ones_like(const Operand& x);

}  // namespace gradloom::inline v0
