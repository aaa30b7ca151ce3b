#pragma once

#include <string>
#include <string_view>

namespace gradloom::inline v0 {

/// As a string of JSON, which is one of the text form too.
std::string quoted(std::string_view text);

}  // namespace gradloom::inline v0
