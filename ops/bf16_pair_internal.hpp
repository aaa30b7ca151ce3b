#pragma once

#include <cstdint>

namespace gradloom::inline v0 {

/// Two terms of a sum as bf16, the first in the lower half: what AVX512_BF16 multiplies by another pair and adds to a
/// float, at twice the speed of f32.
struct BFloat16Pair {
  uint32_t bits;
};

/// Pairs for so many terms; the last one of an odd number is filled up with 0.
[[nodiscard]] constexpr int64_t pairs_for(int64_t terms) noexcept { return (terms + 1) / 2; }

}  // namespace gradloom::inline v0
