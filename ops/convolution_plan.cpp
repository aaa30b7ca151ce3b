// How the three ops of a convolution run.
#include <gradloom/graph/attributes.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/constant_weights_internal.hpp>
#include <gradloom/ops/convolution_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace gradloom::inline v0 {

ConvolutionSizes convolution_sizes(const Attributes& attributes, const std::vector<int64_t>& data,
                                   const std::vector<int64_t>& result, const std::vector<int64_t>& kernel) {
  const auto& strides = attributes.get<std::vector<int64_t>>("strides");
  const auto& dilations = attributes.get<std::vector<int64_t>>("dilations");
  const auto& low = attributes.get<std::vector<int64_t>>("low");
  ConvolutionSizes sizes{
      .batch = data.front(), .in = data.back(), .out = result.back(), .groups = attributes.get<int64_t>("groups")};
  const size_t first = kWindowAxes - strides.size();
  for (size_t i = 0; i < strides.size(); ++i) {
    sizes.axes[first + i] = {data[i + 1], result[i + 1], kernel[i], strides[i], dilations[i], low[i]};
  }
  return sizes;
}

namespace {

using Products = std::vector<std::shared_ptr<const OwnedWindowShape>>;

/// The runs of `taps` taps with `channels` channels each.
std::vector<WindowRun> runs_of(int64_t taps, int64_t channels) {
  std::vector<WindowRun> runs;
  if (channels == 0) return runs;
  if (channels > kGemmChunk) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t chunk = 0; chunk < gemm_chunks(channels); ++chunk) {
        const GemmRange range = gemm_chunk_range(channels, chunk);
        runs.push_back({tap, range.begin, range.size, true});
      }
    }
    return runs;
  }
  const int64_t chunks = chunk_count(taps, kGemmChunk / channels);
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t end = chunk_begin(taps, chunks, chunk + 1);
    for (int64_t tap = chunk_begin(taps, chunks, chunk); tap < end; ++tap)
      runs.push_back({tap, 0, channels, tap == end - 1});
  }
  return runs;
}

/// Are the windows of this depthwise product 3 x 3 neighbours?
bool has_square_windows(const WindowShape& s, const std::vector<WindowTap>& taps) {
  constexpr size_t side = 3;
  if (taps.size() != side * side || s.axes[0].count != 1 || s.axes[1].step != 1 || s.axes[2].step != 1) return false;
  const int64_t direction = taps[1].at[2] - taps[0].at[2];
  for (size_t k = 0; k < taps.size(); ++k) {
    const auto row = static_cast<int64_t>(k / side), column = static_cast<int64_t>(k % side);
    if (taps[k].at[0] != 0 || taps[k].at[1] != taps[0].at[1] + row * direction ||
        taps[k].at[2] != taps[0].at[2] + column * direction)
      return false;
  }
  return (direction == 1 || direction == -1) && s.result_is_dense();
}

std::shared_ptr<const OwnedWindowShape> finished(OwnedWindowShape product) {
  auto owned = std::make_shared<OwnedWindowShape>(std::move(product));
  WindowShape& s = owned->shape;
  if (s.groups > 1 && s.groups == s.channels && s.groups == s.columns) {
    s.depthwise = true;
    s.groups = s.weight_col = 1;
    s.square_windows = has_square_windows(s, owned->taps);
  }
  s.tap_count = static_cast<int64_t>(owned->taps.size());
  owned->runs = s.copies_windows ? runs_of(1, s.depth()) : runs_of(s.tap_count, s.group_channels());
  s.taps = owned->taps.data();
  s.runs = owned->runs.data();
  s.run_count = static_cast<int64_t>(owned->runs.size());
  return owned;
}

/// Elements from one index to the next of [sizes..., channels], and of all.
std::array<int64_t, kWindowAxes> strides_of(const std::array<int64_t, kWindowAxes>& sizes, int64_t channels,
                                            int64_t& image) {
  std::array<int64_t, kWindowAxes> strides{};
  image = channels;
  for (size_t axis = kWindowAxes; axis-- > 0; image *= sizes[axis]) strides[axis] = image;
  return strides;
}

