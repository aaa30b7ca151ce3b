#pragma once

#include <gradloom/graph/attributes.hpp>

#include <variant>

namespace gradloom::inline v0 {

/// What an AttributeValue holds.
struct AttributeVariant : std::variant<bool, int64_t, double, std::string, DType, std::vector<int64_t>, Dim, Shape,
                                       std::shared_ptr<const Literal>, std::shared_ptr<const Subgraph>> {
  using variant::variant;
};

}  // namespace gradloom::inline v0
