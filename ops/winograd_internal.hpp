// Convolutions with kernels of 3x3 or 5x5 and unit strides by Winograd's minimal filtering, F(4x4, 3x3) and F(2x2,
// 5x5): Lavin and Gray, "Fast algorithms for convolutional neural networks" (2016). 36 multiply-adds make 16 results
// instead of 144, or 4 instead of 100, at the price of a larger rounding error. Plain declarations; the kernels are in
// winograd_loop_internal.hpp.
//
// With polynomials evaluated at 0, a, -a, b, -b and infinity, a tile of results is A'((G g G') * (B' d B))A, where
// g are the weights, d the 6x6 elements of data that the tile sees, and * multiplies element by element: over all
// channels that is a matrix product for each of the 36 elements.
//
// That is linear in g, so the gradient of the weights is its transpose, F(3x3, 4x4) or F(5x5, 2x2): G'(sum over tiles
// of (A dy A') * (B' d B))G, where the sum over tiles is the matrix product.
#pragma once

#include <gradloom/ops/window_product_internal.hpp>

namespace gradloom::inline v0 {

inline constexpr int64_t kWinogradSide = 6, kWinogradElements = 36;
inline constexpr int64_t kWinogradTaps = 5;  // along an axis, at most

/// Results of a tile along an axis, with so many taps.
constexpr int64_t winograd_tile(int64_t taps) { return kWinogradSide + 1 - taps; }

struct WinogradShape {
  WindowShape tiles;      // positions are tiles; taps are the elements of their data, row-major
  int64_t height, width;  // of the result
  int64_t taps;           // along an axis: 3 or 5
  /// Offsets of the taps' matrices, in the order of the data that they meet.
  int64_t weights[kWinogradTaps * kWinogradTaps];
  [[nodiscard]] int64_t tile() const { return winograd_tile(taps); }
  [[nodiscard]] int64_t tiles_of_row() const { return tiles.axes[2].count; }
  [[nodiscard]] int64_t tile_rows() const { return tiles.batch * tiles.axes[1].count; }
  /// Which row of the result, [positions, columns], is the first one of a row of tiles.
  [[nodiscard]] int64_t first_position(int64_t tile_row) const {
    const int64_t image = tile_row / tiles.axes[1].count, y = tile_row % tiles.axes[1].count * tile();
    return (image * height + y) * width;
  }
};

struct WinogradBlock {
  const WinogradShape* shape;
  const float* data;
  const float* packed;  // the transformed weights
  float* result;
  int64_t tile_row, tile_rows;
  int64_t panel, panels;
  const GemmEpilogue<float>* epilogue;  // null: store
};

/// A part of the gradient of the weights: of some channels of data, from some rows of tiles.
struct WinogradGradientBlock {
  const WinogradShape* shape;
  const float* data;
  const float* gradient;  // [positions, columns]
  float* result;          // as the weights lie
  int64_t tile_row, tile_rows;
  int64_t channel, channels;  // multiples of 16
};

/// The kernels of one instruction set. Floats only: in doubles nobody wants the error.
struct WinogradKernels {
  int64_t (*panels)(const WinogradShape& shape) noexcept;
  int64_t (*packed_size)(const WinogradShape& shape) noexcept;  // elements, of all panels
  /// Transforms the weights for some panels of columns.
  void (*pack)(const WinogradShape& shape, const float* weights, int64_t panel, int64_t panels, float* packed,
               void* workspace) noexcept;
  void (*run)(const WinogradBlock& block, void* workspace) noexcept;
  /// Of either; 64-byte aligned.
  size_t (*workspace_bytes)(const WinogradShape& shape) noexcept;

  void (*gradient)(const WinogradGradientBlock& block, void* workspace) noexcept;
  size_t (*gradient_workspace_bytes)(const WinogradShape& shape, int64_t channels) noexcept;
};

namespace baseline {
extern const WinogradKernels winograd_kernels;
}
namespace avx2 {
extern const WinogradKernels winograd_kernels;
}
namespace avx512 {
extern const WinogradKernels winograd_kernels;
}

}  // namespace gradloom::inline v0
