// ew_chain8 of peers/README.md as somebody writes it by hand: one loop, everything in registers. Compiled once per
// instruction set.
#include "region_kernels_internal.hpp"
#include <gradloom/ops/kernel_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

using V = Batch<float>;

inline V chain(V x) {
  V y = x * V(1.5F);
  y = y + V(0.25F);
  y = xsimd::max(V(0.0F), y);
  y = y - V(0.5F);
  y = xsimd::abs(y);
  y = xsimd::max(V(0.1F), y);
  y = y * y;
  return y * V(0.75F);
}

inline void stream(float* to, V value) {
#if defined(__AVX512BW__)
  _mm512_stream_ps(to, value);
#elif defined(__AVX2__)
  _mm256_stream_ps(to, value);
#else
  _mm_stream_ps(to, value);
#endif
}

template <bool Streaming>
void chain_loop(const float* x, float* y, long n) {
  constexpr long width = static_cast<long>(V::size), unrolled = 4;
  for (long i = 0; i < n; i += unrolled * width) {
#pragma GCC unroll 4
    for (long k = 0; k < unrolled; ++k) {
      const V value = chain(V::load_unaligned(x + i + k * width));
      if constexpr (Streaming) {
        stream(y + i + k * width, value);
      } else {
        value.store_unaligned(y + i + k * width);
      }
    }
  }
  if constexpr (Streaming) _mm_sfence();
}

}  // namespace

const ChainLoops chain_loops = {chain_loop<false>, chain_loop<true>};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
