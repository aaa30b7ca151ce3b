// Broadcast operands of a region, spread out into dense scratch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gradloom::inline v0 {

/// How a broadcast input is read by an iteration space. Neighbouring axes that are walked alike are merged.
struct Spread {
  size_t element_size = 4;
  std::vector<int64_t> sizes, strides;  ///< strides in elements of the input, 0 along repeated axes

  /// `from` broadcast to `to`.
  Spread(const std::vector<int64_t>& from, const std::vector<int64_t>& to, size_t element_bytes);

  /// After so many elements the values repeat; the size of the space if they never do.
  [[nodiscard]] int64_t period() const;
  /// Is every element the same?
  [[nodiscard]] bool is_uniform() const { return period() == 1; }

  /// Elements begin to begin + count of the space.
  void write(const void* input, void* to, int64_t begin, int64_t count) const;
};

}  // namespace gradloom::inline v0
