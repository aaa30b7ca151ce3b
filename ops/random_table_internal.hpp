// What random kernels, compiled per instruction set, and the definitions of their ops agree on.
#pragma once

#include <gradloom/graph/dtype.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

/// Part of a random tensor: its elements begin .. end - 1.
struct RandomPart {
  uint64_t key = 0;  // philox_key(seed, stream)
  int64_t step = 0;
  int64_t begin = 0, end = 0;
  double a = 0, b = 0, c = 0;  // of the distribution, see its loops
  void* output = nullptr;      // of element `begin`
};

using RandomLoop = void (*)(const RandomPart& part);

/// By dtype; null if not supported.
struct RandomKernels {
  RandomLoop loops[dtype_count] = {};
};

}  // namespace gradloom::inline v0
