#include "random_image_graph_helper.hpp"

#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/nn/batch_norm.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/convolution.hpp>
#include <gradloom/ops/cumulative.hpp>
#include <gradloom/ops/depth_to_space.hpp>
#include <gradloom/ops/group_norm.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/local_response_norm.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/pooling.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/ops/resize.hpp>
#include <gradloom/ops/rms_norm.hpp>
#include <gradloom/ops/sigmoid.hpp>

#include <cmath>
#include <random>
#include <string>

namespace gradloom::test {

namespace {

class ImageMaker {
 public:
  ImageMaker(uint64_t seed, RandomGraph& made) : rng_(seed), made_(made) {}

  void run() {
    // 16 channels and more are what Winograd's kernels and whole vectors need.
    const int64_t channels[] = {1, 3, 16, 32, 32};
    dtype_ = below(6) == 0 ? DType::f64 : DType::f32;
    const std::vector<int64_t> sizes = {1 + below(2), 6 + below(13), 6 + below(13), channels[below(5)]};
    made_.inputs.set("x", values(sizes, -1.5, 1.5));
    Tensor x = made_.graph.input("x", Shape(std::span<const int64_t>(sizes)), dtype_);
    std::vector<Tensor> seen = {x};
    const int64_t layers = 2 + below(4);
    for (int64_t i = 0; i < layers; ++i) {
      x = i == 0 && below(2) == 0 ? convolved(x) : layer(x);
      for (const Tensor& other : seen) {
        if (other.shape() == x.shape() && below(3) == 0) x = 0.5 * (x + other);
      }
      seen.push_back(x);
    }
    choose_results(x, seen);
  }

 private:
  int64_t below(int64_t n) { return static_cast<int64_t>(rng_() % static_cast<uint64_t>(n)); }

  Array values(const std::vector<int64_t>& sizes, double low, double high) {
    return uniform_array(rng_, sizes, dtype_, low, high);
  }

  Tensor parameter(const std::vector<int64_t>& sizes, double low, double high) {
    const std::string name = "w" + std::to_string(parameters_.size());
    made_.state.set(name, values(sizes, low, high));
    parameters_.push_back(made_.graph.parameter(name, Shape(std::span<const int64_t>(sizes)), {}, {.dtype = dtype_}));
    return parameters_.back();
  }

  static int64_t size(const Tensor& x, int axis) { return x.dim(axis).value(); }

  Tensor activated(const Tensor& x) {
    switch (below(4)) {
      case 0:
        return relu(x);
      case 1:
        return tanh(x);
      case 2:
        return x * sigmoid(x);
      default:
        return x;
    }
  }

  // A bias and an activation, or neither: what rides in the epilogue.
  Tensor finished(const Tensor& y) {
    const Tensor biased = below(2) == 0 ? y + parameter({size(y, -1)}, -0.5, 0.5) : y;
    return activated(biased);
  }

  Tensor convolved(const Tensor& x) {
    const int64_t in = size(x, -1), windows[] = {1, 3, 3, 3, 5}, choices[] = {8, 32, 32};
    const int64_t window = windows[below(5)];
    int64_t groups = 1, out = choices[below(3)];
    if (below(4) == 0) groups = out = in;  // depthwise
    if (below(4) == 0 && in % 4 == 0) {
      groups = in / 4;
      out = 2 * groups;
    }
    const double scale = 1.5 / std::sqrt(static_cast<double>(window * window * in / groups));
    const ConvolutionOptions options{.strides = {1 + (below(4) == 0 ? 1 : 0)},
                                     .dilations = {1 + (below(5) == 0 ? 1 : 0)},
                                     .padding = Pad::same,
                                     .groups = groups};
    return finished(convolution(x, parameter({window, window, in / groups, out}, -scale, scale), options));
  }

  Tensor convolved_back(const Tensor& x) {
    const int64_t in = size(x, -1), groups = in % 2 == 0 && below(2) == 0 ? 2 : 1, out = 8 / groups;
    const double scale = 1 / std::sqrt(static_cast<double>(9 * in));
    const ConvTransposeOptions options{
        .strides = {1 + below(2)}, .dilations = {1 + below(2)}, .padding = 1, .groups = groups};
    return finished(conv_transpose(x, parameter({3, 3, out, in}, -scale, scale), options));
  }

