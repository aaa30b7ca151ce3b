// Which convolutions run by Winograd's algorithm, and how.
#include <gradloom/graph/attributes.hpp>
#include <gradloom/ops/convolution_internal.hpp>
#include <gradloom/ops/winograd_internal.hpp>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

constexpr int64_t whole_vectors = 16;  // the channels of data are a multiple
constexpr int64_t row_unit = 16;       // an epilogue that sums columns adds groups of so many rows in a fixed order

bool all(const std::vector<int64_t>& numbers, int64_t value) {
  return std::all_of(numbers.begin(), numbers.end(), [&](int64_t number) { return number == value; });
}

/// The convolution that makes the node's result from its first input, or whose weights' gradient it is.
std::shared_ptr<const OwnedWindowShape> product_of(const KernelRequest& request) {
  const bool of_weights = request.node().op == &convolution_weight_gradient_def;
  const std::vector<int64_t> weights = of_weights ? request.output_sizes() : request.input_sizes(1);
  const std::vector<int64_t> kernel(weights.begin(), weights.end() - 2);
  if (of_weights) {
    return forward_products(
               convolution_sizes(request.attributes(), request.input_sizes(0), request.input_sizes(1), kernel))
        .front();
  }
  if (request.node().op == &convolution_def) {
    return forward_products(
               convolution_sizes(request.attributes(), request.input_sizes(0), request.output_sizes(), kernel))
        .front();
  }
  return data_gradient_products(
             convolution_sizes(request.attributes(), request.output_sizes(), request.input_sizes(0), kernel))
      .front();
}

/// A shape with the list that it points to.
struct OwnedWinogradShape {
  WinogradShape shape{};
  std::vector<WindowTap> taps;

  explicit OwnedWinogradShape(const WindowShape& direct) {
    WindowShape& s = shape.tiles;
    s = direct;
    shape.height = direct.axes[1].count;
    shape.width = direct.axes[2].count;
    shape.taps = direct.tap_count == 9 ? 3 : 5;
    // Taps of the gradient of data come in falling order.
    int64_t first[kWindowAxes];
    std::copy_n(direct.taps[0].at, kWindowAxes, first);
    for (int64_t tap = 1; tap < direct.tap_count; ++tap) {
      for (int axis = 0; axis < kWindowAxes; ++axis) first[axis] = std::min(first[axis], direct.taps[tap].at[axis]);
    }
    for (int64_t tap = 0; tap < direct.tap_count; ++tap) {
      const WindowTap& t = direct.taps[tap];
      shape.weights[(t.at[1] - first[1]) * shape.taps + t.at[2] - first[2]] = t.weights;
    }
    for (int64_t y = 0; y < kWinogradSide; ++y) {
      for (int64_t x = 0; x < kWinogradSide; ++x) taps.push_back({{first[0], first[1] + y, first[2] + x}, 0});
    }
    for (const int axis : {1, 2}) {
      s.axes[axis].count = chunk_count(direct.axes[axis].count, shape.tile());
      s.axes[axis].step = shape.tile();
    }
    s.taps = taps.data();
    s.tap_count = kWinogradElements;
    s.runs = nullptr;
    s.run_count = 0;
  }
  OwnedWinogradShape(const OwnedWinogradShape&) = delete;
  OwnedWinogradShape& operator=(const OwnedWinogradShape&) = delete;
};

class WinogradProduct final : public FusibleProduct<float> {
 public:
  WinogradProduct(const WinogradKernels& kernels, const WindowShape& direct) : kernels_(kernels), owned_(direct) {
    const WinogradShape& s = owned_.shape;
    rows = direct.positions();
    columns = direct.columns;
    panels_ = kernels_.panels(s);
    prepare_chunks = panels_;
    shared_bytes = static_cast<size_t>(kernels_.packed_size(s)) * sizeof(float);
    scratch_bytes = kernels_.workspace_bytes(s);
    remark = s.taps == 3 ? "Winograd F(4x4, 3x3)" : "Winograd F(2x2, 5x5)";

    constexpr int64_t most_chunks = 32, chunk_tiles = 14;
    const int64_t least = std::max<int64_t>(1, chunk_tiles / s.tiles_of_row());
    const int64_t wanted = std::clamp<int64_t>(s.tile_rows() / least, 1, most_chunks);
    bounds_.push_back(0);
    for (int64_t chunk = 1; chunk < wanted; ++chunk) {
      int64_t bound = chunk_begin(s.tile_rows(), wanted, chunk);
      while (bound < s.tile_rows() && s.first_position(bound) % row_unit != 0) ++bound;
      if (bound > bounds_.back() && bound < s.tile_rows()) bounds_.push_back(bound);
    }
    bounds_.push_back(s.tile_rows());
    // With few rows of tiles, columns are cut too, although each part then transforms the data for itself.
    constexpr int64_t enough = 4;
    const int64_t row_parts = static_cast<int64_t>(bounds_.size()) - 1;
    panel_parts_ = std::clamp<int64_t>(enough / row_parts, 1, panels_);
    chunks = row_parts * panel_parts_;
    const double depth = static_cast<double>(direct.channels), width = static_cast<double>(columns);
    nanoseconds = 500 + static_cast<double>(s.tiles.positions()) * (36 * depth * width + 230 * (depth + width)) / 60;
  }

