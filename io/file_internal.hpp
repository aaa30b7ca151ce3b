#pragma once

#include <gradloom/graph/error.hpp>

#include <string>
#include <string_view>

namespace gradloom::inline v0::io {

/// The bytes of a file, unpacked if it is gzip'd. Throws Error if it cannot be read or its gzip'd data are damaged.
[[nodiscard]] std::string read_file(const std::string& path);

/// An Error about a file, or about a place in it: "cars.csv:12: ...".
[[nodiscard]] Error file_error(std::string_view place, std::string_view problem, std::string_view rule = {});

/// What the C library says about an errno, such as "No such file or directory".
[[nodiscard]] std::string errno_text(int code);

}  // namespace gradloom::inline v0::io
