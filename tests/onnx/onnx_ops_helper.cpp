#include "onnx/onnx_ops_helper.hpp"

#include <gradloom/graph/needed_internal.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/ops/activations.hpp>
#include <gradloom/ops/argreduce.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/classify.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/convolution.hpp>
#include <gradloom/ops/cumulative.hpp>
#include <gradloom/ops/einsum.hpp>
#include <gradloom/ops/erf.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/layer_norm.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/mod.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/rearrange.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/ops/rounding.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/ops/softmax.hpp>
#include <gradloom/ops/sort.hpp>
#include <gradloom/ops/trigonometric.hpp>
#include <gradloom/ops/where.hpp>
#include <gradloom/runtime/program.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace gradloom::test::onnx {

namespace {

using Ints = std::vector<int64_t>;
using Tensors = std::vector<Tensor>;

DType dtype_of_code(int64_t code) {
  switch (code) {
    case 1:
      return DType::f32;
    case 2:
      return DType::u8;
    case 6:
      return DType::i32;
    case 7:
      return DType::i64;
    case 9:
      return DType::boolean;
    case 11:
      return DType::f64;
    default:
      throw NoCounterpart{"a dtype"};
  }
}

Tensor constant_of(Graph& g, const Array& value) {
  return constant(g, value.dtype(), value.sizes(), {static_cast<const std::byte*>(value.raw()), value.byte_size()},
                  SourceLocation::current());
}

Shape shape_of(const Ints& sizes) { return Shape(std::span<const int64_t>(sizes)); }

/// Those of the inputs that the Tensors depend on: a run takes no others.
Batch needed_of(const Graph& graph, std::span<const Tensor> tensors, const Batch& given) {
  const std::vector<bool> needed = needed_nodes(graph, tensors);
  Batch batch;
  for (const Tensor& input : graph.inputs()) {
    if (needed[static_cast<size_t>(input.node_id())]) batch.set(input.name(), *given.find(input.name()));
  }
  return batch;
}

/// A node being converted: its inputs as Tensors, its attributes with their defaults.
class Call {
 public:
  Call(const Node& of, Tensors inputs, int64_t version, Graph& building, const Batch& given)
      : node(of), in(std::move(inputs)), opset(version), graph(building), given_(given) {}

  [[nodiscard]] bool has(size_t i) const { return i < in.size() && in[i].valid(); }
  [[nodiscard]] const Tensor& x() const { return in[0]; }
  [[nodiscard]] const Attribute* attribute(const char* name) const {
    const auto found = node.attributes.find(name);
    return found == node.attributes.end() ? nullptr : &found->second;
  }
  [[nodiscard]] int64_t i(const char* name, int64_t otherwise) const {
    return attribute(name) ? attribute(name)->i : otherwise;
  }
  [[nodiscard]] double f(const char* name, double otherwise) const {
    return attribute(name) ? static_cast<double>(attribute(name)->f) : otherwise;
  }
  [[nodiscard]] std::string s(const char* name, const char* otherwise) const {
    return attribute(name) ? attribute(name)->s : otherwise;
  }
  [[nodiscard]] Ints ints(const char* name, Ints otherwise = {}) const {
    return attribute(name) ? attribute(name)->ints : otherwise;
  }
  /// The value of a Tensor, for what Gradloom takes as a number.
  [[nodiscard]] Array value(const Tensor& tensor) const {
    State state;
    return compile({.outputs = {tensor}, .optimize = Optimize::none})
        .run(state, needed_of(graph, {&tensor, 1}, given_))[0];
  }
  [[nodiscard]] Ints ints_of(size_t k) const {
    const Tensor wide = cast(in[k], DType::i64);
    return value(wide).to_vector<int64_t>();
  }
  /// An attribute that later versions made an input.
  [[nodiscard]] Ints ints_or_input(const char* name, size_t k, Ints otherwise = {}) const {
    return has(k) ? ints_of(k) : ints(name, std::move(otherwise));
  }
  [[nodiscard]] int axis(const char* name, int64_t otherwise) const {
    const int64_t given = i(name, otherwise);
    return static_cast<int>(given < 0 ? given + x().rank() : given);
  }