  void bake(const float* b) override {
    ProductBuffer scratch;
    scratch.allocate(scratch_bytes);
    baked_.allocate(shared_bytes);
    const ProductMemory<float> memory{.b = b, .scratch = scratch.data(), .shared = baked_.data()};
    for (int64_t chunk = 0; chunk < prepare_chunks; ++chunk) prepare(chunk, memory);
    prepare_chunks = 0;
    shared_bytes = 0;
  }

  void prepare(int64_t chunk, const ProductMemory<float>& memory) const override {
    kernels_.pack(owned_.shape, memory.b, chunk, 1, static_cast<float*>(memory.shared), memory.scratch);
  }

  void finish(int64_t chunk, const ProductMemory<float>& memory) const override {
    const int64_t part = chunk / panel_parts_, panel_part = chunk % panel_parts_;
    const int64_t begin = bounds_[static_cast<size_t>(part)], end = bounds_[static_cast<size_t>(part) + 1];
    kernels_.run({.shape = &owned_.shape,
                  .data = memory.a,
                  .packed = static_cast<const float*>(baked_.empty() ? memory.shared : baked_.data()),
                  .result = memory.result,
                  .tile_row = begin,
                  .tile_rows = end - begin,
                  .panel = chunk_begin(panels_, panel_parts_, panel_part),
                  .panels = chunk_size(panels_, panel_parts_, panel_part),
                  .epilogue = memory.epilogue},
                 memory.scratch);
  }

  [[nodiscard]] ProductTraffic traffic(int64_t chunk) const override {
    const WinogradShape& s = owned_.shape;
    const int64_t part = chunk / panel_parts_, panel_part = chunk % panel_parts_;
    const int64_t begin = bounds_[static_cast<size_t>(part)], end = bounds_[static_cast<size_t>(part) + 1];
    const int64_t positions = s.first_position(end) - s.first_position(begin);
    const int64_t parts = chunk_size(panels_, panel_parts_, panel_part);
    ProductTraffic traffic;
    if (panel_part == 0) traffic.read += s.tiles.batch * s.tiles.data_image * positions / rows;
    if (part == 0) traffic.read += s.taps * s.taps * s.tiles.channels * columns * parts / panels_;
    traffic.made = positions * columns * parts / panels_;
    return traffic;
  }

 private:
  const WinogradKernels& kernels_;
  OwnedWinogradShape owned_;
  int64_t panels_ = 0, panel_parts_ = 1;
  std::vector<int64_t> bounds_;  // of chunks, in rows of tiles
  ProductBuffer baked_;          // the transformed weights, if they never change
};

/// The gradient of the weights: parts are ranges of rows of tiles, and of channels of data.
struct WinogradGradient : WeightGradientParts {
  const WinogradKernels& kernels;
  OwnedWinogradShape owned;
  int64_t channel_parts = 1;

  WinogradGradient(const WinogradKernels& of, const WindowShape& direct) : kernels(of), owned(direct) {}
  /// Ranges of channels begin where whole vectors do.
  [[nodiscard]] GemmRange channels(int64_t part) const {
    const int64_t vectors = owned.shape.tiles.channels / whole_vectors;
    return {chunk_begin(vectors, channel_parts, part) * whole_vectors,
            chunk_size(vectors, channel_parts, part) * whole_vectors};
  }
};

void run_winograd_gradient(const KernelCall& call) {
  const auto& params = *static_cast<const WinogradGradient*>(call.params);
  const WinogradShape& s = params.owned.shape;
  const int64_t depth = call.chunk / params.channel_parts;
  const GemmRange channels = params.channels(call.chunk % params.channel_parts);
  const int64_t row = chunk_begin(s.tile_rows(), params.depths, depth),
                rows = chunk_size(s.tile_rows(), params.depths, depth);
  const int64_t gradient = channels.begin == 0 ? s.tiles.columns : 0;  // read by all, counted once
  constexpr int64_t size = sizeof(float);
  call.count((s.first_position(row + rows) - s.first_position(row)) * (channels.size + gradient) * size,
             params.depths == 1 ? params.size * channels.size / s.tiles.channels * size : 0);
  params.kernels.gradient({.shape = &s,
                           .data = static_cast<const float*>(call.inputs[0]),
                           .gradient = static_cast<const float*>(call.inputs[1]),
                           .result = params.result_of<float>(depth, call),
                           .tile_row = row,
                           .tile_rows = rows,
                           .channel = channels.begin,
                           .channels = channels.size},
                          call.scratch);
}

}  // namespace

