#include <gradloom/nn/conv.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0::nn {

namespace {

constexpr std::string_view rule =
    "a convolutional layer needs x [batch, spatial..., channels] with a window's number for each spatial axis, and "
    "channels that are the same number in every call";

/// The parts of a layer that are the same for both directions.
struct Layer {
  std::string_view name;
  int64_t channels;
  std::vector<int64_t>& window;
  Tensor& weight;
  Tensor& bias;

  void check(SourceLocation location) const {
    const bool positive =
        channels > 0 && !window.empty() && std::all_of(window.begin(), window.end(), [](int64_t n) { return n > 0; });
    if (positive) return;
    refuse(name, Operand(channels, location),
           fmt::format("{} channels were asked for, with a window of {} numbers", channels, window.size()), {},
           "a layer has at least one channel, and a window's numbers are positive");
  }

  /// Checks x against the parameters, which make_parameters() makes in the first call: it is given the channels of x.
  template <class Make>
  void prepare(const Operand& x, int in_axis, int64_t groups, Make make_parameters) const {
    if (x.is_number()) refuse(name, x, "x is a number or an empty Tensor", {}, rule);
    const Tensor& input = x.tensor();
    const auto fail = [&](std::string problem) { refuse(name, x, std::move(problem), {{"x", input}}, rule); };
    const int axes = input.rank() - 2;
    if (axes < 1 || axes > 3) fail(fmt::format("the rank is {}", input.rank()));
    if (window.size() == 1) window.resize(static_cast<size_t>(axes), window[0]);
    if (static_cast<int>(window.size()) != axes)
      fail(fmt::format("the window has {} numbers for {} spatial axes", window.size(), axes));
    const Dim& in = input.dim(-1);
    if (!in.known()) fail(fmt::format("the number of channels, {}, is not known", in.to_string()));
    if (groups < 1 || in.value() % groups != 0 || channels % groups != 0)
      fail(fmt::format("{} and {} channels make no {} groups", in.value(), channels, groups));
    if (!weight.valid()) make_parameters(input.graph(), in.value());
    if (&weight.graph() != &input.graph()) fail("its parameters belong to another graph, that of the first call");
    const int64_t expected = weight.dim(in_axis).value() * (in_axis == -2 ? groups : 1);
    if (in.value() != expected)
      fail(fmt::format("there were {} channels in the first call, and are {}", expected, in.value()));
  }

  /// weight [window..., rows, columns], bias [channels].
  template <class Options>
  void make(Graph& graph, const Operand& x, const Options& options, int64_t rows, int64_t columns) const {
    const Scope scope = options.name.empty() ? graph.numbered_scope(name) : graph.scope(options.name);
    const ParameterOptions made{.dtype = promote(x.tensor().dtype(), DType::f32), .trainable = options.trainable};
    std::vector<Dim> dims(window.begin(), window.end());
    dims.insert(dims.end(), {rows, columns});
    weight = graph.parameter("weight", Shape(std::move(dims)), options.weight, made, x.location());
    if (options.bias) bias = graph.parameter("bias", {channels}, options.bias_init, made, x.location());
  }

  Tensor finish(const Operand& x, const Tensor& y) const {
    return bias.valid() ? Operand(y, x.location()) + Operand(bias, x.location()) : y;
  }
};

}  // namespace

Conv::Conv(int64_t channels, std::vector<int64_t> window, ConvOptions options, SourceLocation location)
    : channels_(channels), window_(std::move(window)), options_(std::move(options)) {
  Layer{"conv", channels_, window_, weight_, bias_}.check(location);
}

Tensor Conv::operator()(const Operand& x) {
  const Layer layer{"conv", channels_, window_, weight_, bias_};
  layer.prepare(x, -2, options_.groups,
                [&](Graph& graph, int64_t in) { layer.make(graph, x, options_, in / options_.groups, channels_); });
  const Operand input(cast(x, weight_.dtype()), x.location());
  const ConvolutionOptions how{.strides = options_.strides,
                               .dilations = options_.dilations,
                               .padding = options_.padding,
                               .groups = options_.groups};
  return layer.finish(x, convolution(input, {weight_, x.location()}, how));
}

Tensor conv(const Operand& x, int64_t channels, std::vector<int64_t> window, ConvOptions options) {
  return Conv(channels, std::move(window), std::move(options), x.location())(x);
}

ConvTranspose::ConvTranspose(int64_t channels, std::vector<int64_t> window, ConvTransposeLayerOptions options,
                             SourceLocation location)
    : channels_(channels), window_(std::move(window)), options_(std::move(options)) {
  Layer{"conv_transpose", channels_, window_, weight_, bias_}.check(location);
}

Tensor ConvTranspose::operator()(const Operand& x) {
  const Layer layer{"conv_transpose", channels_, window_, weight_, bias_};
  layer.prepare(x, -1, options_.groups,
                [&](Graph& graph, int64_t in) { layer.make(graph, x, options_, channels_ / options_.groups, in); });
  const Operand input(cast(x, weight_.dtype()), x.location());
  const ConvTransposeOptions how{.strides = options_.strides,
                                 .dilations = options_.dilations,
                                 .padding = options_.padding,
                                 .groups = options_.groups,
                                 .output_padding = options_.output_padding};
  return layer.finish(x, gradloom::conv_transpose(input, {weight_, x.location()}, how));
}

Tensor conv_transpose(const Operand& x, int64_t channels, std::vector<int64_t> window,
                      ConvTransposeLayerOptions options) {
  return ConvTranspose(channels, std::move(window), std::move(options), x.location())(x);
}

}  // namespace gradloom::inline v0::nn