struct Layout {
  int64_t data_image = 0, result_image = 0;
  std::array<int64_t, kWindowAxes> data{}, result{};

  explicit Layout(const ConvolutionSizes& sizes) {
    std::array<int64_t, kWindowAxes> data_sizes{}, result_sizes{};
    for (size_t axis = 0; axis < kWindowAxes; ++axis) {
      data_sizes[axis] = sizes.axes[axis].data;
      result_sizes[axis] = sizes.axes[axis].result;
    }
    data = strides_of(data_sizes, sizes.in, data_image);
    result = strides_of(result_sizes, sizes.out, result_image);
  }
};

/// Calls `use(k, offset of its matrix)` for each element of the kernel.
template <class Use>
void for_each_tap(const ConvolutionSizes& sizes, Use use) {
  const int64_t matrix = sizes.in / sizes.groups * sizes.out;
  std::array<int64_t, kWindowAxes> k{};
  int64_t weights = 0;
  for (k[0] = 0; k[0] < sizes.axes[0].kernel; ++k[0]) {
    for (k[1] = 0; k[1] < sizes.axes[1].kernel; ++k[1]) {
      for (k[2] = 0; k[2] < sizes.axes[2].kernel; ++k[2], weights += matrix) use(k, weights);
    }
  }
}

}  // namespace

Products forward_products(const ConvolutionSizes& sizes) {
  const Layout layout(sizes);
  OwnedWindowShape product;
  WindowShape& s = product.shape;
  s.batch = sizes.batch;
  s.data_image = layout.data_image;
  s.result_image = layout.result_image;
  s.channels = sizes.in;
  s.columns = sizes.out;
  s.groups = sizes.groups;
  s.weight_group = sizes.out / sizes.groups;
  s.weight_row = sizes.out;
  for (size_t axis = 0; axis < kWindowAxes; ++axis) {
    const ConvolutionSizes::Axis& a = sizes.axes[axis];
    s.axes[axis] = {a.result, a.stride, a.data, layout.data[axis], layout.result[axis]};
  }
  for_each_tap(sizes, [&](const auto& k, int64_t weights) {
    WindowTap tap{{}, weights};
    for (size_t axis = 0; axis < kWindowAxes; ++axis)
      tap.at[axis] = k[axis] * sizes.axes[axis].dilation - sizes.axes[axis].low;
    product.taps.push_back(tap);
  });
  constexpr int64_t few = 4;
  s.copies_windows = s.groups == 1 && s.channels > 0 && s.channels <= few && product.taps.size() > 1;
  return {finished(std::move(product))};
}

Products data_gradient_products(const ConvolutionSizes& sizes) {
  const Layout layout(sizes);
  Products products;
  std::array<int64_t, kWindowAxes> first{};  // the first index of the data that a product makes
  const auto add = [&] {
    OwnedWindowShape product;
    WindowShape& s = product.shape;
    s.batch = sizes.batch;
    s.data_image = layout.result_image;
    s.result_image = layout.data_image;
    s.channels = sizes.out;
    s.columns = sizes.in;
    s.groups = sizes.groups;
    s.weight_group = sizes.out / sizes.groups;
    s.weight_row = 1;
    s.weight_col = sizes.out;
    for (size_t axis = 0; axis < kWindowAxes; ++axis) {
      const ConvolutionSizes::Axis& a = sizes.axes[axis];
      const int64_t count = (a.data - first[axis] + a.stride - 1) / a.stride;
      s.axes[axis] = {count, 1, a.result, layout.result[axis], a.stride * layout.data[axis]};
      s.result_begin += first[axis] * layout.data[axis];
    }
    // Index i of the data takes part in window r where i + low = r * stride + k * dilation.
    for_each_tap(sizes, [&](const auto& k, int64_t weights) {
      WindowTap tap{{}, weights};
      for (size_t axis = 0; axis < kWindowAxes; ++axis) {
        const ConvolutionSizes::Axis& a = sizes.axes[axis];
        const int64_t distance = first[axis] + a.low - k[axis] * a.dilation;
        if (distance % a.stride != 0) return;
        tap.at[axis] = distance / a.stride;
      }
      product.taps.push_back(tap);
    });
    if (s.positions() > 0) products.push_back(finished(std::move(product)));
  };
  const auto firsts = [&](size_t axis) { return std::min(sizes.axes[axis].stride, sizes.axes[axis].data); };
  for (first[0] = 0; first[0] < firsts(0); ++first[0]) {
    for (first[1] = 0; first[1] < firsts(1); ++first[1]) {
      for (first[2] = 0; first[2] < firsts(2); ++first[2]) add();
    }
  }
  return products;
}

