// Single convolutions and their gradients, as in peers/libtorch_cases.hpp; images are channels last here.
#include "case.hpp"
#include "start_values.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/ops/convolution.hpp>

#include <utility>
#include <vector>

namespace bench {

namespace {

struct ConvShape {
  int64_t in, out, side, kernel, stride, groups;
};

enum class ConvPart { forward, data, weights };

gl::Array images(int64_t batch, int64_t channels, int64_t side, uint64_t seed) {
  return bench::images({batch, channels, side, side}, seed);
}

Case convolution(gl::CompileOptions options, const ConvShape& s, ConvPart part) {
  constexpr int64_t batch = 16;
  const int64_t group_in = s.in / s.groups;
  gl::Graph g;
  const gl::Tensor x = g.input("x", {batch, s.side, s.side, s.in});
  const gl::Tensor w = g.parameter("w", {s.kernel, s.kernel, group_in, s.out});
  const gl::Tensor y =
      gl::convolution(x, w, {.strides = {s.stride}, .padding = static_cast<int>(s.kernel / 2), .groups = s.groups});
  const int64_t out_side = y.dim(1).value();
  const gl::Tensor dy = g.input("dy", y.shape());
  const gl::Tensor result =
      part == ConvPart::forward ? y : gl::gradients(y, {part == ConvPart::data ? x : w}, dy).front();

  Case c;
  options.outputs = {result};
  c.program = gl::compile(options);
  if (part != ConvPart::data) c.inputs.set("x", images(batch, s.in, s.side, peers::kInputSeed));
  if (part != ConvPart::forward) c.inputs.set("dy", images(batch, s.out, out_side, peers::kTargetSeed));
  if (part != ConvPart::weights) {
    c.state.set("w", permuted({s.out, group_in, s.kernel, s.kernel}, {2, 3, 1, 0}, 0.1f, peers::kParameterSeed));
  }
  c.outputs = {gl::Array(result.shape().sizes())};
  c.flops = 2.0 * static_cast<double>(batch * out_side * out_side * s.out) *
            static_cast<double>(group_in * s.kernel * s.kernel);
  return c;
}

template <ConvShape Shape, ConvPart Part>
Case make(gl::CompileOptions options) {
  return convolution(std::move(options), Shape, Part);
}

constexpr ConvShape c64{64, 64, 56, 3, 1, 1}, c128{128, 128, 28, 3, 1, 1}, c256{256, 256, 14, 3, 1, 1},
    pointwise{64, 256, 56, 1, 1, 1}, depthwise{128, 128, 28, 3, 1, 128}, strided{64, 128, 56, 3, 2, 1};

constexpr NamedCase cases[] = {
    {"conv_3x3_64c_56_fwd", make<c64, ConvPart::forward>},
    {"conv_3x3_64c_56_bwd_data", make<c64, ConvPart::data>},
    {"conv_3x3_64c_56_bwd_weights", make<c64, ConvPart::weights>},
    {"conv_3x3_128c_28_fwd", make<c128, ConvPart::forward>},
    {"conv_3x3_128c_28_bwd_data", make<c128, ConvPart::data>},
    {"conv_3x3_128c_28_bwd_weights", make<c128, ConvPart::weights>},
    {"conv_3x3_256c_14_fwd", make<c256, ConvPart::forward>},
    {"conv_3x3_256c_14_bwd_data", make<c256, ConvPart::data>},
    {"conv_3x3_256c_14_bwd_weights", make<c256, ConvPart::weights>},
    {"conv_1x1_64to256c_56_fwd", make<pointwise, ConvPart::forward>},
    {"conv_1x1_64to256c_56_bwd_data", make<pointwise, ConvPart::data>},
    {"conv_1x1_64to256c_56_bwd_weights", make<pointwise, ConvPart::weights>},
    {"conv_dw3x3_128c_28_fwd", make<depthwise, ConvPart::forward>},
    {"conv_dw3x3_128c_28_bwd_data", make<depthwise, ConvPart::data>},
    {"conv_dw3x3_128c_28_bwd_weights", make<depthwise, ConvPart::weights>},
    {"conv_3x3s2_64to128c_56_fwd", make<strided, ConvPart::forward>},
    {"conv_3x3s2_64to128c_56_bwd_data", make<strided, ConvPart::data>},
    {"conv_3x3s2_64to128c_56_bwd_weights", make<strided, ConvPart::weights>},
};

}  // namespace

const std::span<const NamedCase> convolution_cases = cases;

}  // namespace bench