  const Node& node;
  Tensors in;
  int64_t opset;
  Graph& graph;

 private:
  const Batch& given_;
};

// ---- families

Tensor add(const Operand& a, const Operand& b) { return a + b; }
Tensor sub(const Operand& a, const Operand& b) { return a - b; }
Tensor mul(const Operand& a, const Operand& b) { return a * b; }
Tensor div(const Operand& a, const Operand& b) { return a / b; }
Tensor neg(const Operand& a) { return -a; }

template <Tensor (*f)(const Operand&)>
Tensors unary(Call& c) {
  return {f(c.x())};
}

/// The second operand aligned as the opsets up to 6 did.
Tensor aligned(const Call& c) {
  Tensor b = c.in[1];
  if (c.opset >= 7 || c.i("broadcast", 0) == 0 || c.attribute("axis") == nullptr) return b;
  for (int missing = c.x().rank() - c.axis("axis", 0) - b.rank(); missing > 0; --missing) b = expand_dims(b, -1);
  return b;
}

template <Tensor (*f)(const Operand&, const Operand&)>
Tensors binary(Call& c) {
  return {f(c.x(), aligned(c))};
}

template <Tensor (*f)(const Operand&, const Operand&)>
Tensors folded(Call& c) {
  Tensor all = c.x();
  for (size_t k = 1; k < c.in.size(); ++k) all = f(all, c.in[k]);
  return {all};
}

template <class F>
Tensors reduced(Call& c, F f) {
  ReduceOptions options{.axes = c.ints_or_input("axes", 1), .keepdims = c.i("keepdims", 1) != 0};
  if (options.axes.empty() && c.i("noop_with_empty_axes", 0) != 0) return {c.x()};
  return {f(c.x(), options)};
}

template <Tensor (*f)(const Operand&, const ArgReduceOptions&)>
Tensors arg_reduced(Call& c) {
  const int axis = c.axis("axis", 0);
  const ArgReduceOptions options{.axis = axis, .keepdims = c.i("keepdims", 1) != 0};
  if (c.i("select_last_index", 0) == 0) return {f(c.x(), options)};
  return {c.x().dim(axis).value() - 1 - f(flip(c.x(), {axis}), options)};
}

/// Over the last axes from `axis` on, as one, up to opset 12.
template <Tensor (*f)(const Operand&, int)>
Tensors softmax_like(Call& c) {
  if (c.opset >= 13) return {f(c.x(), c.axis("axis", -1))};
  const int axis = c.axis("axis", 1);
  Dim rows = 1;
  for (int k = 0; k < axis; ++k) rows = rows * c.x().dim(k);
  const Tensor flat = reshape(c.x(), {rows, c.x().rank() == 0 ? Dim(1) : Dim(-1)});
  return {reshape(f(flat, -1), c.x().shape())};
}

// ---- movement

Ints sizes_of(const Tensor& x) { return x.shape().sizes(); }

Tensors reshaped(Call& c) {
  Ints sizes = c.ints_or_input("shape", 1);
  for (size_t k = 0; k < sizes.size(); ++k) {
    if (sizes[k] == 0 && c.i("allowzero", 0) == 0) sizes[k] = c.x().dim(static_cast<int>(k)).value();
  }
  return {reshape(c.x(), shape_of(sizes))};
}

Tensors flattened(Call& c) {
  const int axis = c.axis("axis", 1);
  Dim rows = 1, columns = 1;
  for (int k = 0; k < c.x().rank(); ++k) (k < axis ? rows : columns) = (k < axis ? rows : columns) * c.x().dim(k);
  return {reshape(c.x(), {rows, columns})};
}

Tensors unsqueezed(Call& c) {
  Ints axes = c.ints_or_input("axes", 1);
  const int64_t rank = c.x().rank() + static_cast<int64_t>(axes.size());
  for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::sort(axes.begin(), axes.end());
  Tensor y = c.x();
  for (const int64_t axis : axes) y = expand_dims(y, static_cast<int>(axis));
  return {y};
}

Tensors sliced(Call& c) {
  const Ints starts = c.ints_or_input("starts", 1), ends = c.ints_or_input("ends", 2);
  Ints axes = c.ints_or_input("axes", 3), steps = c.has(4) ? c.ints_of(4) : Ints(starts.size(), 1);
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), int64_t{0});
  }
  std::vector<Range> ranges(static_cast<size_t>(c.x().rank()));
  for (size_t k = 0; k < axes.size(); ++k) {
    const int64_t axis = axes[k] < 0 ? axes[k] + c.x().rank() : axes[k], n = sizes_of(c.x())[static_cast<size_t>(axis)];
    // Bounds beyond the axis are cut, as in NumPy; Gradloom's are not.
    const int64_t low = steps[k] > 0 ? 0 : -1, high = steps[k] > 0 ? n : n - 1;
    const auto cut = [&](int64_t at) { return std::clamp(at < 0 ? at + n : at, low, high); };
    const int64_t start = cut(starts[k]), stop = cut(ends[k]), step = steps[k];
    if (step > 0) {
      ranges[static_cast<size_t>(axis)] = {start, std::max(start, stop), step};
    } else {
      ranges[static_cast<size_t>(axis)] = {start, stop < 0 ? Dim(Range::open) : Dim(stop), step};
    }
  }
  return {slice(c.x(), ranges)};
}

