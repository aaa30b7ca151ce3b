// The matrix product for one instruction set; compiled once per set.
#include <gradloom/ops/gemm_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

namespace {

void gemm_f32(const GemmArgs<float>& args, void* workspace) noexcept { gemm(args, workspace); }
void gemm_f64(const GemmArgs<double>& args, void* workspace) noexcept { gemm(args, workspace); }

}  // namespace

const GemmKernels gemm_kernels{gemm_f32, gemm_f64, gemm_workspace_bytes};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
