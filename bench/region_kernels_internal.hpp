// The loop that region_bench compares with, one per instruction set. Includes no kernel headers.
#pragma once

namespace gradloom::inline v0 {

/// Eight ops on each of n floats, n a multiple of 64, to `y`, aligned to 64 bytes.
using ChainLoop = void (*)(const float* x, float* y, long n);

struct ChainLoops {
  ChainLoop cached;     ///< ordinary stores
  ChainLoop streaming;  ///< stores that go around the caches, for a result that does not fit there
};

namespace baseline {
extern const ChainLoops chain_loops;
}
namespace avx2 {
extern const ChainLoops chain_loops;
}
namespace avx512 {
extern const ChainLoops chain_loops;
}

}  // namespace gradloom::inline v0
