// Would gradcheck notice? Copies of ops with a mistake planted in the gradient rule must fail, the ops themselves pass.
#include "gradient_mutation_helper.hpp"
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/cond.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/convolution.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/scan.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/stop_gradient.hpp>
#include <gradloom/ops/trigonometric.hpp>
#include <gradloom/ops/where.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <utility>
#include <vector>

using namespace gradloom;

namespace {

using test::reshaped;

using Arguments = std::span<const Tensor>;
using Axes = std::vector<int64_t>;

/// Keeps the shape of the gradient right, as a mistake must to get past the engine's own checks.
Tensor like_input(const Vjp& v, const Tensor& x) { return broadcast(x, v.input(0).shape()); }

Tensor attention_cotangent(const Vjp& v) { return v.has_cotangent(0) ? v.cotangent(0) : zeros_like(v.output(0)); }

/// The gradients of attention by its kernel, with a delta that may be wrong.
Gradients attention_slopes(const Vjp& v, const Tensor& delta) {
  const Tensor inputs[] = {v.input(0), v.input(1), v.input(2), v.output(1), delta, attention_cotangent(v)};
  const Tensor dq = v.graph().add(attention_gradient_def, inputs, v.attributes(), {});
  return {dq, v.graph().tensor(dq.node_id(), 1), v.graph().tensor(dq.node_id(), 2)};
}

Tensor delta_of(const Vjp& v) {
  const Tensor delta = sum(attention_cotangent(v) * v.output(0), {.axes = {-1}});
  return v.has_cotangent(1) ? delta - v.cotangent(1) : delta;
}

/// A convolution's settings for one spatial axis, and one more.
Attributes convolution_settings(int64_t low, int64_t high, const char* name = nullptr, AttributeValue value = {}) {
  Attributes attributes{
      {"strides", Axes{1}}, {"dilations", Axes{1}}, {"low", Axes{low}}, {"high", Axes{high}}, {"groups", int64_t{1}}};
  if (name != nullptr) attributes.set(name, std::move(value));
  return attributes;
}

Tensor add_node(const Vjp& v, const OpDef& op, const Tensor& a, const Tensor& b, const Attributes& attributes) {
  return v.graph().add(op, std::array{a, b}, attributes, {});
}

// What the gradients of a convolution of [1, 3, 2] with [2, 2, 2], padded by 1 in front, are made of.
Tensor data_gradient(const Vjp& v, const Tensor& g, const Tensor& w, int64_t low = 1) {
  return add_node(v, convolution_data_gradient_def, g, w, convolution_settings(low, 1 - low, "shape", Shape{3}));
}
Tensor weight_gradient(const Vjp& v, const Tensor& x, const Tensor& g, int64_t low = 1) {
  return add_node(v, convolution_weight_gradient_def, x, g, convolution_settings(low, 1 - low, "kernel", Axes{2}));
}

/// Of a loop h = sin(h w + x) over three values of x: operands h, x, w.
Attributes loop_attributes() {
  Graph g;
  const Tensor h = g.input("h", {}, DType::f64), x = g.input("x", {3}, DType::f64), w = g.input("w", {}, DType::f64);
  const auto body = [&](Arguments carried, Arguments slices) {
    return ScanStep{{sin(carried[0] * w + slices[0])}, {}};
  };
  return scan(body, {.carried = {h}, .sequences = {x}}).carried[0].node().attributes;
}

/// The gradients that an op makes by one node of itself, as another node makes them.
template <class Change>
Gradients changed_node(const Vjp& v, const OpDef& op, Change change) {
  Gradients gradients = op.vjp(v);
  const Node& right = gradients.back().tensor().node();
  std::vector<Tensor> operands;
  for (const Value& value : right.inputs) operands.push_back(v.graph().tensor(value.node, value.output));
  Attributes attributes = right.attributes;
  change(operands, attributes);
  const Tensor wrong = v.graph().add(op, operands, attributes, {});
  for (Gradient& gradient : gradients) {
    if (gradient.kind() == Gradient::Kind::tensor)
      gradient = v.graph().tensor(wrong.node_id(), gradient.tensor().output());
  }
  return gradients;
}

/// x sin(y), or x + y: operands the choice, x, y.
Attributes choice_attributes() {
  Graph g;
  const Tensor choice = g.input("choice", {}, DType::boolean);
  const Tensor x = g.input("x", {3}, DType::f64), y = g.input("y", {3}, DType::f64);
  const auto then = [&] { return std::vector{x * sin(y)}; };
  const auto otherwise = [&] { return std::vector{x + y}; };
  return cond(choice, then, otherwise)[0].node().attributes;
}

std::vector<test::GradientMutation> mutations() {
  const Array x = Array::from<double>({0.3, 0.7, 1.2}), y = Array::from<double>({0.5, 1.6, 0.9});
  const Array a = reshaped({2, 2}, {0.5, -1, 2, 0.3}), b = reshaped({2, 2}, {1, 0.2, -0.7, 3});
  const Array cube = reshaped({2, 2, 2}, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8});
  const Attributes attention_attributes = {{"scale", 0.8}, {"causal", true}};
  const Array image = reshaped({1, 3, 2}, {0.1, -0.4, 0.9, 0.7, -0.6, 0.2}), kernel = cube;
  const Attributes no_flags = {{"transpose_a", false}, {"transpose_b", false}};
  return {
      {"cos: the sign", cos_def, [](const Vjp& v) -> Gradients { return {v.cotangent() * sin(v.input(0))}; }, {x}},
      {"sub: the sign of rhs",
       sub_def,
       [](const Vjp& v) -> Gradients {
         return {v.cotangent(), v.cotangent()};
       },
       {x, y}},
      {"mul: each its own operand",
       mul_def,
       [](const Vjp& v) -> Gradients {
         return {v.cotangent() * v.input(0), v.cotangent() * v.input(1)};
       },
       {x, y}},
      {"div: a factor is missing",
       div_def,
       [](const Vjp& v) -> Gradients {
         return {v.cotangent() / v.input(1), -(v.cotangent() * v.output())};
       },
       {x, y}},
      {"exp: of the input", exp_def, [](const Vjp& v) -> Gradients { return {v.cotangent() * v.input(0)}; }, {x}},
      {"sqrt: the 2 is missing", sqrt_def, [](const Vjp& v) -> Gradients { return {v.cotangent() / v.output()}; }, {x}},
      {"tanh: from the input",
       tanh_def,
       [](const Vjp& v) -> Gradients { return {v.cotangent() * (1 - square(v.input(0)))}; },
       {x}},
      {"tanh: a constant for the second order",
       tanh_def,
       [](const Vjp& v) -> Gradients { return {v.cotangent() * (1 - square(stop_gradient(v.output())))}; },
       {x},
       {},
       "second order"},
      {"sigmoid: 1 - y is missing",
       sigmoid_def,
       [](const Vjp& v) -> Gradients { return {v.cotangent() * v.output()}; },
       {x}},
      {"maximum: both get it",
       maximum_def,
       [](const Vjp& v) -> Gradients {
         return {v.cotangent(), v.cotangent()};
       },
       {x, y}},
      {"where: the branches are swapped",
       where_def,
       [](const Vjp& v) -> Gradients {
         return {Gradient::none(), where(v.input(0), 0, v.cotangent()), where(v.input(0), v.cotangent(), 0)};
       },
       {Array::from<bool>({true, false, true}), x, y}},
      {"matmul: a flag is lost",
       matmul_def,
       [](const Vjp& v) -> Gradients {
         return {matmul(v.cotangent(), v.input(1)), matmul(v.input(0), v.cotangent(), {.transpose_a = true})};
       },
       {a, b},
       no_flags},
      {"matmul: the gradient is transposed",
       matmul_def,
       [](const Vjp& v) -> Gradients {
         return {matmul(v.cotangent(), v.input(1), {.transpose_b = true}),
                 matmul(v.cotangent(), v.input(0), {.transpose_a = true})};
       },
       {a, b},
       no_flags},
      {"convolution: the sides of the padding are swapped",
       convolution_def,
       [](const Vjp& v) -> Gradients {
         return {data_gradient(v, v.cotangent(), v.input(1), 0), weight_gradient(v, v.input(0), v.cotangent())};
       },
       {image, kernel},
       convolution_settings(1, 0)},
      {"convolution: data and gradient change places",
       convolution_def,
       [](const Vjp& v) -> Gradients {
         return {data_gradient(v, v.cotangent(), v.input(1)), weight_gradient(v, v.cotangent(), v.input(0))};
       },
       {image, kernel},
       convolution_settings(1, 0)},
      {"convolution: its gradient is another convolution, with a kernel that is not turned",
       convolution_def,
       [](const Vjp& v) -> Gradients {
         return {add_node(v, convolution_def, v.cotangent(), transpose(v.input(1), {0, 2, 1}), v.attributes()),
                 weight_gradient(v, v.input(0), v.cotangent())};
       },
       {image, kernel},
       convolution_settings(1, 0)},
      {"convolution_data_gradient: to the weights, channels are exchanged",
       convolution_data_gradient_def,
       [](const Vjp& v) -> Gradients {
         return {add_node(v, convolution_def, v.cotangent(), v.input(1), convolution_settings(1, 0)),
                 transpose(weight_gradient(v, v.cotangent(), v.input(0)), {0, 2, 1})};
       },
       {image, kernel},
       convolution_settings(1, 0, "shape", Shape{3})},
      {"convolution_weight_gradient: the sides of the padding are swapped",
       convolution_weight_gradient_def,
       [](const Vjp& v) -> Gradients {
         return {data_gradient(v, v.input(1), v.cotangent()),
                 add_node(v, convolution_def, v.input(0), v.cotangent(), convolution_settings(0, 1))};
       },
       {image, image},
       convolution_settings(1, 0, "kernel", Axes{2})},
      {"sum: scaled as a mean",
       sum_def,
       [](const Vjp& v) -> Gradients { return {like_input(v, v.cotangent()) / 2}; },
       {a},
       {{"axes", Axes{0}}, {"keepdims", false}}},
      {"sum: spread along the wrong axis",
       sum_def,
       [](const Vjp& v) -> Gradients { return {like_input(v, v.cotangent())}; },
       {a},
       {{"axes", Axes{1}}, {"keepdims", false}}},
      {"max: every element gets it",
       max_def,
       [](const Vjp& v) -> Gradients { return {like_input(v, v.cotangent())}; },
       {a},
       {{"axes", Axes{0}}, {"keepdims", false}}},
      {"broadcast: summed over the wrong axis",
       broadcast_def,
       [](const Vjp& v) -> Gradients { return {sum(v.cotangent(), {.axes = {1}})}; },
       {Array::from<double>({0.5, -1})},
       {{"shape", Shape{2, 2}}}},
      {"attention: what the softmax takes back is missing",
       attention_def,
       [](const Vjp& v) -> Gradients { return attention_slopes(v, zeros_like(v.output(1))); },
       {cube, cube, cube},
       attention_attributes},
      {"attention: k gets what is meant for v",
       attention_def,
       [](const Vjp& v) -> Gradients {
         const Gradients right = attention_slopes(v, delta_of(v));
         return {right[0], right[2], right[1]};
       },
       {cube, cube, cube},
       attention_attributes},
      {"attention: delta is a constant for the second order",
       attention_def,
       [](const Vjp& v) -> Gradients { return attention_slopes(v, stop_gradient(delta_of(v))); },
       {cube, cube, cube},
       attention_attributes,
       "second order"},
      {"biased_attention: the bias gets it without the softmax's part",
       biased_attention_def,
       [](const Vjp& v) -> Gradients {
         const Gradients right = biased_attention_def.vjp(v);
         return {right[0], right[1], right[2], right[3].tensor() + mean(v.cotangent(0))};
       },
       {cube, cube, cube, reshaped({2, 2, 2}, {0.2, -0.3, 0.5, 0.1, -0.4, 0.6, 0.3, -0.2})},
       {{"scale", 0.8}, {"causal", false}}},
      {"attention_gradient: to q, what is meant for k",
       attention_gradient_def,
       [](const Vjp& v) -> Gradients {
         Gradients wrong = attention_gradient_def.vjp(v);
         std::swap(wrong[0], wrong[1]);
         return wrong;
       },
       {cube, cube, cube, reshaped({2, 2}, {0.9, 1.1, 1.2, 0.8}), reshaped({2, 2}, {0.1, -0.2, 0.3, 0.2}), cube},
       {{"scale", 0.8}, {"causal", false}}},
      {"attention_gradient: delta is a constant",
       attention_gradient_def,
       [](const Vjp& v) -> Gradients {
         Gradients wrong = attention_gradient_def.vjp(v);
         wrong[4] = zeros_like(v.input(4));
         return wrong;
       },
       {cube, cube, cube, reshaped({2, 2}, {0.9, 1.1, 1.2, 0.8}), reshaped({2, 2}, {0.1, -0.2, 0.3, 0.2}), cube},
       {{"scale", 0.8}, {"causal", false}}},
      {"cond: back through the other branch",
       cond_def,
       [](const Vjp& v) {
         return changed_node(
             v, cond_def, [](std::vector<Tensor>& operands, Attributes&) { operands[0] = logical_not(operands[0]); });
       },
       {Array::from<bool>({true}).reshaped({}), x, y},
       choice_attributes()},
      {"transpose: not turned back",
       transpose_def,
       [](const Vjp& v) -> Gradients {
         return {transpose(v.cotangent(), {1, 2, 0})};
       },
       {cube},
       {{"permutation", Axes{1, 2, 0}}}},
      {"scan: back in the order of the steps",
       scan_def,
       [](const Vjp& v) {
         return changed_node(v, scan_def,
                             [](std::vector<Tensor>&, Attributes& attributes) { attributes.set("reverse", false); });
       },
       {Array::from(std::vector<double>{0.4}, {}), x, Array::from(std::vector<double>{0.8}, {})},
       loop_attributes()},
      {"scan: a constant's gradient as a mean over the steps",
       scan_def,
       [](const Vjp& v) -> Gradients {
         const Gradients right = scan_def.vjp(v);
         return {right[0], right[1], right[2].tensor() / 3};
       },
       {Array::from(std::vector<double>{0.4}, {}), x, Array::from(std::vector<double>{0.8}, {})},
       loop_attributes()},
  };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(autodiff_mutation)

BOOST_AUTO_TEST_CASE(every_planted_mistake_of_a_gradient_is_caught) {
  for (const test::GradientMutation& mutation : mutations()) test::check_is_caught(mutation);
}

BOOST_AUTO_TEST_SUITE_END()
