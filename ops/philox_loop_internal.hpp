// From Philox blocks to arrays of random elements, as vectors would have it: a tile is `tile_blocks` consecutive
// counters, computed side by side. Their first words come first, then their second words, and so on: in this order no
// word has to cross lanes. An element's value depends on its index alone, whatever part of the tensor is asked for.
#pragma once

#include <gradloom/ops/pointwise_loop_internal.hpp>
#include <gradloom/ops/random_table_internal.hpp>

#include <cstring>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

inline constexpr int tile_blocks = 64;

/// words[w][i]: word w of the block with counter (tile * tile_blocks + i, step).
struct PhiloxTile {
  alignas(64) uint32_t words[4][tile_blocks];
};

/// Words in the low halves of their lanes; whatever is in the high ones does no harm.
using PhiloxLanes = Batch<uint64_t>;

/// The products of the low halves.
inline PhiloxLanes multiply_low(PhiloxLanes a, PhiloxLanes b) {
#if defined(__AVX512F__)
  return _mm512_mul_epu32(a, b);
#elif defined(__AVX2__)
  return _mm256_mul_epu32(a, b);
#else
  return _mm_mul_epu32(a, b);
#endif
}

// As philox4x32 in ops/philox.hpp, in which the formula can be read; here a vector of blocks at a time. What GCC makes
// of loops over 32-bit words takes 2.5 times as long with AVX-512.
[[gnu::noinline]] inline void fill_tile(PhiloxTile& tile, uint64_t key, int64_t step, int64_t number) {
  constexpr int width = static_cast<int>(PhiloxLanes::size);
  const uint64_t first = static_cast<uint64_t>(number) * tile_blocks;
  alignas(64) uint64_t lane[width];
  for (int i = 0; i < width; ++i) lane[i] = static_cast<uint64_t>(i);
  const PhiloxLanes iota = PhiloxLanes::load_aligned(lane);
  const PhiloxLanes m0(uint64_t{0xD2511F53}), m1(uint64_t{0xCD9E8D57});
  for (int begin = 0; begin < tile_blocks; begin += width) {
    // Tiles are aligned, so the low word of the counter does not overflow within one.
    PhiloxLanes c[4] = {PhiloxLanes(first + static_cast<uint64_t>(begin)) + iota, PhiloxLanes(first >> 32),
                        PhiloxLanes(static_cast<uint64_t>(step)), PhiloxLanes(static_cast<uint64_t>(step) >> 32)};
    uint32_t key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      const PhiloxLanes a = multiply_low(m0, c[0]), b = multiply_low(m1, c[2]);
      c[0] = (b >> 32) ^ c[1] ^ PhiloxLanes(uint64_t{key0});
      c[1] = b;
      c[2] = (a >> 32) ^ c[3] ^ PhiloxLanes(uint64_t{key1});
      c[3] = a;
      key0 += 0x9E3779B9;
      key1 += 0xBB67AE85;
    }
    for (int w = 0; w < 4; ++w) {
      c[w].store_aligned(lane);
      for (int i = 0; i < width; ++i) tile.words[w][begin + i] = static_cast<uint32_t>(lane[i]);
    }
  }
}

/// Elements per tile when each takes that many words.
template <int words>
inline constexpr int tile_elements = 4 / words* tile_blocks;

/// Fills the part tile by tile: f(tile, to) turns the words of a tile into its elements.
template <class T, int words, class F>
void fill_part(const RandomPart& part, F f) {
  constexpr int64_t per_tile = tile_elements<words>;
  PhiloxTile tile;
  T* const output = static_cast<T*>(part.output);
  for (int64_t number = part.begin / per_tile; number * per_tile < part.end; ++number) {
    fill_tile(tile, part.key, part.step, number);
    const int64_t first = number * per_tile;
    if (first >= part.begin && first + per_tile <= part.end) {
      f(tile, output + (first - part.begin));
    } else {
      T elements[per_tile];
      f(tile, elements);
      const int64_t from = first < part.begin ? part.begin - first : 0;
      const int64_t to = part.end - first < per_tile ? part.end - first : per_tile;
      for (int64_t i = from; i < to; ++i) output[first + i - part.begin] = elements[i];
    }
  }
}

/// 53 random bits of two words, as a multiple of 2^-53 in [0, 1). Both halves convert exactly, as 32-bit integers:
/// there is no vector conversion from 64 bits before AVX-512. (As in the Mersenne twister's genrand_res53.)
inline double uniform_of(uint32_t high, uint32_t low) {
  const double a = static_cast<int32_t>(high >> 5), b = static_cast<int32_t>(low >> 6);
  return (a * 67108864.0 + b) * 0x1p-53;
}

/// 24 random bits of a word, as a multiple of 2^-24 in [0, 1).
inline float uniform_of(uint32_t word) { return static_cast<float>(static_cast<int32_t>(word >> 8)) * 0x1p-24F; }

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