namespace {

template <class T>
const WindowKernels<T>& kernels_of(const KernelRequest& request) {
  const WindowKernelTable& table = request.pick(baseline::window_kernels, avx2::window_kernels, avx512::window_kernels);
  if constexpr (std::is_same_v<T, double>) {
    return table.f64;
  } else {
    return table.f32;
  }
}

/// Multiply-adds that are worth a chunk, as in gemm_grid(), and how many chunks there are at most.
constexpr double chunk_work = 1 << 19;
constexpr int64_t most_chunks = 32;

/// How many parts `work` multiply-adds may be cut into.
int64_t wanted_chunks(double work) {
  return std::max<int64_t>(1, std::min(most_chunks, static_cast<int64_t>(work / chunk_work)));
}

/// Each product counts as many as memory takes the time of, where channels are lanes.
double work_of(const WindowShape& s) {
  constexpr double depthwise = 4;
  return static_cast<double>(s.positions()) * static_cast<double>(s.depth()) * static_cast<double>(s.columns) *
         (s.depthwise ? depthwise : 1);
}

/// Expected time of multiply-adds at 120 GFLOP/s.
double nanoseconds_of(double work) { return 500 + 2 * work / 120; }

// ---- the convolution and the gradient of its data

/// One product and its chunks: ranges of positions times ranges of panels.
struct Piece {
  std::shared_ptr<const OwnedWindowShape> product;
  int64_t first_chunk, row_parts, panel_parts;
  int64_t row_unit;             // parts begin at multiples of it
  int64_t first_panel, panels;  // of all pieces
  int64_t packed;               // where its matrices are, in elements
};

constexpr int64_t least_rows = 48;

/// Parts begin where sums of an epilogue's columns can, and with whole rows of positions if blocks of them are wanted
/// and it leaves enough parts.
int64_t row_unit(const WindowShape& s, int64_t parts) {
  constexpr int64_t least = 16;
  if (!s.square_windows) return least;
  const int64_t rows = std::lcm(least, s.axes[kWindowAxes - 1].count);
  return s.positions() / rows >= parts ? rows : least;
}

/// How it runs, for explain().
std::string algorithm_of(const WindowShape& s) {
  if (s.depthwise) return "depthwise: every channel by itself";
  if (s.copies_windows) return "implicit GEMM, the windows of few channels copied for each tile";
  return s.tap_count == 1 ? "a product" : fmt::format("implicit GEMM over {} taps", s.tap_count);
}

template <class T>
class WindowProducts : public FusibleProduct<T> {
 public:
  WindowProducts(const WindowKernels<T>& kernels, const Products& products) : kernels_(kernels) {
    int64_t packed = 0;
    double work = 0;
    for (const auto& product : products) {
      const WindowShape& s = product->shape;
      const int64_t panels = kernels_.panels(s);
      this->rows += s.positions();
      this->columns = s.columns;
      if (s.positions() == 0 || panels == 0) continue;
      Piece piece{product, this->chunks, 1, 1, 1, panels_, panels, packed};
      const int64_t wanted = wanted_chunks(work_of(s));
      piece.row_parts = std::clamp<int64_t>(s.positions() / least_rows, 1, wanted);
      piece.row_unit = row_unit(s, piece.row_parts);
      piece.panel_parts = std::clamp<int64_t>(wanted / piece.row_parts, 1, panels);
      pieces_.push_back(piece);
      panels_ += panels;
      this->chunks += piece.row_parts * piece.panel_parts;
      packed += (kernels_.packed_size(s) + 15) / 16 * 16;
      this->scratch_bytes = std::max(this->scratch_bytes, kernels_.workspace_bytes(s));
      work += work_of(s);
    }
    constexpr int64_t pack_grain = int64_t{16} * 1024;  // elements
    this->prepare_chunks = std::min(panels_, chunk_count(packed, pack_grain));
    this->shared_bytes = static_cast<size_t>(packed) * sizeof(T);
    this->nanoseconds = nanoseconds_of(work);
    if (!products.empty()) this->remark = algorithm_of(products.front()->shape);
  }

