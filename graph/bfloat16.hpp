#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace gradloom::inline v0 {

/// An element of DType::bf16: the upper half of a float, so with its range (to 3.4e38) and 8 bits of precision instead
/// of 24. Conversion to it rounds to nearest, ties to even: a nan stays one, and what lies beyond the largest finite
/// value by half a unit or more becomes infinite. Conversion to float is exact.
struct BFloat16 {
  uint16_t bits = 0;

  constexpr BFloat16() = default;
  explicit constexpr BFloat16(float x) : bits(upper_half(std::bit_cast<uint32_t>(x))) {}
  template <class T>
  requires std::is_arithmetic_v<T>
  explicit constexpr BFloat16(T x) : BFloat16(to_odd(static_cast<double>(x))) {}
  // NOLINTNEXTLINE(google-explicit-constructor): every value of it is a float
  constexpr operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

 private:
  static constexpr uint16_t upper_half(uint32_t x) {
    const bool nan = (x & 0x7fffffffU) > 0x7f800000U;
    // A nan with bits in the lower half alone would become infinite: the quiet bit is in the upper one.
    return static_cast<uint16_t>((nan ? x | 0x400000U : x + 0x7fffU + (x >> 16 & 1U)) >> 16);
  }

  /// A float between x and 0 whose last bit says whether it is x: rounded again, it is x rounded once.
  static constexpr float to_odd(double x) {
    const auto nearest = static_cast<float>(x);
    const auto magnitude = [](double y) { return y < 0 ? -y : y; };
    auto bits = std::bit_cast<uint32_t>(nearest);
    if (nearest != nearest || static_cast<double>(nearest) == x) return nearest;
    if (magnitude(static_cast<double>(nearest)) > magnitude(x)) --bits;
    return std::bit_cast<float>(bits | 1U);
  }
};

}  // namespace gradloom::inline v0
