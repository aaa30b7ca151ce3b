// Products (matmul, convolution, ...) with constant weights, which can take a scale of the result
// into themselves. Asked by the pass "fold".
#pragma once

#include <gradloom/graph/attributes.hpp>
#include <gradloom/graph/node.hpp>

#include <optional>
#include <span>

namespace gradloom::inline v0 {

/// Which element of the result's last axis an element of the weights goes into: that of its column, the last axis of
/// the weights, or else of its row, the one before. With groups, each group of columns has rows of its own.
struct WeightChannels {
  int64_t rows, columns;
  bool by_row;
  int64_t groups;

  [[nodiscard]] int64_t of(int64_t element) const {
    const int64_t row = element / columns % rows, column = element % columns;
    return by_row ? column / (columns / groups) * rows + row : column;
  }
};

/// Is this a product of floats whose second operand is a constant, in an order that ProductTable::channels tells?
[[nodiscard]] bool has_constant_weights(const Graph& graph, const Node& node);

/// The weights of such a product with which it gives its result times `scale`, a number for each element of the
/// result's last axis. Nothing if they would not be finite.
[[nodiscard]] std::optional<Literal> scaled_weights(const Graph& graph, const Node& product,
                                                    std::span<const double> scale);

}  // namespace gradloom::inline v0