  void bake(const T* b) override {
    baked_.allocate(this->shared_bytes);
    const ProductMemory<T> memory{.b = b, .shared = baked_.data()};
    for (int64_t chunk = 0; chunk < this->prepare_chunks; ++chunk) prepare(chunk, memory);
    this->prepare_chunks = 0;
    this->shared_bytes = 0;
  }

  void prepare(int64_t chunk, const ProductMemory<T>& memory) const override {
    const int64_t end = chunk_begin(panels_, this->prepare_chunks, chunk + 1);
    for (int64_t panel = chunk_begin(panels_, this->prepare_chunks, chunk); panel < end; ++panel) {
      const Piece& piece = piece_of(&Piece::first_panel, panel);
      kernels_.pack(piece.product->shape, memory.b, panel - piece.first_panel, 1,
                    static_cast<T*>(memory.shared) + piece.packed);
    }
  }

  void finish(int64_t chunk, const ProductMemory<T>& memory) const override {
    const Part part = part_of(chunk);
    const WindowShape& shape = part.piece.product->shape;
    kernels_.run({.shape = &shape,
                  .data = memory.a,
                  .packed = static_cast<const T*>(baked_.empty() ? memory.shared : baked_.data()) + part.piece.packed,
                  .result = memory.result,
                  .row = part.rows.begin,
                  .rows = part.rows.size,
                  .panel = part.panels.begin,
                  .panels = part.panels.size,
                  .epilogue = memory.epilogue},
                 memory.scratch);
  }

  [[nodiscard]] ProductTraffic traffic(int64_t chunk) const override {
    const Part part = part_of(chunk);
    const WindowShape& shape = part.piece.product->shape;
    const int64_t data = shape.batch * shape.data_image / static_cast<int64_t>(pieces_.size());
    ProductTraffic traffic;
    if (part.panels.begin == 0) traffic.read += data * part.rows.size / shape.positions();
    if (part.rows.begin == 0)
      traffic.read += shape.depth() * shape.group_columns() * part.panels.size / part.piece.panels * shape.groups;
    traffic.made = part.rows.size * shape.columns * part.panels.size / part.piece.panels;
    return traffic;
  }

 private:
  /// The piece whose range of chunks or panels holds `i`.
  [[nodiscard]] const Piece& piece_of(int64_t Piece::*first, int64_t i) const {
    const auto after = std::upper_bound(pieces_.begin(), pieces_.end(), i,
                                        [&](int64_t value, const Piece& piece) { return value < piece.*first; });
    return *std::prev(after);
  }

  struct Part {
    const Piece& piece;
    GemmRange rows, panels;
  };
  [[nodiscard]] Part part_of(int64_t chunk) const {
    const Piece& piece = piece_of(&Piece::first_chunk, chunk);
    const int64_t i = chunk - piece.first_chunk, positions = piece.product->shape.positions();
    const int64_t row = i / piece.panel_parts, panel = i % piece.panel_parts;
    const int64_t units = chunk_count(positions, piece.row_unit);
    const int64_t begin = chunk_begin(units, piece.row_parts, row) * piece.row_unit;
    const int64_t end = std::min(positions, chunk_begin(units, piece.row_parts, row + 1) * piece.row_unit);
    return {piece,
            {begin, end - begin},
            {chunk_begin(piece.panels, piece.panel_parts, panel), chunk_size(piece.panels, piece.panel_parts, panel)}};
  }

