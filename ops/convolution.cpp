// convolution, and its gradients with respect to data and weights. With Y the convolution of X and W, and G, V of the
// types of Y, W: all three of <G, conv(X, W)> = <X, data(G, W)> = <W, weights(X, G)> are equal for any X, W and G,
// since the op is linear in each operand. So every gradient is one of the three: of data(G, W), for a cotangent H of
// X's type, conv(H, W) and weights(H, G); of weights(X, G), for V, data(G, V) and conv(X, V).
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/convolution.hpp>
#include <gradloom/ops/convolution_internal.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/refuse_internal.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

using Numbers = std::vector<int64_t>;

// ---- shape

/// The settings that all three ops carry, one number of each for every spatial axis.
struct Windows {
  const Numbers &strides, &dilations, &low, &high;
  int64_t groups;
};

Windows windows_of(const ShapeContext& context, int axes) {
  const Attributes& attributes = context.attributes();
  const auto numbers = [&](const char* name, int64_t least) -> const Numbers& {
    const auto& list = attributes.get<Numbers>(name);
    if (static_cast<int>(list.size()) != axes)
      context.fail(fmt::format("{} has {} numbers for {} spatial axes", name, list.size(), axes));
    for (const int64_t number : list) {
      if (number < least) context.fail(fmt::format("{} has {}; the least is {}", name, number, least));
    }
    return list;
  };
  const int64_t groups = attributes.get<int64_t>("groups");
  if (groups < 1) context.fail(fmt::format("groups is {}; the least is 1", groups));
  return {numbers("strides", 1), numbers("dilations", 1), numbers("low", 0), numbers("high", 0), groups};
}

/// Checks ranks and dtypes of both operands. Returns the number of spatial axes.
int check_operands(const ShapeContext& context) {
  const int rank = context.shape(0).rank();
  for (int i = 0; i < 2; ++i) {
    const int own = context.shape(i).rank();
    if (own < 3 || own > 2 + kWindowAxes)
      context.fail(fmt::format("{} has {} axes, not 3 to {}", context.op().inputs[static_cast<size_t>(i)], own,
                               2 + kWindowAxes));
  }
  if (rank != context.shape(1).rank())
    context.fail(fmt::format("the operands have {} and {} axes", rank, context.shape(1).rank()));
  if (context.dtype(0) != context.dtype(1)) context.fail("the dtypes differ");
  if (!is_float(context.dtype(0)))
    context.fail("it takes f32 and f64, not " + std::string(to_string(context.dtype(0))));
  return rank - 2;
}

/// How many windows fit along a spatial axis.
Dim window_count(const ShapeContext& context, const Windows& windows, int axis, const Dim& size, int64_t kernel) {
  const size_t i = static_cast<size_t>(axis);
  if (kernel < 1) context.fail(fmt::format("the kernel has size {} along spatial axis {}", kernel, axis));
  const int64_t reach = (kernel - 1) * windows.dilations[i] + 1, padding = windows.low[i] + windows.high[i];
  if (size.known() && size.value() + padding < reach) {
    context.fail(fmt::format("a window of {} does not fit spatial axis {}, {} elements and {} of padding", reach, axis,
                             size.value(), padding));
  }
  return (size + (padding - reach)) / windows.strides[i] + 1;
}

int64_t kernel_size(const ShapeContext& context, const Shape& weights, int axis) {
  const Dim& size = weights[axis];
  if (!size.known()) context.fail("the kernel's sizes must be numbers, not " + size.to_string());
  return size.value();
}

/// The channels of the data, given those of a group and the op's groups.
void check_channels(const ShapeContext& context, const Windows& windows, const Dim& in, const Dim& group_in,
                    const Dim& out) {
  (void)context.require_equal(in, group_in * windows.groups,
                              windows.groups == 1 ? "the channels" : "the channels and those of all groups");
  if (out.known() && out.value() % windows.groups != 0)
    context.fail(fmt::format("{} channels of the result cannot be cut into {} groups", out.value(), windows.groups));
}

