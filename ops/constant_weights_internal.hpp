// Products (matmul, convolution, its gradient of the data) with constant weights, which can take a scale of the result
// into themselves. Asked by the pass "fold".
#pragma once

#include <gradloom/graph/attributes.hpp>
#include <gradloom/graph/node.hpp>

#include <optional>
#include <span>

namespace gradloom::inline v0 {

/// Is this a product of floats whose second operand is a constant?
[[nodiscard]] bool has_constant_weights(const Graph& graph, const Node& node);

/// The weights of such a product with which it gives its result times `scale`, a number for each element of the
/// result's last axis. Nothing if they would not be finite.
[[nodiscard]] std::optional<Literal> scaled_weights(const Graph& graph, const Node& product,
                                                    std::span<const double> scale);

}  // namespace gradloom::inline v0