Tensors split_up(Call& c) {
  const int axis = c.axis("axis", 0);
  const Ints sizes = c.ints_or_input("split", 1);
  if (sizes.empty()) return split(c.x(), static_cast<int>(c.node.outputs.size()), axis);
  return split_sizes(c.x(), shape_of(sizes), axis);
}

Tensors padded(Call& c) {
  if (c.s("mode", "constant") != "constant") throw NoCounterpart{"Pad by edge or reflection"};
  const Ints pads = c.opset >= 11 ? c.ints_of(1) : c.ints("pads", c.ints("paddings"));
  const auto half = static_cast<std::ptrdiff_t>(pads.size() / 2);
  if (std::any_of(pads.begin(), pads.end(), [](int64_t n) { return n < 0; })) throw NoCounterpart{"negative padding"};
  PadOptions options{.low = shape_of(Ints(pads.begin(), pads.begin() + half)),
                     .high = shape_of(Ints(pads.begin() + half, pads.end()))};
  if (c.has(2)) options.value = c.value(cast(c.in[2], DType::f64)).to_vector<double>()[0];
  if (c.opset < 11) options.value = c.f("value", 0);
  return {pad(c.x(), options)};
}

Tensors expanded(Call& c) {
  const Ints wanted = c.ints_of(1), have = sizes_of(c.x());
  Ints sizes(std::max(wanted.size(), have.size()));
  for (size_t k = 1; k <= sizes.size(); ++k) {
    const int64_t a = k <= wanted.size() ? wanted[wanted.size() - k] : 1,
                  b = k <= have.size() ? have[have.size() - k] : 1;
    sizes[sizes.size() - k] = a == 1 ? b : a;
  }
  return {broadcast(c.x(), shape_of(sizes))};
}

/// Indices from the end made positive.
Tensor from_front(const Tensor& indices, const Dim& size) {
  return where(indices < 0, indices + size.value(), indices);
}

Tensors one_hot_of(Call& c) {
  const int64_t depth = c.ints_of(1)[0];
  const Tensor off_on = c.in[2];
  Tensor hot = one_hot(from_front(cast(c.x(), DType::i64), depth), depth, DType::boolean);
  int64_t axis = c.i("axis", -1);
  if (axis < 0) axis += hot.rank();
  Ints order(static_cast<size_t>(hot.rank() - 1));
  std::iota(order.begin(), order.end(), int64_t{0});
  order.insert(order.begin() + axis, hot.rank() - 1);
  return {where(transpose(hot, order), slice(off_on, 0, {1, 2}), slice(off_on, 0, {0, 1}))};
}

Tensors ranged(Call& c) {
  const auto number = [&](size_t k) { return c.value(cast(c.in[k], DType::f64)).to_vector<double>()[0]; };
  const double start = number(0), step = number(2);
  const auto n = static_cast<int64_t>(std::max(0.0, std::ceil((number(1) - start) / step)));
  return {c.in[0] + iota(c.graph, {n}, 0, c.x().dtype()) * c.in[2]};
}

