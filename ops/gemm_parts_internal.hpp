// How sizes are cut in the matrix product.
#pragma once

#include <gradloom/ops/gemm.hpp>

#include <cstdint>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// `total` cut into parts of at most `most`, the first `longer` of them one longer than the others.
struct Parts {
  int64_t count, size, longer;

  Parts(int64_t total, int64_t most) : count(1), size(total), longer(0) {
    if (total <= most) return;  // spares tiny products two divisions
    count = (total + most - 1) / most;
    size = total / count;
    longer = total % count;
  }
  int64_t begin_of(int64_t i) const { return i * size + (i < longer ? i : longer); }
  int64_t size_of(int64_t i) const { return size + (i < longer ? 1 : 0); }
};

/// The chunks of k, as gemm_chunk_range() has them.
struct GemmChunks {
  int64_t k;
  Parts units;
  int64_t count;

  explicit GemmChunks(int64_t terms)
      : k(terms), units((k + kGemmChunkUnit - 1) / kGemmChunkUnit, kGemmChunk / kGemmChunkUnit), count(units.count) {}

  int64_t begin_of(int64_t i) const { return units.begin_of(i) * kGemmChunkUnit; }
  int64_t size_of(int64_t i) const { return (i == count - 1 ? k : begin_of(i + 1)) - begin_of(i); }
};

constexpr int64_t round_up(int64_t x, int64_t step) { return (x + step - 1) / step * step; }

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
