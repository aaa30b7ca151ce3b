// Products of windows for one instruction set; compiled once per set.
#include <gradloom/ops/depthwise_loop_internal.hpp>
#include <gradloom/ops/window_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

namespace {

template <class T>
int64_t panels(const WindowShape& shape) noexcept {
  return window_panels<T>(shape);
}
template <class T>
int64_t packed_size(const WindowShape& shape) noexcept {
  return window_packed_size<T>(shape);
}
template <class T>
void pack(const WindowShape& shape, const T* weights, int64_t panel, int64_t count, T* packed) noexcept {
  if (shape.depthwise) return pack_depthwise(shape, weights, packed);
  pack_window_panels(shape, weights, panel, count, packed);
}
template <class T>
void run(const WindowBlock<T>& block, void* workspace) noexcept {
  if (block.shape->depthwise) return run_depthwise_block(block, workspace);
  run_window_block(block, workspace);
}
template <class T>
size_t workspace_bytes(const WindowShape& shape) noexcept {
  return WindowWorkspace<T>::bytes(shape);
}
template <class T>
void gradient(const WindowGradientBlock<T>& block, void* workspace) noexcept {
  if (block.shape->window.depthwise) return run_depthwise_gradient(block, workspace);
  run_window_gradient(block, workspace);
}
template <class T>
size_t gradient_workspace_bytes(const WindowGradientShape& shape) noexcept {
  return shape.window.depthwise ? WindowWorkspace<T>::bytes(shape.window) : WindowGradientWorkspace<T>::bytes(shape);
}

template <class T>
constexpr WindowKernels<T> kernels{
    panels<T>, packed_size<T>, pack<T>, run<T>, workspace_bytes<T>, gradient<T>, gradient_workspace_bytes<T>};

}  // namespace

const WindowKernelTable window_kernels{kernels<float>, kernels<double>};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