std::vector<TensorType> shape(const ShapeContext& context) {
  const int axes = check_operands(context);
  const Windows windows = windows_of(context, axes);
  const Shape &x = context.shape(0), &w = context.shape(1);
  check_channels(context, windows, x[-1], w[-2], w[-1]);
  std::vector<Dim> dims{x[0]};
  for (int axis = 0; axis < axes; ++axis)
    dims.push_back(window_count(context, windows, axis, x[axis + 1], kernel_size(context, w, axis)));
  dims.push_back(w[-1]);
  return {{context.dtype(0), Shape(std::move(dims))}};
}

/// Checks that the gradient's spatial sizes are those of a convolution's result.
void check_windows(const ShapeContext& context, const Windows& windows, const Shape& gradient, int axis,
                   const Dim& size, int64_t kernel) {
  (void)context.require_equal(gradient[axis + 1], window_count(context, windows, axis, size, kernel),
                              fmt::format("the gradient's size and the number of windows along spatial axis {}", axis));
}

std::vector<TensorType> data_gradient_shape(const ShapeContext& context) {
  const int axes = check_operands(context);
  const Windows windows = windows_of(context, axes);
  const Shape &g = context.shape(0), &w = context.shape(1), &spatial = context.attributes().get<Shape>("shape");
  if (spatial.rank() != axes) context.fail(fmt::format("shape has {} sizes for {} spatial axes", spatial.rank(), axes));
  (void)context.require_equal(g[-1], w[-1], "the channels of gradient and weights");
  const Dim in = w[-2] * windows.groups;
  check_channels(context, windows, in, w[-2], w[-1]);
  std::vector<Dim> dims{g[0]};
  for (int axis = 0; axis < axes; ++axis) {
    if (spatial[axis].known() && spatial[axis].value() < 0)
      context.fail(fmt::format("spatial axis {} would get size {}", axis, spatial[axis].value()));
    check_windows(context, windows, g, axis, spatial[axis], kernel_size(context, w, axis));
    dims.push_back(spatial[axis]);
  }
  dims.push_back(in);
  return {{context.dtype(0), Shape(std::move(dims))}};
}

std::vector<TensorType> weight_gradient_shape(const ShapeContext& context) {
  const int axes = check_operands(context);
  const Windows windows = windows_of(context, axes);
  const Shape &x = context.shape(0), &g = context.shape(1);
  const auto& kernel = context.attributes().get<Numbers>("kernel");
  if (static_cast<int>(kernel.size()) != axes)
    context.fail(fmt::format("kernel has {} numbers for {} spatial axes", kernel.size(), axes));
  (void)context.require_equal(x[0], g[0], "the batch sizes");
  std::vector<Dim> dims;
  for (int axis = 0; axis < axes; ++axis) {
    const int64_t size = kernel[static_cast<size_t>(axis)];
    check_windows(context, windows, g, axis, x[axis + 1], size);
    dims.emplace_back(size);
  }
  if (x[-1].known() && x[-1].value() % windows.groups != 0)
    context.fail(fmt::format("{} channels of the data cannot be cut into {} groups", x[-1].value(), windows.groups));
  dims.push_back(x[-1] / windows.groups);
  check_channels(context, windows, x[-1], dims.back(), g[-1]);
  dims.push_back(g[-1]);
  return {{context.dtype(0), Shape(std::move(dims))}};
}

// ---- gradient

Numbers kernel_of(const Tensor& weights) {
  Numbers kernel;
  for (int axis = 0; axis + 2 < weights.rank(); ++axis) kernel.push_back(weights.dim(axis).value());
  return kernel;
}

Attributes settings_of(const Attributes& attributes) {
  Attributes settings;
  for (const char* name : {"strides", "dilations", "low", "high"}) settings.set(name, attributes.get<Numbers>(name));
  settings.set("groups", attributes.get<int64_t>("groups"));
  return settings;
}

Tensor forward(const Vjp& v, const Tensor& x, const Tensor& w) {
  return v.graph().add(convolution_def, std::array{x, w}, settings_of(v.attributes()), v.node().location);
}

Tensor to_data(const Vjp& v, const Tensor& g, const Tensor& w, const Tensor& x) {
  Attributes attributes = settings_of(v.attributes());
  const std::vector<Dim>& dims = x.shape().dims();
  attributes.set("shape", Shape(std::vector<Dim>(dims.begin() + 1, dims.end() - 1)));
  return v.graph().add(convolution_data_gradient_def, std::array{g, w}, std::move(attributes), v.node().location);
}

