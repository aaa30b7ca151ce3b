#pragma once

#include <gradloom/graph/subgraph.hpp>

#include <string_view>

namespace gradloom::inline v0 {

/// parse_text() of <gradloom/graph/text.hpp> with every op of the library. For ops of your own, give parse_text the
/// list.
[[nodiscard]] GRADLOOM_API Subgraph parse_text(std::string_view text);

}  // namespace gradloom::inline v0