bool suits_winograd(const KernelRequest& request) {
  const Node& node = request.node();
  const bool of_weights = node.op == &convolution_weight_gradient_def;
  if (node.op != &convolution_def && node.op != &convolution_data_gradient_def && !of_weights) return false;
  const std::vector<int64_t> weights = of_weights ? request.output_sizes() : request.input_sizes(1),
                             data = request.input_sizes(0),
                             sizes = of_weights ? request.input_sizes(1) : request.output_sizes();
  if (request.output().dtype != DType::f32 || data.size() != 4) return false;
  const auto numbers = [&](const char* name) -> const auto& { return node.attributes.get<std::vector<int64_t>>(name); };
  const int64_t taps = weights[0], tile = winograd_tile(taps);
  if ((taps != 3 && taps != 5) || weights[1] != taps || node.attributes.get<int64_t>("groups") != 1) return false;
  if (!all(numbers("strides"), 1) || !all(numbers("dilations"), 1)) return false;
  const int64_t widest = 64 * tile;
  if (data[3] == 0 || data[3] % whole_vectors != 0 || sizes[3] < whole_vectors || sizes[2] > widest) return false;
  // In multiply-adds, of which a core does 16 a cycle: the transforms of a tile take about 14 cycles for each channel
  // of data and of the result, those of the weights 4 or 6 for each pair.
  const double channels = static_cast<double>(data[3]), columns = static_cast<double>(sizes[3]);
  const double images = static_cast<double>(sizes[0]);
  const double tiles =
      images * static_cast<double>(chunk_count(sizes[1], tile)) * static_cast<double>(chunk_count(sizes[2], tile));
  const double direct = images * static_cast<double>(sizes[1] * sizes[2] * taps * taps) * channels * columns;
  const double transforms = !of_weights && constant_input(request, 1) != nullptr
                                ? 0
                                : 16.0 * static_cast<double>(taps + 1) * channels * columns;
  const double winograd = tiles * (36 * channels * columns + 16 * 14 * (channels + columns)) + transforms;
  // Of the gradient of weights the products are short, and add to sums that no register holds.
  const double worth = of_weights ? 1.6 : 1.3;
  return direct > worth * winograd;
}

std::shared_ptr<FusibleProduct<float>> winograd_product(const KernelRequest& request) {
  return std::make_shared<WinogradProduct>(
      request.pick(baseline::winograd_kernels, avx2::winograd_kernels, avx512::winograd_kernels),
      product_of(request)->shape);
}

KernelPlan plan_winograd_weight_gradient(const KernelRequest& request) {
  const std::shared_ptr<const OwnedWindowShape> direct = product_of(request);
  auto params = std::make_shared<WinogradGradient>(
      request.pick(baseline::winograd_kernels, avx2::winograd_kernels, avx512::winograd_kernels), direct->shape);
  const WinogradShape& s = params->owned.shape;
  const int64_t channels = s.tiles.channels, columns = s.tiles.columns, tiles = s.tiles.positions();
  params->size = s.taps * s.taps * channels * columns;
  params->element_size = sizeof(float);
  // Each depth transforms sums back to weights, each part of the channels transforms the gradient for itself.
  constexpr int64_t most_chunks = 32, least_tiles = 48, least_channels = 64, enough = 8;
  params->choose_depths(std::min({most_chunks, tiles / least_tiles, s.tile_rows()}));
  params->channel_parts = std::clamp<int64_t>(channels / least_channels, 1, chunk_count(enough, params->depths));

  KernelPlan plan;
  plan.scratch_bytes = params->kernels.gradient_workspace_bytes(s, params->channels(0).size);
  plan.steps = {{run_winograd_gradient, params->depths * params->channel_parts}};
  params->add_combination(request, plan);
  const double depth = static_cast<double>(channels), width = static_cast<double>(columns);
  plan.nanoseconds = 500 + static_cast<double>(tiles) * (36 * depth * width + 230 * (depth + width)) / 60;
  plan.remark = s.taps == 3 ? "Winograd F(3x3, 4x4)" : "Winograd F(5x5, 2x2)";
  plan.params = std::move(params);
  return plan;
}

}  // namespace gradloom::inline v0