  const WindowKernels<T>& kernels_;
  std::vector<Piece> pieces_;
  int64_t panels_ = 0;
  ProductBuffer baked_;  // the packed weights, if they never change
};

std::vector<int64_t> kernel_of(const std::vector<int64_t>& weights) { return {weights.begin(), weights.end() - 2}; }

// ---- the gradient of the weights

template <class T>
struct WeightGradientParams : WeightGradientParts {
  const WindowKernels<T>* kernels;
  std::shared_ptr<const OwnedWindowShape> product;
  WindowGradientShape shape;
  int64_t rows = 0, chunks = 0;  // of the result; of positions
  int64_t row_parts = 1;
};

template <class T>
void run_weight_gradient(const KernelCall& call) {
  const auto& params = *static_cast<const WeightGradientParams<T>*>(call.params);
  const int64_t depth = call.chunk / params.row_parts, part = call.chunk % params.row_parts;
  const int64_t row = chunk_begin(params.rows, params.row_parts, part);
  const int64_t chunk = chunk_begin(params.chunks, params.depths, depth);
  const WindowShape& s = params.shape.window;
  const int64_t chunks = chunk_begin(params.chunks, params.depths, depth + 1) - chunk;
  const int64_t read = part != 0 ? 0 : s.batch * s.data_image + s.positions() * s.columns;
  constexpr int64_t size = sizeof(T);
  call.count(read * chunks / std::max<int64_t>(1, params.chunks) * size,
             params.depths == 1 ? params.size / params.row_parts * size : 0);
  params.kernels->gradient({.shape = &params.shape,
                            .data = static_cast<const T*>(call.inputs[0]),
                            .gradient = static_cast<const T*>(call.inputs[1]),
                            .result = params.template result_of<T>(depth, call),
                            .row = row,
                            .rows = chunk_begin(params.rows, params.row_parts, part + 1) - row,
                            .chunk = chunk,
                            .chunks = chunks},
                           call.scratch);
}

/// Positions whose products are summed before they are added to those of others.
int64_t positions_of_chunk(const WindowShape& s) {
  const int64_t row = s.axes[kWindowAxes - 1].count;
  if (s.square_windows) {  // blocks of up to 4 rows
    const int64_t block = std::max<int64_t>(1, 4 * row);
    return chunk_count(kDepthwiseChunk, block) * block;
  }
  if (s.depthwise) return kDepthwiseChunk;
  constexpr int64_t copied = 128, packed = int64_t{32} * 1024, least = 64;
  if (s.copies_windows) return copied;
  // The gradient of a chunk is packed: no more than a part of an L2 cache. Whole rows of positions, if they are short.
  const int64_t most = std::clamp(packed / std::max<int64_t>(1, s.group_columns()), least, kGemmChunk);
  return row == 0 || row > most ? most : most / row * row;
}

template <class T>
KernelPlan plan_weight_gradient(const KernelRequest& request, const ConvolutionSizes& sizes) {
  KernelPlan plan;
  auto params = std::make_shared<WeightGradientParams<T>>();
  params->kernels = &kernels_of<T>(request);
  params->product = forward_products(sizes).front();
  params->shape.window = params->product->shape;
  const WindowShape& s = params->shape.window;
  params->rows = s.depth();
  params->size = params->rows * s.columns;
  params->element_size = sizeof(T);
  if (params->size == 0) return plan;
  params->shape.positions_of_chunk = positions_of_chunk(s);
  params->chunks = s.positions() == 0 ? 0 : chunk_count(s.positions(), params->shape.positions_of_chunk);

  constexpr int64_t least_rows_of_part = 48;
  const int64_t wanted = wanted_chunks(work_of(s));
  params->choose_depths(std::min(wanted, params->chunks));
  params->row_parts = std::clamp<int64_t>(params->rows / least_rows_of_part, 1, wanted / params->depths);
  plan.scratch_bytes = params->kernels->gradient_workspace_bytes(params->shape);
  plan.steps = {{run_weight_gradient<T>, params->row_parts * params->depths}};
  params->add_combination(request, plan);
  plan.nanoseconds = nanoseconds_of(work_of(s));
  plan.remark = algorithm_of(s);
  plan.params = std::move(params);
  return plan;
}

template <class T>
std::shared_ptr<FusibleProduct<T>> window_products(const KernelRequest& request) {
  const std::vector<int64_t> kernel = kernel_of(request.input_sizes(1));
  const bool is_forward = !request.attributes().has("shape");
  const ConvolutionSizes sizes =
      is_forward ? convolution_sizes(request.attributes(), request.input_sizes(0), request.output_sizes(), kernel)
                 : convolution_sizes(request.attributes(), request.output_sizes(), request.input_sizes(0), kernel);
  return std::make_shared<WindowProducts<T>>(kernels_of<T>(request),
                                             is_forward ? forward_products(sizes) : data_gradient_products(sizes));
}

std::shared_ptr<FusibleProduct<float>> product_f32(const KernelRequest& request) {
  return request.attributes().has("algorithm") ? winograd_product(request) : window_products<float>(request);
}

/// The columns of a group must begin where an epilogue can.
bool is_in_order(const Graph& graph, const Node& node) {
  const int64_t groups = node.attributes.get<int64_t>("groups"), columns = node.outputs[0].shape[-1].value();
  const bool is_depthwise =
      groups == columns && graph.node(node.inputs[0].node).outputs[0].shape[-1].value() == columns;
  return groups == 1 || is_depthwise || columns / groups % kNarrowestProduct == 0;
}

/// With strides it is several products, whose rows lie between each other.
bool data_gradient_is_in_order(const Graph& graph, const Node& node) {
  const auto& strides = node.attributes.get<std::vector<int64_t>>("strides");
  return std::all_of(strides.begin(), strides.end(), [](int64_t stride) { return stride == 1; }) &&
         is_in_order(graph, node);
}

template <bool ByRow>
WeightChannels channels(const Node& node, const std::vector<int64_t>& sizes) {
  return {sizes[sizes.size() - 2], sizes.back(), ByRow, node.attributes.get<int64_t>("groups")};
}

}  // namespace

