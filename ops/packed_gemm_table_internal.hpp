// The kernels of packed_gemm_internal.hpp by instruction set.
#pragma once

#include <gradloom/ops/packed_gemm_internal.hpp>

namespace gradloom::inline v0 {

namespace baseline {
extern const PackedGemm<float> packed_gemm_f32;
extern const PackedGemm<double> packed_gemm_f64;
}  // namespace baseline
namespace avx2 {
extern const PackedGemm<float> packed_gemm_f32;
extern const PackedGemm<double> packed_gemm_f64;
}  // namespace avx2
namespace avx512 {
extern const PackedGemm<float> packed_gemm_f32;
extern const PackedGemm<double> packed_gemm_f64;
extern const PairPacking pair_packing;
}  // namespace avx512

}  // namespace gradloom::inline v0
