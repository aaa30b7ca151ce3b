// One training step under construction, of networks of dense and convolutional layers.
#pragma once

#include "case.hpp"
#include "start_values.hpp"
#include <gradloom/graph/function_ref.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/conv.hpp>
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

  [[nodiscard]] gl::Graph& graph() { return graph_; }

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
    count(x.shape(), static_cast<double>(units), trains_x);
    return gl::nn::dense(x, units);
  }

  /// A square window.
  gl::Tensor conv(const gl::Tensor& x, int64_t channels, int64_t window, gl::nn::ConvOptions options,
                  bool trains_x = true) {
    const gl::Tensor y = gl::nn::conv(x, channels, {window}, std::move(options));
    count(y.shape(), static_cast<double>(window * window * x.dim(-1).value()), trains_x);
    return y;
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

  /// The network in use: the weights do not change any more, so they are part of the Program.
  Case use(const gl::Tensor& y) {
    gl::State weights;
    set_parameters(weights, graph_);
    Case c;
    options_.outputs = {y};
    options_.mode = gl::Mode::inference;
    options_.constants = &weights;
    c.program = gl::compile(options_);
    c.inputs = std::move(inputs_);
    c.outputs = {gl::Array(y.shape().sizes())};
    c.flops = flops_ / 3;
    return c;
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
  // A product of each element with so many more numbers. Products of a batch of unknown size are not counted.
  void count(const gl::Shape& shape, double numbers, bool trains_x) {
    if (!shape.known()) return;
    flops_ += 2.0 * static_cast<double>(shape.element_count().value()) * numbers * (trains_x ? 3 : 2);
  }

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

/// The network of peers/README.md, [batch, 28, 28, 1] -> [batch, 10].
gl::Tensor lenet(Training& t, gl::Tensor x);

/// mlp_custom_act of peers/README.md with any activation.
Case mlp_of_activation(gl::CompileOptions options, Activation activation);

}  // namespace bench
