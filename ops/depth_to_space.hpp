#pragma once

#include <gradloom/graph/tensor.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

/// How the channels of a pixel become a block of pixels: [block, block, channels] as in TensorFlow and by default in
/// ONNX (DCR), or [channels, block, block] as in PyTorch's pixel_shuffle (CRD).
enum class DepthOrder : uint8_t { block_first, channels_first };

/// Channels moved to the spatial axes: [n, h, w, block * block * c] -> [n, h * block, w * block, c], of any dtype.
/// Throws Error if x is not [n, h, w, channels] or the channels, which must be known, are no multiple of block * block.
[[nodiscard]] GRADLOOM_API Tensor depth_to_space(const Operand& x, int64_t block,
                                                 DepthOrder order = DepthOrder::block_first);

/// The inverse: [n, h * block, w * block, c] -> [n, h, w, block * block * c]. Height and width are multiples of the
/// block, which symbols are taken to be.
[[nodiscard]] GRADLOOM_API Tensor space_to_depth(const Operand& x, int64_t block,
                                                 DepthOrder order = DepthOrder::block_first);

}  // namespace gradloom::inline v0
