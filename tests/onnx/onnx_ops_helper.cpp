#include "onnx/onnx_ops_helper.hpp"

#include "onnx/onnx_call_helper.hpp"
#include <gradloom/ops/activations.hpp>
#include <gradloom/ops/argreduce.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/classify.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/cumulative.hpp>
#include <gradloom/ops/einsum.hpp>
#include <gradloom/ops/erf.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/inverse_hyperbolic.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/mod.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/pooling.hpp>
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

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

namespace gradloom::test::onnx {

namespace {

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

template <Tensor (*f)(const Operand&)>
Tensors globally(Call& c) {
  Tensor y = f(channels_last(c.x()));
  while (y.rank() < c.x().rank()) y = expand_dims(y, -1);
  return {y};
}

Tensors moved_top(Call& c) {
  const TopK top = top_k(c.x(), c.has(1) ? c.ints_of(1)[0] : c.i("k", 1),
                         {.axis = c.axis("axis", -1), .largest = c.i("largest", 1) != 0});
  return {top.values, top.indices};
}

/// With the sign of the divisor, or as fmod of C with that of the dividend.
Tensors remainder(Call& c) {
  if (c.i("fmod", 0) == 0) return {mod(c.x(), c.in[1])};
  const Tensor size = mod(abs(c.x()), abs(c.in[1]));
  return {where(c.x() < 0, -size, size)};
}

Tensors powers(Call& c) { return {cast(pow(c.x(), aligned(c)), c.x().dtype())}; }

using Convert = Tensors (*)(Call&);

const std::map<std::string, Convert>& converters() {
  static const std::map<std::string, Convert> table = {
      {"Abs", unary<abs>},
      {"Acos", unary<acos>},
      {"Acosh", unary<acosh>},
      {"Asin", unary<asin>},
      {"Asinh", unary<asinh>},
      {"Atan", unary<atan>},
      {"Atanh", unary<atanh>},
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
      {"AveragePool", averaged_windows},
      {"MaxPool", largest_of_windows},
      {"MaxUnpool", unpooled},
      {"GlobalAveragePool", globally<global_average_pool>},
      {"GlobalMaxPool", globally<global_max_pool>},
      {"DepthToSpace", depth_moved_to_space},
      {"SpaceToDepth", space_moved_to_depth},
      {"Resize", resized},
      {"Upsample", resized},
      {"RNN", simple_recurrence},
      {"LSTM", lstm_recurrence},
      {"GRU", gru_recurrence},
      {"Scan", scanned},
      {"Loop", looped},
      {"Gradient", differentiated},
      {"Adagrad", adagrad_step},
      {"Adam", adam_step},
      {"Momentum", momentum_step},
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
      {"GatherND", gathered_points},
      {"GatherElements",
       [](Call& c) -> Tensors {
         const int axis = c.axis("axis", 0);
         return {take_along_axis(c.x(), from_front(c.in[1], c.x().dim(axis)), axis)};
       }},
      {"Compress", compressed},
      {"ReverseSequence", reversed_sequences},
      {"Scatter", scattered_elements},
      {"ScatterElements", scattered_elements},
      {"ScatterND", scattered_points},
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
      {"LRN", normalized_responses},
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

Tensors results_of(const Model& model, int64_t opset, Values values, Built& built) {
  const std::set<std::string> domains = {"", "ai.onnx", "ai.onnx.preview.training"};
  for (const Node& node : model.nodes) {
    const auto found = converters().find(node.op);
    if (found == converters().end() || !domains.contains(node.domain)) throw NoCounterpart{node.op};
    Tensors in;
    for (const std::string& name : node.inputs) in.push_back(name.empty() ? Tensor() : values.at(name));
    Call call(node, std::move(in), opset, values, built);
    const Tensors results = found->second(call);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].empty()) continue;
      if (i >= results.size()) throw NoCounterpart{node.op + " with more outputs"};
      values[node.outputs[i]] = results[i];
    }
  }
  Tensors results;
  for (const std::string& name : model.outputs) results.push_back(values.at(name));
  return results;
}

Built build(const Model& model, const std::vector<Array>& inputs) {
  Built built;
  Values values;
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
  built.outputs = results_of(model, model.opset, std::move(values), built);
  built.inputs = needed_of(built.graph, built.outputs, built.inputs);
  return built;
}

}  // namespace gradloom::test::onnx