Tensors like_eye(Call& c) {
  const DType dtype = c.attribute("dtype") ? dtype_of_code(c.i("dtype", 1)) : c.x().dtype();
  const Tensor row = iota(c.graph, {c.x().dim(0), 1}, 0), column = iota(c.graph, {1, c.x().dim(1)}, 1);
  return {cast(equal(row + c.i("k", 0), column), dtype)};
}

Tensors filled(Call& c) {
  const Attribute* value = c.attribute("value");
  const Tensor one = value == nullptr ? constant(c.graph, 0) : reshape(constant_of(c.graph, value->t), {});
  return {broadcast(one, shape_of(c.ints_of(0)))};
}

// ---- products

Tensors gemm(Call& c) {
  Tensor y = matmul(c.x(), c.in[1], {.transpose_a = c.i("transA", 0) != 0, .transpose_b = c.i("transB", 0) != 0});
  if (const double alpha = c.f("alpha", 1); alpha != 1) y = alpha * y;
  if (c.has(2)) y = y + c.f("beta", 1) * c.in[2];
  return {y};
}

/// From [n, c, spatial...] to [n, spatial..., c], and back.
Tensor channels_last(const Tensor& x) {
  Ints order(static_cast<size_t>(x.rank()));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return transpose(x, order);
}
Tensor channels_first(const Tensor& x) {
  Ints order(static_cast<size_t>(x.rank()));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::rotate(order.begin() + 1, order.end() - 1, order.end());
  return transpose(x, order);
}

Padding padding_of(const Call& c) {
  const std::string rule = c.s("auto_pad", "NOTSET");
  if (rule == "SAME_UPPER") return Pad::same;
  if (rule == "SAME_LOWER") throw NoCounterpart{"auto_pad SAME_LOWER"};
  const Ints pads = c.ints("pads");
  if (rule == "VALID" || pads.empty()) return Pad::valid;
  const auto half = static_cast<std::ptrdiff_t>(pads.size() / 2);
  return Padding::sides(Ints(pads.begin(), pads.begin() + half), Ints(pads.begin() + half, pads.end()));
}

Tensors convolved(Call& c) {
  // [out, in / groups, kernel...] -> [kernel..., in / groups, out]
  Ints order(static_cast<size_t>(c.in[1].rank()));
  std::iota(order.begin(), order.end(), int64_t{2});
  order[order.size() - 2] = 1;
  order[order.size() - 1] = 0;
  Tensor y = convolution(channels_last(c.x()), transpose(c.in[1], order),
                         {.strides = c.ints("strides"),
                          .dilations = c.ints("dilations"),
                          .padding = padding_of(c),
                          .groups = c.i("group", 1)});
  if (c.has(2)) y = y + c.in[2];
  return {channels_first(y)};
}

Tensors transposed_convolution(Call& c) {
  if (c.attribute("output_shape") != nullptr) throw NoCounterpart{"ConvTranspose by its output's shape"};
  if (c.s("auto_pad", "NOTSET") != "NOTSET") throw NoCounterpart{"ConvTranspose with auto_pad"};
  // [in, out / groups, kernel...] -> [kernel..., out / groups, in]
  Ints order(static_cast<size_t>(c.in[1].rank()));
  std::iota(order.begin(), order.end(), int64_t{2});
  order[order.size() - 2] = 1;
  order[order.size() - 1] = 0;
  Tensor y = conv_transpose(channels_last(c.x()), transpose(c.in[1], order),
                            {.strides = c.ints("strides"),
                             .dilations = c.ints("dilations"),
                             .padding = padding_of(c),
                             .groups = c.i("group", 1),
                             .output_padding = c.ints("output_padding")});
  if (c.has(2)) y = y + c.in[2];
  return {channels_first(y)};
}

// ---- norms and losses

