// The JSON header of a safetensors file. Its rules: github.com/huggingface/safetensors, README "Format".
#pragma once

#include <gradloom/graph/dtype.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradloom::inline v0::io {

struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::f32;
  std::vector<int64_t> sizes;
  int64_t begin = 0, end = 0;  ///< bytes, from the end of the header
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  ///< in the order of their data, which follow each other without gaps
  uint64_t seed = 0;
  int64_t step = 0;
};

/// The header as the reference implementation accepts it, padded so that the data begin at a multiple of 8 bytes.
/// Throws Error, with the path, for a name that is not UTF-8.
[[nodiscard]] std::string write_header(const SafetensorsHeader& header, const std::string& path);

/// Reads and checks everything: nothing in what it returns can lead outside the `data_bytes` after the header. Throws
/// Error with the path.
[[nodiscard]] SafetensorsHeader parse_header(std::string_view text, int64_t data_bytes, const std::string& path);

}  // namespace gradloom::inline v0::io