Tensor to_weights(const Vjp& v, const Tensor& x, const Tensor& g, const Tensor& w) {
  Attributes attributes = settings_of(v.attributes());
  attributes.set("kernel", kernel_of(w));
  return v.graph().add(convolution_weight_gradient_def, std::array{x, g}, std::move(attributes), v.node().location);
}

Gradients vjp(const Vjp& v) {
  const Tensor x = v.input(0), w = v.input(1), g = v.cotangent();
  return {to_data(v, g, w, x), to_weights(v, x, g, w)};
}

Gradients data_gradient_vjp(const Vjp& v) {
  const Tensor g = v.input(0), w = v.input(1), x = v.cotangent();
  return {forward(v, x, w), to_weights(v, x, g, w)};
}

Gradients weight_gradient_vjp(const Vjp& v) {
  const Tensor x = v.input(0), g = v.input(1), w = v.cotangent();
  return {to_data(v, g, w, x), forward(v, x, w)};
}

// ---- simplify: windows of one element, side by side, are rows of a matrix product (the gradient of the weights is as
// fast as it is)

bool is_matmul(const Node& node, std::span<const Tensor> inputs, const Numbers& kernel) {
  const Attributes& attributes = node.attributes;
  const auto all = [](const Numbers& numbers, int64_t value) {
    return std::all_of(numbers.begin(), numbers.end(), [&](int64_t number) { return number == value; });
  };
  return inputs[0].shape().known() && all(kernel, 1) && all(attributes.get<Numbers>("strides"), 1) &&
         all(attributes.get<Numbers>("low"), 0) && all(attributes.get<Numbers>("high"), 0) &&
         attributes.get<int64_t>("groups") == 1;
}

Tensor simplify(Graph&, const Node& node, std::span<const Tensor> inputs) {
  if (!is_matmul(node, inputs, kernel_of(inputs[1]))) return {};
  const Tensor& w = inputs[1];
  return matmul(inputs[0], reshape(w, {w.dim(-2), w.dim(-1)}));
}

Tensor simplify_data_gradient(Graph&, const Node& node, std::span<const Tensor> inputs) {
  if (!is_matmul(node, inputs, kernel_of(inputs[1]))) return {};
  const Tensor& w = inputs[1];
  return matmul(inputs[0], reshape(w, {w.dim(-2), w.dim(-1)}), {.transpose_b = true});
}

// ---- samples: [n, size, channels] and so on; each op sees the same convolutions from another side

struct Case {
  Numbers data, result, weights;
  Numbers strides, dilations, low, high;
  int64_t groups = 1;

  [[nodiscard]] Attributes settings() const {
    return {{"strides", strides}, {"dilations", dilations}, {"low", low}, {"high", high}, {"groups", groups}};
  }
};

std::vector<Case> cases() {
  return {{{2, 5, 2}, {2, 4, 3}, {2, 2, 3}, {1}, {1}, {0}, {0}},
          {{1, 5, 2}, {1, 3, 2}, {3, 1, 2}, {2}, {1}, {1}, {1}, 2},
          {{1, 4, 5, 1}, {1, 4, 5, 2}, {3, 3, 1, 2}, {1, 1}, {1, 1}, {1, 1}, {1, 1}},
          {{1, 5, 6, 4}, {1, 2, 3, 2}, {2, 3, 2, 2}, {3, 2}, {1, 2}, {0, 2}, {1, 1}, 2},
          {{2, 3, 3, 2}, {2, 1, 2, 4}, {1, 1, 2, 4}, {4, 2}, {1, 1}, {0, 0}, {0, 0}},
          {{1, 2, 3, 3, 1}, {1, 1, 3, 2, 2}, {2, 1, 2, 1, 2}, {1, 1, 2}, {1, 1, 1}, {0, 0, 1}, {0, 0, 0}},
          {{0, 3, 3, 2}, {0, 2, 2, 3}, {2, 2, 2, 3}, {1, 1}, {1, 1}, {0, 0}, {0, 0}},
          {{1, 3, 0}, {1, 2, 2}, {2, 0, 2}, {1}, {1}, {0}, {0}}};
}

