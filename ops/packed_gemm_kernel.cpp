// The product with a packed matrix for one instruction set; compiled once per set.
#include <gradloom/ops/packed_gemm_table_internal.hpp>
#include <gradloom/ops/packed_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

const PackedGemm<float> packed_gemm_f32{pack_columns<float>, multiply_packed<float, float>,
                                        multiply_packed<float, BFloat16>};
const PackedGemm<double> packed_gemm_f64{pack_columns<double>, multiply_packed<double, double>, nullptr};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
