// Numbers that every program compared here starts from: a small generator and the streams drawn from it. A framework
// that fills its inputs, labels and parameters through these functions, with the seeds below, does the same arithmetic
// as its peers, and its first losses must agree with theirs to rounding. Needs the standard library only.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace peers {

// 64-bit linear congruential generator; the high bits are the good ones.
class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(seed * 2862933555777941757ULL + 3037000493ULL) {
    for (int i = 0; i < 4; ++i) next();
  }
  uint32_t next() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<uint32_t>(state_ >> 32);
  }
  // Uniform in [0, 1), 24 bits, so exact in f32.
  float unit() { return static_cast<float>(next() >> 8) * (1.0f / 16777216.0f); }
  float between(float lo, float hi) { return lo + (hi - lo) * unit(); }
  uint32_t below(uint32_t n) { return static_cast<uint32_t>((static_cast<uint64_t>(next()) * n) >> 32); }

 private:
  uint64_t state_;
};

// Seeds: inputs 1, targets or labels 2, the k-th parameter tensor 1000 + k in
// the order the README lists, the shuffle of epoch e 5000 + e.
constexpr uint64_t kInputSeed = 1;
constexpr uint64_t kTargetSeed = 2;
constexpr uint64_t kParameterSeed = 1000;
constexpr uint64_t kShuffleSeed = 5000;

inline void fill_uniform(float* out, size_t n, float lo, float hi, uint64_t seed) {
  Rng rng(seed);
  for (size_t i = 0; i < n; ++i) out[i] = rng.between(lo, hi);
}

template <class Int>
void fill_labels(Int* out, size_t n, uint32_t classes, uint64_t seed) {
  Rng rng(seed);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<Int>(rng.below(classes));
}

inline std::vector<int64_t> shuffled_order(size_t n, uint64_t seed) {
  std::vector<int64_t> order(n);
  for (size_t i = 0; i < n; ++i) order[i] = static_cast<int64_t>(i);
  Rng rng(seed);
  for (size_t i = n; i > 1; --i) std::swap(order[i - 1], order[rng.below(static_cast<uint32_t>(i))]);
  return order;
}

}  // namespace peers