std::vector<Sample> samples() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) samples.push_back({.inputs = {{c.data}, {c.weights}}, .attributes = c.settings()});
  return samples;
}

std::vector<Sample> data_gradient_samples() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    Attributes attributes = c.settings();
    attributes.set("shape", Shape(std::span(c.data).subspan(1, c.data.size() - 2)));
    samples.push_back({.inputs = {{c.result}, {c.weights}}, .attributes = std::move(attributes)});
  }
  return samples;
}

std::vector<Sample> weight_gradient_samples() {
  std::vector<Sample> samples;
  for (const Case& c : cases()) {
    Attributes attributes = c.settings();
    attributes.set("kernel", Numbers(c.weights.begin(), c.weights.end() - 2));
    samples.push_back({.inputs = {{c.data}, {c.result}}, .attributes = std::move(attributes)});
  }
  return samples;
}

// ---- options

/// Refuses a call on behalf of a function of two Tensors.
class Call {
 public:
  Call(const OpDef& op, std::span<const Tensor> operands, SourceLocation location)
      : op_(op), operands_(operands), location_(location) {}

  [[noreturn]] void fail(const std::string& problem) const { refuse(op_, operands_, problem, location_); }
  [[nodiscard]] int axes() const { return operands_[0].rank() - 2; }

  /// One number for each spatial axis.
  [[nodiscard]] Numbers numbers(const char* name, const Numbers& given, int64_t fallback) const {
    const size_t count = static_cast<size_t>(std::max(axes(), 0));
    if (given.empty()) return Numbers(count, fallback);
    if (given.size() == 1) return Numbers(count, given[0]);
    if (given.size() != count) fail(fmt::format("{} has {} numbers for {} spatial axes", name, given.size(), count));
    return given;
  }

 private:
  const OpDef& op_;
  std::span<const Tensor> operands_;
  SourceLocation location_;
};

/// What is not right about the operands is left to the shape rule, which sees as many zeros as there are axes.
bool can_be_padded(std::span<const Tensor> operands) {
  const int rank = operands[0].rank();
  if (rank < 3 || rank != operands[1].rank()) return false;
  for (int axis = 0; axis + 2 < rank; ++axis) {
    if (!operands[1].dim(axis).known()) return false;
  }
  return true;
}

struct Sides {
  Numbers low, high;
};

/// `same` padding so that windows are ceil(size / stride); `transposed` ones are made from `size` windows.
Sides sides_of(const Call& call, std::span<const Tensor> operands, const Padding& padding, const Numbers& strides,
               const Numbers& dilations, bool transposed) {
  Sides sides{call.numbers("padding", padding.low(), 0), call.numbers("padding", padding.high(), 0)};
  if (padding.given() || padding.rule() == Pad::valid || !can_be_padded(operands)) return sides;
  for (size_t i = 0; i < sides.low.size(); ++i) {
    const int axis = static_cast<int>(i);
    const Dim& size = operands[0].dim(axis + 1);
    const int64_t reach = (operands[1].dim(axis).value() - 1) * dilations[i] + 1,
                  stride = std::max<int64_t>(1, strides[i]);
    int64_t last = stride;  // how far the last window begins before the end of the data, rounded up
    if (stride > 1 && !transposed) {
      if (!size.known())
        call.fail(fmt::format("the padding of spatial axis {} depends on its size, {}, for stride {}", axis,
                              size.to_string(), stride));
      last = size.value() % stride == 0 ? stride : size.value() % stride;
    }
    const int64_t total = std::max<int64_t>(0, reach - last);
    sides.low[i] = total / 2;
    sides.high[i] = total - total / 2;
  }
  return sides;
}

Attributes attributes_of(const Numbers& strides, const Numbers& dilations, const Sides& sides, int64_t groups) {
  return {{"strides", strides}, {"dilations", dilations}, {"low", sides.low}, {"high", sides.high}, {"groups", groups}};
}