void WeightGradientParts::choose_depths(int64_t most) {
  constexpr int64_t most_bytes = int64_t{2} << 20;
  while (2 * depths <= most && 2 * depths * size * static_cast<int64_t>(element_size) <= most_bytes) depths *= 2;
}

void WeightGradientParts::add_combination(const KernelRequest& request, KernelPlan& plan) {
  if (depths == 1) return;
  plan.shared_bytes = static_cast<size_t>(depths * size) * element_size;
  combine = request.pick(baseline::sum_kernels, avx2::sum_kernels, avx512::sum_kernels)
                .loops[static_cast<size_t>(request.output().dtype)]
                .combine;
  const auto run = [](const KernelCall& call) {
    const auto& parts = *static_cast<const WeightGradientParts*>(call.params);
    const int64_t begin = chunk_begin(parts.size, call.chunks, call.chunk),
                  end = chunk_begin(parts.size, call.chunks, call.chunk + 1);
    parts.combine({.width = parts.size, .parts = parts.depths}, call.shared, call.outputs[0], begin, end);
    call.count(0, (end - begin) * static_cast<int64_t>(parts.element_size));
  };
  plan.steps.push_back({run, chunk_count(size, 8192), this});
}

const ProductTable convolution_table{
    .f32 = product_f32, .f64 = window_products<double>, .is_in_order = is_in_order, .channels = channels<false>};
const ProductTable convolution_data_gradient_table{.f32 = product_f32,
                                                   .f64 = window_products<double>,
                                                   .is_in_order = data_gradient_is_in_order,
                                                   .channels = channels<true>};

KernelPlan plan_convolution_weight_gradient(const KernelRequest& request) {
  if (request.attributes().has("algorithm")) return plan_winograd_weight_gradient(request);
  const ConvolutionSizes sizes = convolution_sizes(request.attributes(), request.input_sizes(0), request.input_sizes(1),
                                                   kernel_of(request.output_sizes()));
  return request.output().dtype == DType::f64 ? plan_weight_gradient<double>(request, sizes)
                                              : plan_weight_gradient<float>(request, sizes);
}

}  // namespace gradloom::inline v0