Tensors layer_normalized(Call& c) {
  const int axis = c.axis("axis", -1);
  const double epsilon = c.f("epsilon", 1e-5);
  Dim rows = 1, columns = 1;
  for (int k = 0; k < c.x().rank(); ++k) (k < axis ? rows : columns) = (k < axis ? rows : columns) * c.x().dim(k);
  const Tensor flat = reshape(c.x(), {rows, columns}), gain = reshape(c.in[1], {columns});
  const Tensor bias = c.has(2) ? reshape(c.in[2], {columns}) : zeros_like(gain);
  std::vector<Dim> kept = c.x().shape().dims();
  for (size_t k = static_cast<size_t>(axis); k < kept.size(); ++k) kept[k] = 1;
  const ReduceOptions over{.axes = {1}};
  return {reshape(layer_norm(flat, gain, bias, epsilon), c.x().shape()), reshape(mean(flat, over), Shape(kept)),
          reshape(rsqrt(variance(flat, over) + epsilon), Shape(kept))};
}

/// The weight of every label's class, and 0 for those to ignore; and the labels, which are then in range.
struct Weighted {
  Tensor labels, weight;
};
Weighted weighted(const Call& c) {
  Tensor labels = c.in[1], weight;
  if (c.attribute("ignore_index") != nullptr) {
    const Tensor counts = not_equal(labels, static_cast<long>(c.i("ignore_index", 0)));
    labels = where(counts, labels, 0);
    weight = cast(counts, c.x().dtype());
  }
  return {labels, weight};
}

nn::Reduction reduction_of(const Call& c) {
  const std::string name = c.s("reduction", "mean");
  return name == "mean" ? nn::Reduction::mean : name == "sum" ? nn::Reduction::sum : nn::Reduction::none;
}

Tensors cross_entropy(Call& c) {
  const Tensor logits = channels_last(c.x());
  const auto [labels, weight] = weighted(c);
  const Tensor loss = nn::softmax_cross_entropy(
      logits, labels,
      {.class_weight = c.has(2) ? c.in[2] : Tensor(), .reduction = reduction_of(c), .sample_weight = weight});
  return {loss, log_softmax(c.x(), 1)};
}

Tensors negative_log_likelihood(Call& c) {
  const auto [labels, mask] = weighted(c);
  Tensor weight = mask;
  if (c.has(2)) {
    const Tensor of_class = gather(c.in[2], labels);
    weight = mask.valid() ? mask * of_class : of_class;
  }
  const Tensor losses = -squeeze(take_along_axis(c.x(), expand_dims(labels, 1), 1), {1});
  const Tensor all = weight.valid() ? losses * weight : losses;
  switch (reduction_of(c)) {
    case nn::Reduction::mean:
      return {weight.valid() ? sum(all) / sum(weight) : mean(all)};
    case nn::Reduction::sum:
      return {sum(all)};
    default:
      return {all};
  }
}

Tensors batch_normalized(Call& c) {
  if (c.i("training_mode", 0) != 0 || c.node.outputs.size() > 1) throw NoCounterpart{"BatchNormalization that trains"};
  const Tensor x = channels_last(c.x());
  return {channels_first((x - c.in[3]) * rsqrt(c.in[4] + c.f("epsilon", 1e-5)) * c.in[1] + c.in[2])};
}

Tensors normalized_instances(Call& c) {
  Ints axes(static_cast<size_t>(c.x().rank() - 2));
  std::iota(axes.begin(), axes.end(), int64_t{1});
  const Tensor x = channels_last(c.x());
  const ReduceOptions over{.axes = axes, .keepdims = true};
  return {channels_first((x - mean(x, over)) * rsqrt(variance(x, over) + c.f("epsilon", 1e-5)) * c.in[1] + c.in[2])};
}

Tensors clipped(Call& c) {
  Tensor y = c.x();
  if (c.opset < 11) return {clamp(y, c.f("min", -3.4e38), c.f("max", 3.4e38))};
  if (c.has(1)) y = maximum(y, c.in[1]);
  if (c.has(2)) y = minimum(y, c.in[2]);
  return {y};
}

Tensors dropped(Call& c) {
  const bool training = c.has(2) && c.value(cast(c.in[2], DType::i64)).to_vector<int64_t>()[0] != 0;
  const bool drops = c.has(1) && c.value(cast(c.in[1], DType::f64)).to_vector<double>()[0] > 0;
  if (training && drops) throw NoCounterpart{"random numbers of another generator"};
  return {c.x(), full(c.graph, c.x().shape(), 1, DType::boolean)};
}

