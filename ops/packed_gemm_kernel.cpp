// The product with a packed matrix for one instruction set; compiled once per set.
#include <gradloom/ops/packed_gemm_table_internal.hpp>
#include <gradloom/ops/packed_loop_internal.hpp>

#if defined(__AVX512BW__)
#include <gradloom/ops/pair_packing_internal.hpp>
#endif

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

#if defined(__AVX512BW__)
const PackedGemm<float> packed_gemm_f32{pack_columns<float>, multiply_packed<float, float>,
                                        multiply_packed<float, BFloat16>, multiply_packed<float, BFloat16Pair>};
const PairPacking pair_packing{pack_pair_panels, pack_pair_rows};
#else
const PackedGemm<float> packed_gemm_f32{pack_columns<float>, multiply_packed<float, float>,
                                        multiply_packed<float, BFloat16>, nullptr};
#endif
const PackedGemm<double> packed_gemm_f64{pack_columns<double>, multiply_packed<double, double>, nullptr, nullptr};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
