#pragma once

#include <gradloom/graph/export.hpp>
#include <gradloom/runtime/array.hpp>

#include <string>

namespace gradloom::inline v0::io {

/// Reads an IDX file, the format of MNIST and its kin (http://yann.lecun.com/exdb/mnist), plain or gzip'd. Its sizes
/// are the file's; its unsigned bytes become u8, i8, i16 and i32 become i32, f32 and f64 stay. Throws Error with the
/// path if the file cannot be read, is no IDX file, or is longer or shorter than its header says.
[[nodiscard]] GRADLOOM_API Array read_idx(const std::string& path);

}  // namespace gradloom::inline v0::io
