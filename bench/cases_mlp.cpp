// Training steps of networks of dense layers, and one network in use.
#include "case.hpp"
#include "start_values.hpp"
#include "training.hpp"
#include <gradloom/nn/dense.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/ops/sigmoid.hpp>

#include <initializer_list>
#include <utility>

namespace bench {

gl::Tensor relu(const gl::Tensor& x) { return gl::relu(x, {.derivative_at_zero = 0}); }

Case mlp_of_activation(gl::CompileOptions options, Activation activation) {
  Training t(std::move(options));
  const gl::Tensor logits = t.mlp(t.input(uniform({256, 784}, peers::kInputSeed)), {1024, 1024, 10}, activation);
  return t.finish(gl::nn::softmax_cross_entropy(logits, t.target(labels({256}, 10))), adam(1e-3));
}

namespace {

namespace nn = gl::nn;
using gl::Tensor;

Tensor tanh(const Tensor& x) { return gl::tanh(x); }
// An activation somebody made up, written with the primitives at hand.
Tensor made_up(const Tensor& x) { return x * gl::tanh(gl::log1p(gl::exp(x))); }

Case mlp_tiny(gl::CompileOptions options) {
  Training t(std::move(options));
  const Tensor logits = t.mlp(t.input(uniform({32, 2}, peers::kInputSeed)), {4, 4, 1}, tanh);
  gl::Array classes({32, 1});
  peers::fill_labels(classes.data<float>().data(), 32, 2, peers::kTargetSeed);
  return t.finish(nn::binary_cross_entropy_of_probabilities(gl::sigmoid(logits), t.target(std::move(classes))),
                  sgd(0.1));
}

Case mlp_mnist(gl::CompileOptions options) {
  Training t(std::move(options));
  const Tensor logits = t.mlp(t.input(uniform({128, 784}, peers::kInputSeed)), {512, 256, 10}, relu);
  return t.finish(nn::softmax_cross_entropy(logits, t.target(labels({128}, 10))), adam(1e-3));
}

Case mlp_wide(gl::CompileOptions options) {
  Training t(std::move(options));
  const Tensor y = t.mlp(t.input(uniform({256, 1024}, peers::kInputSeed)), {2048, 2048, 1024}, relu);
  return t.finish(nn::mse(y, t.target(uniform({256, 1024}, peers::kTargetSeed))), sgd(0.01));
}

Case mlp_custom_act(gl::CompileOptions options) { return mlp_of_activation(std::move(options), made_up); }

// The weights do not change any more: they are part of the Program.
Case mlp_in_use(gl::CompileOptions options, int64_t rows, int64_t inputs, std::initializer_list<int64_t> layers) {
  gl::Graph g;
  Tensor y = g.input("x", {rows, inputs});
  double flops = 0;
  for (const int64_t units : layers) {
    if (flops > 0) y = relu(y);
    flops += 2.0 * static_cast<double>(rows * y.dim(1).value() * units);
    y = nn::dense(y, units);
  }
  gl::State weights;
  set_parameters(weights, g);
  Case c;
  options.outputs = {y};
  options.mode = gl::Mode::inference;
  options.constants = &weights;
  c.program = gl::compile(options);
  c.inputs.set("x", uniform({rows, inputs}, peers::kInputSeed));
  c.outputs = {gl::Array(y.shape().sizes())};
  c.flops = flops;
  return c;
}

Case mlp_mnist_b1(gl::CompileOptions options) { return mlp_in_use(std::move(options), 1, 784, {512, 256, 10}); }

// 192 MiB of weights: they come from memory, once for a batch.
template <int64_t rows>
Case mlp_4096(gl::CompileOptions options) {
  return mlp_in_use(std::move(options), rows, 4096, {4096, 4096, 4096});
}

// Sixteen branches that know nothing of each other: what a scheduler makes of independent small products.
Case wide_dag(gl::CompileOptions options) {
  constexpr int branches = 16, depth = 6;
  Training t(std::move(options));
  const Tensor x = t.input(uniform({16, 128}, peers::kInputSeed));
  std::vector<Tensor> ends;
  for (int branch = 0; branch < branches; ++branch) {
    Tensor y = x;
    for (int layer = 0; layer < depth; ++layer) y = gl::tanh(t.dense(y, 128, layer > 0));
    ends.push_back(y);
  }
  const Tensor logits = t.dense(gl::concat(ends, 1), 10);
  return t.finish(nn::softmax_cross_entropy(logits, t.target(labels({16}, 10))), sgd(0.05));
}

constexpr NamedCase cases[] = {
    {"mlp_tiny", mlp_tiny},         {"mlp_mnist", mlp_mnist},
    {"mlp_wide", mlp_wide},         {"mlp_custom_act", mlp_custom_act},
    {"wide_dag", wide_dag},         {"mlp_mnist_b1", mlp_mnist_b1},
    {"mlp_4096_b1", mlp_4096<1>},   {"mlp_4096_b4", mlp_4096<4>},
    {"mlp_4096_b16", mlp_4096<16>},
};

}  // namespace

const std::span<const NamedCase> mlp_cases = cases;

}  // namespace bench