/// Both operands as floats of one dtype.
std::array<Tensor, 2> operands_of(const OpDef& op, const Operand& x, const Operand& w) {
  std::array<Tensor, 2> operands{x.tensor(), w.tensor()};
  if (w.is_number()) (void)x.tensor().graph().add(op, operands, {}, x.location());  // complains
  const DType dtype = promote(promote(operands[0].dtype(), operands[1].dtype()), DType::f32);
  for (Tensor& operand : operands) operand = cast(operand, dtype);
  return operands;
}

}  // namespace

const OpDef convolution_def{
    .name = "convolution",
    .inputs = {"x", "weights"},
    .rule = "convolution needs x [batch, spatial..., in] and weights [kernel..., in / groups, out]",
    .shape = shape,
    .vjp = vjp,
    .product = &convolution_table,
    .plan = plan_product,
    .simplify = simplify,
    .samples = samples};

const OpDef convolution_data_gradient_def{
    .name = "convolution_data_gradient",
    .inputs = {"gradient", "weights"},
    .rule =
        "convolution_data_gradient needs gradient [batch, windows..., out] and weights [kernel..., in / groups, out]",
    .shape = data_gradient_shape,
    .vjp = data_gradient_vjp,
    .product = &convolution_data_gradient_table,
    .plan = plan_product,
    .simplify = simplify_data_gradient,
    .samples = data_gradient_samples};

const OpDef convolution_weight_gradient_def{
    .name = "convolution_weight_gradient",
    .inputs = {"x", "gradient"},
    .rule = "convolution_weight_gradient needs x [batch, spatial..., in] and gradient [batch, windows..., out]",
    .shape = weight_gradient_shape,
    .vjp = weight_gradient_vjp,
    .plan = plan_convolution_weight_gradient,
    .samples = weight_gradient_samples};

Tensor convolution(const Operand& x, const Operand& w, const ConvolutionOptions& options) {
  const SourceScope scope(x, "convolution");
  const std::array<Tensor, 2> operands = operands_of(convolution_def, x, w);
  const Call call(convolution_def, operands, x.location());
  const Numbers strides = call.numbers("strides", options.strides, 1);
  const Numbers dilations = call.numbers("dilations", options.dilations, 1);
  const Sides sides = sides_of(call, operands, options.padding, strides, dilations, false);
  return operands[0].graph().add(convolution_def, operands, attributes_of(strides, dilations, sides, options.groups),
                                 x.location());
}

Tensor conv_transpose(const Operand& x, const Operand& w, const ConvTransposeOptions& options) {
  const SourceScope scope(x, "conv_transpose");
  const std::array<Tensor, 2> operands = operands_of(convolution_data_gradient_def, x, w);
  static const OpDef op{
      .name = "conv_transpose",
      .inputs = {"x", "weights"},
      .rule = "conv_transpose needs x [batch, spatial..., in] and weights [kernel..., out / groups, in]"};
  const Call call(op, operands, x.location());
  const Numbers strides = call.numbers("strides", options.strides, 1);
  const Numbers dilations = call.numbers("dilations", options.dilations, 1);
  const Numbers more = call.numbers("output_padding", options.output_padding, 0);
  const Sides sides = sides_of(call, operands, options.padding, strides, dilations, true);
  std::vector<Dim> spatial;
  for (size_t i = 0; i < strides.size() && can_be_padded(operands); ++i) {
    const int axis = static_cast<int>(i);
    if (more[i] < 0 || more[i] >= std::max<int64_t>(strides[i], 1))
      call.fail(fmt::format("output_padding has {} where the stride is {}; it must be less", more[i], strides[i]));
    const Dim& size = operands[0].dim(axis + 1);
    const int64_t reach = (operands[1].dim(axis).value() - 1) * dilations[i] + 1;
    const bool same = !options.padding.given() && options.padding.rule() == Pad::same;
    spatial.push_back(same ? size * strides[i] + more[i]
                           : (size - 1) * strides[i] + (reach - sides.low[i] - sides.high[i] + more[i]));
  }
  Attributes attributes = attributes_of(strides, dilations, sides, options.groups);
  attributes.set("shape", Shape(std::move(spatial)));
  return operands[0].graph().add(convolution_data_gradient_def, operands, std::move(attributes), x.location());
}

}  // namespace gradloom::inline v0
