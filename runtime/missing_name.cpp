#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/runtime/missing_name_internal.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

namespace {

std::string hint(std::string_view name, std::span<const std::string> names) {
  if (names.empty()) return "it is empty";
  if (const std::string nearest = nearest_name(name, names); !nearest.empty()) {
    return fmt::format("did you mean \"{}\"?", nearest);
  }
  constexpr size_t listed = 8;
  if (names.size() <= listed) return fmt::format("it has {}", fmt::join(names, ", "));
  return fmt::format("it has {}, ... ({} in all)", fmt::join(names.first(listed), ", "), names.size());
}

}  // namespace

Error missing_name(std::string_view who, std::string_view name, std::span<const std::string> names) {
  return Error({.problem = fmt::format("{} has no \"{}\"", who, name), .rule = hint(name, names)});
}

}  // namespace gradloom::inline v0