  Tensor pooled(const Tensor& x) {
    const PoolOptions options{.window = {2 + below(2)}, .strides = {1 + below(2)}, .padding = Pad::same};
    switch (below(6)) {
      case 0:
        return max_pool(x, options);
      case 1:
        return average_pool(x, options);
      case 2:
        return lp_pool(1.5 + tanh(x), 2, options) * 0.3;
      case 3:
        return adaptive_average_pool(x, {3, 2});
      case 4: {
        if (size(x, 1) < 2 || size(x, 2) < 2) return tanh(x);
        const PoolOptions halves{.window = {2}, .strides = {2}};
        const MaxPool found = max_pool_with_index(x, halves);
        return max_unpool(tanh(found.value), found.index, {x.dim(1), x.dim(2)}, halves);
      }
      default:
        return average_pool(x, options) + reshape(global_average_pool(x), {x.dim(0), 1, 1, x.dim(3)});
    }
  }

  Tensor normed(const Tensor& x) {
    const int64_t channels = size(x, -1);
    switch (below(4)) {
      case 0: {
        nn::BatchNorm norm;
        return activated(norm(x));
      }
      case 1:
        return group_norm(x, channels % 4 == 0 ? 4 : 1, parameter({channels}, 0.5, 1), parameter({channels}, -1, 1),
                          0.1);
      case 2:
        return rms_norm(x, parameter({channels}, 0.5, 1), 0.1);
      default:
        return local_response_norm(x, {.size = 3, .alpha = 0.5});
    }
  }

  Tensor resized(const Tensor& x) {
    const Interpolation kinds[] = {Interpolation::nearest, Interpolation::linear, Interpolation::cubic};
    if (below(3) == 0 && size(x, -1) % 4 == 0) return depth_to_space(x, 2);
    return resize(x, {4 + below(8), 4 + below(8)}, {.interpolation = kinds[below(3)]});
  }

  // Positions look at positions: with a bias that is learned, heads that share keys, and what was before only.
  Tensor attended(const Tensor& x) {
    const int64_t batch = size(x, 0), positions = size(x, 1) * size(x, 2), channels = size(x, -1);
    if (channels % 4 != 0) return cumprod(1 + 0.05 * tanh(x), {.axis = 1});
    const int64_t depth = channels / 4, kv_heads = below(2) == 0 ? 4 : 2;
    const auto heads = [&](const Tensor& y, int64_t count) {
      return reshape(slice(y, -1, {0, count * depth}), {batch, positions, count, depth});
    };
    const Tensor flat = reshape(x, {batch, positions, channels});
    AttentionOptions options{.causal = below(2) == 0, .scale = 0.5};
    if (below(2) == 0) options.bias = parameter({4, 1, positions}, -1, 1);
    return reshape(attention(heads(flat, 4), heads(tanh(flat), kv_heads), heads(0.5 * flat, kv_heads), options),
                   x.shape());
  }

  Tensor layer(const Tensor& x) {
    switch (below(10)) {
      case 0:
        return convolved_back(x);
      case 1:
        return pooled(x);
      case 2:
      case 3:
        return normed(x);
      case 4:
        return resized(x);
      case 5:
        return attended(x);
      default:
        return convolved(x);
    }
  }

  void choose_results(const Tensor& x, const std::vector<Tensor>& seen) {
    const Tensor loss = mean(square(x) + 0.3 * x);
    made_.outputs = {x, loss, seen[static_cast<size_t>(below(static_cast<int64_t>(seen.size())))]};
    std::vector<Tensor> trained;
    for (const Tensor& p : made_.graph.parameters()) {
      if (is_trainable(p.node())) trained.push_back(p);
      if (!made_.state.has(p.name())) {  // of batch norm
        const int64_t channels = p.dim(0).value();
        made_.state.set(p.name(), values({channels}, 0.5, 1.5));
      }
    }
    trained.push_back(seen.front());
    const std::vector<Tensor> slopes = gradients(loss, trained);
    for (size_t i = 0; i + 1 < trained.size(); ++i) made_.updates.push_back({trained[i], trained[i] - 0.1 * slopes[i]});
    made_.outputs.push_back(slopes.back());
  }

  std::mt19937_64 rng_;
  RandomGraph& made_;
  DType dtype_ = DType::f32;
  std::vector<Tensor> parameters_;
};

}  // namespace

RandomGraph random_image_graph(uint64_t seed) {
  RandomGraph made;
  ImageMaker(seed, made).run();
  return made;
}

}  // namespace gradloom::test
