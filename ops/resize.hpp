#pragma once

#include <gradloom/graph/tensor.hpp>

#include <cstdint>
#include <vector>

namespace gradloom::inline v0 {

/// Where an element of the result lies on the axis that is resized from n to m elements, by its number i.
enum class Coordinates : uint8_t {
  half_pixel,     ///< (i + 1/2) n / m - 1/2: pixels are areas, and the areas' borders fall together
  align_corners,  ///< i (n - 1) / (m - 1): the centres of the first and of the last pixels fall together
  asymmetric      ///< i n / m
};

enum class Interpolation : uint8_t {
  nearest,  ///< of any dtype; halves are rounded down
  floor,    ///< the element before the place; with `asymmetric` it is PyTorch's "nearest"
  linear,   ///< between the two neighbours, along each axis
  cubic     ///< between four; Keys 1981, Cubic convolution interpolation for digital image processing, eq. 15
};

struct ResizeOptions {
  Interpolation interpolation = Interpolation::linear;
  Coordinates coordinates = Coordinates::half_pixel;
  double cubic_coefficient = -0.75;  ///< Keys' a; he takes -0.5, PyTorch and OpenCV -0.75
};

/// x with its spatial axes interpolated to `sizes`, one for each or one for all: [batch, spatial..., channels] ->
/// [batch, sizes..., channels]. Beyond the ends the first and the last elements are repeated. Elements are not averaged
/// where an axis shrinks. Integers become f32 for linear and cubic. Gradients of every order. Throws Error for another
/// number of sizes, for sizes below 1, and for spatial sizes that are not known.
///   resize(images, {64, 64}, {.interpolation = Interpolation::cubic})
[[nodiscard]] GRADLOOM_API Tensor resize(const Operand& x, const std::vector<int64_t>& sizes,
                                         const ResizeOptions& options = {});

/// Every element `factor` times along each spatial axis. Any dtype, symbolic sizes too.
[[nodiscard]] GRADLOOM_API Tensor upsample_nearest(const Operand& x, int64_t factor);

}  // namespace gradloom::inline v0
