// Functions over whole arrays, with their gradients or without, where memory is the limit (or should be).
#include "case.hpp"
#include "start_values.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/ops/activations.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/layer_norm.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/ops/softmax.hpp>

#include <utility>
#include <vector>

namespace bench {

namespace {

using gl::Tensor;

constexpr int64_t many = 16 * 1024 * 1024, some = 1024 * 1024;

Tensor chain8(const Tensor& x) {
  Tensor y = x * 1.5;
  y = y + 0.25;
  y = gl::relu(y, {.derivative_at_zero = 0});  // as the peers
  y = y - 0.5;
  y = gl::abs(y);
  y = gl::maximum(y, 0.1);
  y = gl::square(y);
  return y * 0.75;
}

/// y = f(x), where x and y are `arrays_moved` times the size of x together.
Case forward(gl::CompileOptions options, Tensor (*f)(const Tensor&), double arrays_moved) {
  gl::Graph g;
  const Tensor y = f(g.input("x", {many}));
  Case c;
  options.outputs = {y};
  c.program = gl::compile(options);
  c.inputs.set("x", uniform({many}, peers::kInputSeed));
  c.outputs = {gl::Array(y.shape().sizes())};
  c.bytes = arrays_moved * static_cast<double>(many) * sizeof(float);
  return c;
}

/// y = f(x), and dx from a fixed dy. dx comes first: it is what the peers take their checksum from. `more` are further
/// gradients that the peers compute.
Case there_and_back(gl::CompileOptions options, const Tensor& x, const Tensor& y, double arrays_moved,
                    std::vector<Tensor> more = {}) {
  const std::vector<int64_t> sizes = x.shape().sizes();
  const Tensor dy = x.graph().input("dy", x.shape());
  std::vector<Tensor> wanted{x};
  wanted.insert(wanted.end(), more.begin(), more.end());
  std::vector<Tensor> outputs = gl::gradients(y, wanted, dy);
  outputs.push_back(y);

  Case c;
  options.outputs = outputs;
  c.program = gl::compile(options);
  c.inputs.set("x", uniform(sizes, peers::kInputSeed));
  c.inputs.set("dy", uniform(sizes, peers::kTargetSeed));
  for (const Tensor& output : outputs) c.outputs.emplace_back(output.shape().sizes());
  c.bytes = arrays_moved * static_cast<double>(x.shape().element_count().value()) * sizeof(float);
  return c;
}

Case ew_chain8(gl::CompileOptions options) { return forward(std::move(options), chain8, 2); }
Case ew_chain8_fb(gl::CompileOptions options) {
  gl::Graph g;
  const Tensor x = g.input("x", {many});
  return there_and_back(std::move(options), x, chain8(x), 3);
}
Case mish_1m_fb(gl::CompileOptions options) {
  gl::Graph g;
  const Tensor x = g.input("x", {some});
  return there_and_back(std::move(options), x, x * gl::tanh(gl::log1p(gl::exp(x))), 3);
}
// Forward reads x and writes y; backward reads y (or x) and dy and writes dx.
Case softmax(gl::CompileOptions options) {
  gl::Graph g;
  const Tensor x = g.input("x", {4096, 1024});
  return there_and_back(std::move(options), x, gl::softmax(x), 5);
}
Case layer_norm(gl::CompileOptions options) {
  gl::Graph g;
  const Tensor x = g.input("x", {4096, 1024}), gain = g.parameter("gain", {1024}), bias = g.parameter("bias", {1024});
  Case c = there_and_back(std::move(options), x, gl::layer_norm(x, gain, bias), 5, {gain, bias});
  gl::Array ones({1024});
  for (float& element : ones.data<float>()) element = 1;
  c.state.set("gain", std::move(ones));
  c.state.set("bias", gl::Array({1024}));
  return c;
}
Case gelu_16m(gl::CompileOptions options) {
  return forward(
      std::move(options), [](const Tensor& x) { return gl::gelu(x); }, 2);
}
Case sum_16m(gl::CompileOptions options) {
  return forward(
      std::move(options), [](const Tensor& x) { return gl::sum(x); }, 1);
}

constexpr NamedCase cases[] = {
    {"ew_chain8", ew_chain8},
    // What a peer saves by working in place, a Program never spends: it has no array between its input and its output.
    {"ew_chain8_inplace", ew_chain8},
    {"ew_chain8_fb", ew_chain8_fb},
    {"mish_1m_fb", mish_1m_fb},
    {"gelu_16m", gelu_16m},
    {"sum_16m", sum_16m},
    {"softmax_4096x1024", softmax},
    {"layernorm_4096x1024", layer_norm},
};

}  // namespace

const std::span<const NamedCase> pointwise_cases = cases;

}  // namespace bench
