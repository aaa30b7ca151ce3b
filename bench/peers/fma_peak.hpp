// The most f32 multiply-adds this processor does: loops that touch registers
// only, with enough independent chains to cover the latency.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

namespace peers {

constexpr int kFmaChains = 12;
constexpr long kFmaRounds = 8'000'000;

inline bool has_avx512() { return __builtin_cpu_supports("avx512f"); }
inline bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

__attribute__((target("avx512f"))) inline float fma_avx512() {
  __m512 acc[kFmaChains];
  for (int i = 0; i < kFmaChains; ++i) acc[i] = _mm512_set1_ps(0.5f + 0.01f * i);
  const __m512 scale = _mm512_set1_ps(0.999f);
  const __m512 shift = _mm512_set1_ps(0.001f);
  for (long r = 0; r < kFmaRounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kFmaChains; ++i) acc[i] = _mm512_fmadd_ps(acc[i], scale, shift);
  }
  __m512 sum = acc[0];
  for (int i = 1; i < kFmaChains; ++i) sum = _mm512_add_ps(sum, acc[i]);
  alignas(64) float lanes[16];
  _mm512_store_ps(lanes, sum);
  return lanes[0];
}

__attribute__((target("avx2,fma"))) inline float fma_avx2() {
  __m256 acc[kFmaChains];
  for (int i = 0; i < kFmaChains; ++i) acc[i] = _mm256_set1_ps(0.5f + 0.01f * i);
  const __m256 scale = _mm256_set1_ps(0.999f);
  const __m256 shift = _mm256_set1_ps(0.001f);
  for (long r = 0; r < kFmaRounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kFmaChains; ++i) acc[i] = _mm256_fmadd_ps(acc[i], scale, shift);
  }
  __m256 sum = acc[0];
  for (int i = 1; i < kFmaChains; ++i) sum = _mm256_add_ps(sum, acc[i]);
  alignas(32) float lanes[8];
  _mm256_store_ps(lanes, sum);
  return lanes[0];
}

// Peak of `threads` cores in GFLOP/s: the best of a few repeats.
inline double fma_peak_gflops(int threads) {
  static volatile float sink [[maybe_unused]];
  double best = 1e30;
  for (int repeat = 0; repeat < 6; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> pool;
    for (int t = 0; t < threads; ++t) pool.emplace_back([] { sink = has_avx512() ? fma_avx512() : fma_avx2(); });
    for (auto& thread : pool) thread.join();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  const double lanes = has_avx512() ? 16 : 8;
  return 2.0 * lanes * kFmaRounds * kFmaChains * threads / best * 1e-9;
}

}  // namespace peers
