// Winograd's convolution for one instruction set; compiled once per set.
#include <gradloom/ops/winograd_gradient_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

namespace {

int64_t panels(const WinogradShape& shape) noexcept { return WindowPanels<float>(shape.tiles).parts.count; }
int64_t packed_size(const WinogradShape& shape) noexcept {
  return WindowPanels<float>(shape.tiles).vectors * kLanes<float> * kWinogradElements * shape.tiles.channels;
}
void pack(const WinogradShape& shape, const float* weights, int64_t panel, int64_t count, float* packed,
          void* workspace) noexcept {
  (shape.taps == 3 ? pack_winograd_panels<3> : pack_winograd_panels<5>)(shape, weights, panel, count, packed,
                                                                        workspace);
}
void run(const WinogradBlock& block, void* workspace) noexcept {
  (block.shape->taps == 3 ? run_winograd_block<3> : run_winograd_block<5>)(block, workspace);
}
size_t workspace_bytes(const WinogradShape& shape) noexcept { return winograd_workspace_bytes(shape); }
void gradient(const WinogradGradientBlock& block, void* workspace) noexcept {
  (block.shape->taps == 3 ? run_winograd_gradient<3> : run_winograd_gradient<5>)(block, workspace);
}
size_t gradient_workspace_bytes(const WinogradShape& shape, int64_t channels) noexcept {
  return WinogradGradientWorkspace::bytes(shape, channels);
}

}  // namespace

const WinogradKernels winograd_kernels{
    panels, packed_size, pack, run, workspace_bytes, gradient, gradient_workspace_bytes};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
