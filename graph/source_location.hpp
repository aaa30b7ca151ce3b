#pragma once

#include <string>

namespace gradloom::inline v0 {

/// A line of the user's program. `current()` as a default argument is the caller's line; std::source_location is
/// missing in clang 14 with libstdc++ 12, the builtins are not.
struct SourceLocation {
  const char* file = "";
  int line = 0;

  static constexpr SourceLocation current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
  [[nodiscard]] constexpr bool known() const { return line > 0; }
};

}  // namespace gradloom::inline v0