Tensors moved_top(Call& c) {
  const TopK top = top_k(c.x(), c.has(1) ? c.ints_of(1)[0] : c.i("k", 1),
                         {.axis = c.axis("axis", -1), .largest = c.i("largest", 1) != 0});
  return {top.values, top.indices};
}

Tensors remainder(Call& c) {
  if (c.i("fmod", 0) != 0) throw NoCounterpart{"Mod with the sign of the dividend"};
  return {mod(c.x(), c.in[1])};
}

Tensors powers(Call& c) { return {cast(pow(c.x(), aligned(c)), c.x().dtype())}; }

using Convert = Tensors (*)(Call&);

const std::map<std::string, Convert>& converters() {
  static const std::map<std::string, Convert> table = {
      {"Abs", unary<abs>},
      {"Acos", unary<acos>},
      {"Asin", unary<asin>},
      {"Atan", unary<atan>},
      {"Ceil", unary<ceil>},
      {"Cos", unary<cos>},
      {"Cosh", unary<cosh>},
      {"Erf", unary<erf>},
      {"Exp", unary<exp>},
      {"Floor", unary<floor>},
      {"HardSwish", unary<hardswish>},
      {"IsNaN", unary<is_nan>},
      {"Log", unary<log>},
      {"Neg", unary<neg>},
      {"Not", unary<logical_not>},
      {"Reciprocal", unary<reciprocal>},
      {"Round", unary<round>},
      {"Sigmoid", unary<sigmoid>},
      {"Sign", unary<sign>},
      {"Sin", unary<sin>},
      {"Sinh", unary<sinh>},
      {"Softplus", unary<softplus>},
      {"Softsign", unary<softsign>},
      {"Sqrt", unary<sqrt>},
      {"Tan", unary<tan>},
      {"Tanh", unary<tanh>},
      {"Identity", [](Call& c) -> Tensors { return {c.x()}; }},
      {"Relu", [](Call& c) -> Tensors { return {relu(c.x())}; }},
      {"LeakyRelu", [](Call& c) -> Tensors { return {leaky_relu(c.x(), c.f("alpha", 0.01))}; }},
      {"Elu", [](Call& c) -> Tensors { return {elu(c.x(), c.f("alpha", 1))}; }},
      {"Selu",
       [](Call& c) -> Tensors {
         if (c.attribute("alpha") == nullptr) return {selu(c.x())};
         return {c.f("gamma", 1) * elu(c.x(), c.f("alpha", 1))};
       }},
      {"HardSigmoid", [](Call& c) -> Tensors { return {clamp(c.f("alpha", 0.2) * c.x() + c.f("beta", 0.5), 0, 1)}; }},
      {"PRelu",
       [](Call& c) -> Tensors {
         Tensor slope = c.in[1];
         if (c.opset < 7)
           while (slope.rank() < c.x().rank() - 1) slope = expand_dims(slope, -1);
         return {where(c.x() < 0, slope * c.x(), c.x())};
       }},
      {"ThresholdedRelu", [](Call& c) -> Tensors { return {where(c.x() > c.f("alpha", 1), c.x(), 0)}; }},
      {"Shrink",
       [](Call& c) -> Tensors {
         const double lambda = c.f("lambd", 0.5), bias = c.f("bias", 0);
         return {where(c.x() < -lambda, c.x() + bias, where(c.x() > lambda, c.x() - bias, 0))};
       }},
      {"IsInf",
       [](Call& c) -> Tensors {
         const double inf = std::numeric_limits<double>::infinity();
         const Tensor up = equal(c.x(), inf), down = equal(c.x(), -inf);
         if (c.i("detect_negative", 1) == 0) return {up};
         return {c.i("detect_positive", 1) == 0 ? down : logical_or(up, down)};
       }},
      {"Add", binary<add>},
      {"Sub", binary<sub>},
      {"Mul", binary<mul>},
      {"Div", binary<div>},
      {"Pow", powers},
      {"Mod", remainder},
      {"And", binary<logical_and>},
      {"Or", binary<logical_or>},
      {"Xor", binary<logical_xor>},
      {"Equal", binary<equal>},
      {"Greater", binary<greater>},
      {"GreaterOrEqual", binary<greater_equal>},
      {"Less", binary<less>},
      {"LessOrEqual", binary<less_equal>},
      {"Max", folded<maximum>},
      {"Min", folded<minimum>},
      {"Sum", folded<add>},
      {"Mean", [](Call& c) -> Tensors { return {folded<add>(c)[0] / static_cast<double>(c.in.size())}; }},
      {"Where", [](Call& c) -> Tensors { return {where(c.x(), c.in[1], c.in[2])}; }},
      {"Clip", clipped},
      {"Cast", [](Call& c) -> Tensors { return {cast(c.x(), dtype_of_code(c.i("to", 1)))}; }},
      {"Dropout", dropped},
      {"Softmax", softmax_like<softmax>},
      {"LogSoftmax", softmax_like<log_softmax>},
      {"Hardmax",
       [](Call& c) -> Tensors {
         const int axis = c.axis("axis", -1);
         const Tensor places = iota(c.graph, c.x().shape(), axis);
         return {cast(equal(places, argmax(c.x(), {.axis = axis, .keepdims = true})), c.x().dtype())};
       }},
      {"ReduceSum",
       [](Call& c) { return reduced(c, [](const Tensor& x, const ReduceOptions& o) { return sum(x, o); }); }},
      {"ReduceMean",
       [](Call& c) { return reduced(c, [](const Tensor& x, const ReduceOptions& o) { return mean(x, o); }); }},
      {"ReduceProd",
       [](Call& c) { return reduced(c, [](const Tensor& x, const ReduceOptions& o) { return prod(x, o); }); }},
      {"ReduceMax",
       [](Call& c) { return reduced(c, [](const Tensor& x, const ReduceOptions& o) { return max(x, o); }); }},
      {"ReduceMin",
       [](Call& c) { return reduced(c, [](const Tensor& x, const ReduceOptions& o) { return min(x, o); }); }},
      {"ReduceL1",
       [](Call& c) { return reduced(c, [](const Tensor& x, const ReduceOptions& o) { return sum(abs(x), o); }); }},
      {"ReduceL2",
       [](Call& c) { return reduced(c, [](const Tensor& x, const ReduceOptions& o) { return norm(x, o); }); }},
      {"ReduceLogSum",
       [](Call& c) { return reduced(c, [](const Tensor& x, const ReduceOptions& o) { return log(sum(x, o)); }); }},
      {"ReduceLogSumExp",
       [](Call& c) { return reduced(c, [](const Tensor& x, const ReduceOptions& o) { return logsumexp(x, o); }); }},
      {"ReduceSumSquare",
       [](Call& c) { return reduced(c, [](const Tensor& x, const ReduceOptions& o) { return sum(square(x), o); }); }},
      {"ArgMax", arg_reduced<argmax>},
      {"ArgMin", arg_reduced<argmin>},
      {"MatMul", [](Call& c) -> Tensors { return {matmul(c.x(), c.in[1])}; }},
      {"Gemm", gemm},
      {"Conv", convolved},
      {"ConvTranspose", transposed_convolution},
      {"Einsum", [](Call& c) -> Tensors { return {einsum(c.s("equation", ""), c.in)}; }},
      {"Concat", [](Call& c) -> Tensors { return {concat(c.in, c.axis("axis", 1))}; }},
      {"Reshape", reshaped},
      {"Flatten", flattened},
      {"Unsqueeze", unsqueezed},
      {"Slice", sliced},
      {"Split", split_up},
      {"Pad", padded},
      {"Expand", expanded},
      {"Squeeze", [](Call& c) -> Tensors { return {squeeze(c.x(), c.ints_or_input("axes", 1))}; }},
      {"Transpose", [](Call& c) -> Tensors { return {transpose(c.x(), c.ints("perm"))}; }},
      {"Tile", [](Call& c) -> Tensors { return {tile(c.x(), c.ints_of(1))}; }},
      {"Trilu",
       [](Call& c) -> Tensors {
         const int64_t k = c.has(1) ? c.ints_of(1)[0] : 0;
         return {c.i("upper", 1) != 0 ? triu(c.x(), k) : tril(c.x(), k)};
       }},
      {"Gather",
       [](Call& c) -> Tensors {
         const int axis = c.axis("axis", 0);
         return {gather(c.x(), from_front(c.in[1], c.x().dim(axis)), axis)};
       }},
      {"GatherElements",
       [](Call& c) -> Tensors {
         const int axis = c.axis("axis", 0);
         return {take_along_axis(c.x(), from_front(c.in[1], c.x().dim(axis)), axis)};
       }},
      {"OneHot", one_hot_of},
      {"Range", ranged},
      {"EyeLike", like_eye},
      {"ConstantOfShape", filled},
      {"Constant",
       [](Call& c) -> Tensors {
         if (const Attribute* value = c.attribute("value")) return {constant_of(c.graph, value->t)};
         if (c.attribute("value_float") != nullptr) return {constant(c.graph, c.f("value_float", 0))};
         if (c.attribute("value_int") != nullptr)
           return {constant(c.graph, static_cast<double>(c.i("value_int", 0)), DType::i64)};
         if (const Attribute* ints = c.attribute("value_ints")) {
           return {constant<int64_t>(c.graph, {static_cast<int64_t>(ints->ints.size())},
                                     std::span<const int64_t>(ints->ints))};
         }
         throw NoCounterpart{"a constant of strings"};
       }},
      {"Shape",
       [](Call& c) -> Tensors {
         const Ints all = sizes_of(c.x());
         const auto n = static_cast<int64_t>(all.size());
         const auto cut = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + n : at, 0, n); };
         const int64_t start = cut(c.i("start", 0)), end = std::max(start, cut(c.i("end", n)));
         const Ints sizes(all.begin() + start, all.begin() + end);
         return {constant<int64_t>(c.graph, {end - start}, std::span<const int64_t>(sizes))};
       }},
      {"Size",
       [](Call& c) -> Tensors {
         return {constant(c.graph, static_cast<double>(c.x().shape().element_count().value()), DType::i64)};
       }},
      {"CumSum",
       [](Call& c) -> Tensors {
         return {cumsum(c.x(), {.axis = static_cast<int>(c.ints_of(1)[0]),
                                .exclusive = c.i("exclusive", 0) != 0,
                                .reverse = c.i("reverse", 0) != 0})};
       }},
      {"TopK", moved_top},
      {"LayerNormalization", layer_normalized},
      {"BatchNormalization", batch_normalized},
      {"InstanceNormalization", normalized_instances},
      {"SoftmaxCrossEntropyLoss", cross_entropy},
      {"NegativeLogLikelihoodLoss", negative_log_likelihood},
      {"MeanVarianceNormalization",
       [](Call& c) -> Tensors {
         const ReduceOptions over{.axes = c.ints("axes", {0, 2, 3}), .keepdims = true};
         const Tensor centred = c.x() - mean(c.x(), over);
         return {centred / (sqrt(variance(c.x(), over)) + 1e-9)};
       }},
  };
  return table;
}

}  // namespace

