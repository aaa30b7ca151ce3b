// Products of windows of an array with a matrix, without a copy of the windows: what convolutions and their gradients
// are made of. Plain declarations; the kernels are in window_loop_internal.hpp.
//
// A result is [positions, columns]: positions are those of a grid in each image, columns are channels. It is the sum
// over taps (the elements of a window) of rows of data, `channels` long, times a matrix for each tap. Data is channels
// last, so a row is contiguous, and a position's taps are pointers into it: into zeros, where they lie outside.
#pragma once

#include <gradloom/ops/gemm.hpp>

#include <cstddef>
#include <cstdint>

namespace gradloom::inline v0 {

/// Positions of a chunk of the gradient of depthwise weights.
inline constexpr int64_t kDepthwiseChunk = 64;

inline constexpr int kWindowAxes = 3;  // convolutions over fewer have axes of size 1 in front

/// Positions i along an axis read data at i * step + tap, if that is within 0 and size - 1.
struct WindowAxis {
  int64_t count = 1, step = 1, size = 1;
  int64_t data_stride = 0, result_stride = 0;  // elements from one to the next
};

/// One element of the window: where it lies from its position along each axis, and the offset of its matrix.
struct WindowTap {
  int64_t at[kWindowAxes];
  int64_t weights;
};

/// Some channels of a tap. Sums are cut into chunks of at most kGemmChunk terms, each of which is a chain of fused
/// multiply-adds from 0; chunks are added in order. One chunk is several runs of whole taps, or part of one tap.
struct WindowRun {
  int64_t tap, channel, channels;
  bool ends_chunk;
};

/// Sizes and places of one product. Groups are products of their own, side by side in data and result.
struct WindowShape {
  int64_t batch = 1;
  WindowAxis axes[kWindowAxes];
  int64_t data_image = 0, result_image = 0;       // elements from one image to the next
  int64_t result_begin = 0;                       // where the first position is
  int64_t channels = 0, columns = 0, groups = 1;  // of data and result; a group has its part of both
  const WindowTap* taps = nullptr;
  int64_t tap_count = 0;
  const WindowRun* runs = nullptr;
  int64_t run_count = 0;
  /// Element (p, j) of a tap's matrix for group g is at tap.weights + g * weight_group + p * weight_row + j *
  /// weight_col.
  int64_t weight_group = 0, weight_row = 0, weight_col = 1;
  /// Every channel is a group of one column: then groups is 1, and channels are the lanes of vectors
  /// (depthwise_loop_internal.hpp). There is one panel.
  bool depthwise = false;
  /// Depthwise, 3 x 3 neighbours, without strides: then it goes by depthwise_block_internal.hpp.
  bool square_windows = false;

  [[nodiscard]] int64_t positions() const { return batch * axes[0].count * axes[1].count * axes[2].count; }
  /// Taps have few channels, as in a first layer: windows are copied, a block of positions at a time, and runs are of
  /// tap 0 with the channels of all.
  bool copies_windows = false;

  /// Is position i's result row i of [positions, columns]?
  [[nodiscard]] bool result_is_dense() const {
    int64_t stride = columns;
    for (int axis = kWindowAxes - 1; axis >= 0; --axis) {
      if (axes[axis].count > 1 && axes[axis].result_stride != stride) return false;
      stride *= axes[axis].count;
    }
    return result_begin == 0 && (batch == 1 || result_image == stride);
  }
  [[nodiscard]] int64_t group_channels() const { return depthwise ? 1 : channels / groups; }
  [[nodiscard]] int64_t group_columns() const { return columns / groups; }
  [[nodiscard]] int64_t depth() const { return tap_count * group_channels(); }
};

/// A convolution's gradient with respect to its weights: for each tap, the transpose of the data at all positions times
/// the gradient of the result, [channels, columns]. The sum over positions is cut into chunks, of whole rows of
/// positions if they are short.
struct WindowGradientShape {
  WindowShape window;              // its columns are those of the gradient
  int64_t positions_of_chunk = 0;  // a multiple or a part of axes[2].count
};

template <class T>
struct WindowBlock {
  const WindowShape* shape;
  const T* data;
  const T* packed;  // the matrices, as pack() made them
  T* result;
  int64_t row, rows;                // positions
  int64_t panel, panels;            // of columns
  const GemmEpilogue<T>* epilogue;  // null: store
};

template <class T>
struct WindowGradientBlock {
  const WindowGradientShape* shape;
  const T* data;
  const T* gradient;      // [positions, columns]
  T* result;              // [taps * group_channels, columns]
  int64_t row, rows;      // of the result
  int64_t chunk, chunks;  // of positions
};

/// The kernels of one instruction set and dtype.
template <class T>
struct WindowKernels {
  /// How many panels of columns there are, and the elements of all of them.
  int64_t (*panels)(const WindowShape& shape) noexcept;
  int64_t (*packed_size)(const WindowShape& shape) noexcept;
  /// Packs some panels of the matrices at `weights`. `packed` is that of all panels.
  void (*pack)(const WindowShape& shape, const T* weights, int64_t panel, int64_t panels, T* packed) noexcept;
  /// `workspace` is 64-byte aligned and has workspace_bytes.
  void (*run)(const WindowBlock<T>& block, void* workspace) noexcept;
  size_t (*workspace_bytes)(const WindowShape& shape) noexcept;

  void (*gradient)(const WindowGradientBlock<T>& block, void* workspace) noexcept;
  size_t (*gradient_workspace_bytes)(const WindowGradientShape& shape) noexcept;
};

struct WindowKernelTable {
  WindowKernels<float> f32;
  WindowKernels<double> f64;
};

namespace baseline {
extern const WindowKernelTable window_kernels;
}
namespace avx2 {
extern const WindowKernelTable window_kernels;
}
namespace avx512 {
extern const WindowKernelTable window_kernels;
}

}  // namespace gradloom::inline v0
