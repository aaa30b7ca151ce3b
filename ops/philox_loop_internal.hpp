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

// As philox4x32 in ops/philox.hpp, in which the formula can be read; here the loop over blocks is the inner one, for
// the compiler to vectorise, a few registers of blocks at a time.
[[gnu::noinline]] inline void fill_tile(PhiloxTile& tile, uint64_t key, int64_t step, int64_t number) {
  constexpr int width = 16;
  const uint64_t first = static_cast<uint64_t>(number) * tile_blocks;
  const uint32_t step_low = static_cast<uint32_t>(static_cast<uint64_t>(step));
  const uint32_t step_high = static_cast<uint32_t>(static_cast<uint64_t>(step) >> 32);
  for (int begin = 0; begin < tile_blocks; begin += width) {
    // Tiles are aligned, so the low word of the counter does not overflow within one.
    uint32_t c0[width], c1[width], c2[width], c3[width];
    for (int i = 0; i < width; ++i) {
      c0[i] = static_cast<uint32_t>(first) + static_cast<uint32_t>(begin + i);
      c1[i] = static_cast<uint32_t>(first >> 32);
      c2[i] = step_low;
      c3[i] = step_high;
    }
    uint32_t key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      for (int i = 0; i < width; ++i) {
        const uint64_t a = uint64_t{0xD2511F53} * c0[i], b = uint64_t{0xCD9E8D57} * c2[i];
        c0[i] = static_cast<uint32_t>(b >> 32) ^ c1[i] ^ key0;
        c1[i] = static_cast<uint32_t>(b);
        c2[i] = static_cast<uint32_t>(a >> 32) ^ c3[i] ^ key1;
        c3[i] = static_cast<uint32_t>(a);
      }
      key0 += 0x9E3779B9;
      key1 += 0xBB67AE85;
    }
    for (int i = 0; i < width; ++i) {
      tile.words[0][begin + i] = c0[i];
      tile.words[1][begin + i] = c1[i];
      tile.words[2][begin + i] = c2[i];
      tile.words[3][begin + i] = c3[i];
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
