// Training steps of networks of dense layers, and one network in use.
#include "case.hpp"
#include "start_values.hpp"
#include <gradloom/nn/dense.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/ops/sigmoid.hpp>

#include <utility>

namespace bench {

namespace {

namespace nn = gl::nn;
using gl::Tensor;

using Activation = Tensor (*)(const Tensor&);

// The peers take 0 for the derivative of relu at 0.
Tensor relu(const Tensor& x) { return gl::relu(x, {.derivative_at_zero = 0}); }
Tensor tanh(const Tensor& x) { return gl::tanh(x); }
// An activation somebody made up, written with the primitives at hand.
Tensor made_up(const Tensor& x) { return x * gl::tanh(gl::log1p(gl::exp(x))); }

/// One training step under construction: the network is built by its member functions, which count the work.
class Training {
 public:
  explicit Training(std::string_view isa) : isa_(isa) {}

  Tensor input(gl::Array array) {
    const Tensor x = graph_.input("x", gl::Shape(std::span<const int64_t>(array.sizes())));
    inputs_.set("x", std::move(array));
    return x;
  }

  Tensor target(gl::Array array) {
    const Tensor t = graph_.input("target", gl::Shape(std::span<const int64_t>(array.sizes())), array.dtype());
    inputs_.set("target", std::move(array));
    return t;
  }

  /// `trains_x`: the gradient of x is needed, as everywhere but in the first layer.
  Tensor dense(const Tensor& x, int64_t units, bool trains_x = true) {
    const auto rows = static_cast<double>(x.dim(0).value()), in = static_cast<double>(x.dim(1).value());
    flops_ += 2.0 * rows * in * static_cast<double>(units) * (trains_x ? 3 : 2);
    return nn::dense(x, units);
  }

  /// Dense layers of these widths, with an activation between them.
  Tensor mlp(Tensor x, std::initializer_list<int64_t> widths, Activation activation) {
    bool first = true;
    for (const int64_t units : widths) {
      if (!first) x = activation(x);
      x = dense(x, units, !first);
      first = false;
    }
    return x;
  }

  template <class Optimizer>
  Case finish(const Tensor& loss, const Optimizer& optimizer) {
    Case c;
    set_parameters(c.state, graph_);
    c.program = gl::compile({.outputs = {loss}, .updates = optimizer(loss), .isa = isa_});
    c.inputs = std::move(inputs_);
    c.outputs = {gl::Array(std::initializer_list<int64_t>{})};
    c.flops = flops_;
    return c;
  }

 private:
  std::string_view isa_;
  gl::Graph graph_;
  gl::Batch inputs_;
  double flops_ = 0;
};

auto sgd(double rate) {
  return [rate](const Tensor& loss) { return nn::gradient_descent(loss, {.learning_rate = rate}); };
}
auto adam(double rate) {
  return [rate](const Tensor& loss) { return nn::adam(loss, {.learning_rate = rate}); };
}

Case mlp_tiny(std::string_view isa) {
  Training t(isa);
  const Tensor logits = t.mlp(t.input(uniform({32, 2}, peers::kInputSeed)), {4, 4, 1}, tanh);
  gl::Array classes({32, 1});
  peers::fill_labels(classes.data<float>().data(), 32, 2, peers::kTargetSeed);
  return t.finish(nn::binary_cross_entropy_of_probabilities(gl::sigmoid(logits), t.target(std::move(classes))),
                  sgd(0.1));
}

Case mlp_mnist(std::string_view isa) {
  Training t(isa);
  const Tensor logits = t.mlp(t.input(uniform({128, 784}, peers::kInputSeed)), {512, 256, 10}, relu);
  return t.finish(nn::softmax_cross_entropy(logits, t.target(labels({128}, 10))), adam(1e-3));
}

Case mlp_wide(std::string_view isa) {
  Training t(isa);
  const Tensor y = t.mlp(t.input(uniform({256, 1024}, peers::kInputSeed)), {2048, 2048, 1024}, relu);
  return t.finish(nn::mse(y, t.target(uniform({256, 1024}, peers::kTargetSeed))), sgd(0.01));
}

Case mlp_custom_act(std::string_view isa) {
  Training t(isa);
  const Tensor logits = t.mlp(t.input(uniform({256, 784}, peers::kInputSeed)), {1024, 1024, 10}, made_up);
  return t.finish(nn::softmax_cross_entropy(logits, t.target(labels({256}, 10))), adam(1e-3));
}

// The weights do not change any more: they are part of the Program.
Case mlp_mnist_b1(std::string_view isa) {
  gl::Graph g;
  Tensor y = g.input("x", {1, 784});
  double flops = 0;
  for (const int64_t units : {512, 256, 10}) {
    if (flops > 0) y = relu(y);
    flops += 2.0 * static_cast<double>(y.dim(1).value() * units);
    y = nn::dense(y, units);
  }
  gl::State weights;
  set_parameters(weights, g);
  Case c;
  c.program = gl::compile({.outputs = {y}, .mode = gl::Mode::inference, .isa = isa, .constants = &weights});
  c.inputs.set("x", uniform({1, 784}, peers::kInputSeed));
  c.outputs = {gl::Array({1, 10})};
  c.flops = flops;
  return c;
}

// Sixteen branches that know nothing of each other: what a scheduler makes of independent small products.
Case wide_dag(std::string_view isa) {
  constexpr int branches = 16, depth = 6;
  Training t(isa);
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
    {"mlp_tiny", mlp_tiny}, {"mlp_mnist", mlp_mnist},       {"mlp_wide", mlp_wide}, {"mlp_custom_act", mlp_custom_act},
    {"wide_dag", wide_dag}, {"mlp_mnist_b1", mlp_mnist_b1},
};

}  // namespace

const std::span<const NamedCase> mlp_cases = cases;

}  // namespace bench
