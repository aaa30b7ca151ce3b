// The error of a look-up by name that finds nothing.
#pragma once

#include <gradloom/graph/error.hpp>

#include <span>
#include <string>
#include <string_view>

namespace gradloom::inline v0 {

/// `the State has no "wieght"`, then `did you mean "weight"?`, or what there is if no name is near. `who` is "the
/// State".
[[nodiscard]] Error missing_name(std::string_view who, std::string_view name, std::span<const std::string> names);

}  // namespace gradloom::inline v0
