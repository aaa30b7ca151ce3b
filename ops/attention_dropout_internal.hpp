// Which weights of an attention are dropped: a function of a key and of where the weight is, so that every block of
// every pass finds the same. A tile of Philox counters has the random words of two rows at the keys of one block.
#pragma once

#include <gradloom/ops/attention_table_internal.hpp>
#include <gradloom/ops/philox_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

template <class T>
class AttentionDropout {
 public:
  AttentionDropout(double rate, int64_t key, int64_t keys)
      : key_(static_cast<uint64_t>(key)),
        blocks_((keys + attention_key_block - 1) / attention_key_block),
        threshold_(1 - rate < 1 ? static_cast<uint32_t>((1 - rate) * 0x1p32) : UINT32_MAX),
        factor_(static_cast<T>(1 / (1 - rate))) {}

  /// A negative key drops nothing.
  [[nodiscard]] static bool drops(double rate, int64_t key) { return rate > 0 && key >= 0; }

  /// Drops or scales x, which has the weights of a row at one block of keys (and room for as many as a block has).
  void operator()(T* x, int64_t row, int64_t block) {
    const int64_t number = row / 2 * blocks_ + block;
    if (number != number_) fill_tile(tile_, key_, 0, number_ = number);
    for (int half = 0; half < 2; ++half, x += tile_blocks) {
      const uint32_t* const words = tile_.words[row % 2 * 2 + half];
      for (int i = 0; i < tile_blocks; ++i) x[i] = words[i] < threshold_ ? x[i] * factor_ : T{0};
    }
  }

 private:
  static_assert(attention_key_block == 2 * tile_blocks);

  uint64_t key_;
  int64_t blocks_, number_ = -1;
  uint32_t threshold_;
  T factor_;
  PhiloxTile tile_;
};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
