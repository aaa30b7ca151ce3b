// What connects the kernels of pooling, compiled per instruction set, with their OpDefs. Included by both sides, so it
// includes nothing heavy.
#pragma once

#include <cstdint>

namespace gradloom::inline v0 {

/// Element i of the result is made of elements source[first[i]] to source[first[i + 1] - 1] of the operand: the
/// elements of a window, or the windows that an element is in.
struct PoolAxis {
  int64_t to = 1, from = 1;  // sizes
  const int64_t* first = nullptr;
  const int64_t* source = nullptr;
};

/// [images, from..., channels] -> [images, to..., channels]; axes of size 1 come first where there are less than three.
struct PoolTable {
  PoolAxis axes[3];
  int64_t images = 1, channels = 1;

  [[nodiscard]] int64_t rows() const { return images * axes[0].to * axes[1].to; }
};

}  // namespace gradloom::inline v0
