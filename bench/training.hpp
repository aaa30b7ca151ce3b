// One training step under construction, of networks of dense layers.
#pragma once

#include "case.hpp"
#include "start_values.hpp"
#include <gradloom/graph/function_ref.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/dense.hpp>
#include <gradloom/nn/optimizers.hpp>

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace bench {

using Activation = gl::FunctionRef<gl::Tensor(const gl::Tensor&)>;

/// The network is built by its member functions, which count the work.
class Training {
 public:
  explicit Training(gl::CompileOptions options) : options_(std::move(options)) {}

  gl::Tensor input(gl::Array array) {
    const gl::Tensor x = graph_.input("x", gl::Shape(std::span<const int64_t>(array.sizes())), array.dtype());
    inputs_.set("x", std::move(array));
    return x;
  }

  gl::Tensor target(gl::Array array) {
    const gl::Tensor t = graph_.input("target", gl::Shape(std::span<const int64_t>(array.sizes())), array.dtype());
    inputs_.set("target", std::move(array));
    return t;
  }

  /// Counts the work of a product, forward and for both gradients.
  void count_product(int64_t rows, int64_t in, int64_t out) {
    flops_ += 6.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out);
  }

  /// `trains_x`: the gradient of x is needed, as everywhere but in the first layer.
  gl::Tensor dense(const gl::Tensor& x, int64_t units, bool trains_x = true) {
    const auto rows = static_cast<double>(x.dim(0).value()), in = static_cast<double>(x.dim(1).value());
    flops_ += 2.0 * rows * in * static_cast<double>(units) * (trains_x ? 3 : 2);
    return gl::nn::dense(x, units);
  }

  /// Dense layers of these widths, with an activation between them.
  gl::Tensor mlp(gl::Tensor x, std::initializer_list<int64_t> widths, Activation activation) {
    bool first = true;
    for (const int64_t units : widths) {
      if (!first) x = activation(x);
      x = dense(x, units, !first);
      first = false;
    }
    return x;
  }

  template <class Optimizer>
  Case finish(const gl::Tensor& loss, const Optimizer& optimizer) {
    Case c;
    set_parameters(c.state, graph_);
    options_.outputs = {loss};
    options_.updates = optimizer(loss);
    c.program = gl::compile(options_);
    c.inputs = std::move(inputs_);
    c.outputs = {gl::Array(std::initializer_list<int64_t>{})};
    c.flops = flops_;
    return c;
  }

 private:
  gl::CompileOptions options_;
  gl::Graph graph_;
  gl::Batch inputs_;
  double flops_ = 0;
};

inline auto sgd(double rate) {
  return [rate](const gl::Tensor& loss) { return gl::nn::gradient_descent(loss, {.learning_rate = rate}); };
}
inline auto adam(double rate) {
  return [rate](const gl::Tensor& loss) { return gl::nn::adam(loss, {.learning_rate = rate}); };
}

/// The peers take 0 for the derivative of relu at 0.
gl::Tensor relu(const gl::Tensor& x);

/// mlp_custom_act of peers/README.md with any activation.
Case mlp_of_activation(gl::CompileOptions options, Activation activation);

}  // namespace bench