Built build(const Model& model, const std::vector<Array>& inputs) {
  Built built;
  std::map<std::string, Tensor> values;
  for (const auto& [name, value] : model.initializers) values[name] = constant_of(built.graph, value);
  size_t given = 0;
  for (const std::string& name : model.inputs) {
    if (model.initializers.contains(name)) continue;
    if (given == inputs.size()) throw NoCounterpart{"an input without a file"};
    const Array& value = inputs[given];
    const std::string own = std::to_string(given++);
    values[name] = built.graph.input(own, shape_of(value.sizes()), value.dtype());
    built.inputs.set(own, value);
  }
  for (const Node& node : model.nodes) {
    const auto found = converters().find(node.op);
    if (found == converters().end() || (!node.domain.empty() && node.domain != "ai.onnx")) throw NoCounterpart{node.op};
    Tensors in;
    for (const std::string& name : node.inputs) in.push_back(name.empty() ? Tensor() : values.at(name));
    Call call(node, std::move(in), model.opset, built.graph, built.inputs);
    const Tensors results = found->second(call);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (i >= results.size()) throw NoCounterpart{node.op + " with more outputs"};
      values[node.outputs[i]] = results[i];
    }
  }
  for (const std::string& name : model.outputs) built.outputs.push_back(values.at(name));
  built.inputs = needed_of(built.graph, built.outputs, built.inputs);
  return built;
}

}  // namespace gradloom::test::onnx
