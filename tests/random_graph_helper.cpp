#include "random_graph_helper.hpp"

#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/ops/argreduce.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/cond.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/convolution.hpp>
#include <gradloom/ops/cumulative.hpp>
#include <gradloom/ops/einsum.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/layer_norm.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/mod.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/pooling.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/random.hpp>
#include <gradloom/ops/rearrange.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/ops/scan.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/ops/softmax.hpp>
#include <gradloom/ops/sort.hpp>
#include <gradloom/ops/stop_gradient.hpp>
#include <gradloom/ops/trigonometric.hpp>
#include <gradloom/ops/where.hpp>
#include <gradloom/ops/while_loop.hpp>

#include <algorithm>
#include <random>

namespace gradloom::test {

Array uniform_array(std::mt19937_64& rng, const std::vector<int64_t>& sizes, DType dtype, double low, double high) {
  Array array{std::span<const int64_t>(sizes), dtype};
  std::uniform_real_distribution<double> uniform(low, high);
  if (dtype == DType::f32) {
    for (float& x : array.data<float>()) x = static_cast<float>(uniform(rng));
  } else {
    for (double& x : array.data<double>()) x = uniform(rng);
  }
  return array;
}

namespace {

class Maker {
 public:
  Maker(uint64_t seed, RandomGraph& made, bool loops)
      : rng_(seed), made_(made), convolves_(seed % 3 == 1 && !loops), attends_(seed % 3 == 0), loops_(loops) {}

  void run() {
    const int64_t sizes[] = {1, 2, 3, 5, 7, 16, 17, 33};
    rows_ = below(20) == 0 ? 0 : sizes[below(8)];
    columns_ = sizes[below(8)];
    if (below(4) == 0) rows_ = 1000 + below(2000);  // more than one chunk
    const DType dtype = below(5) == 0 ? DType::f64 : DType::f32;
    for (int i = 0; i < 2; ++i) {
      const std::string name = "x" + std::to_string(i);
      const std::vector<int64_t> shape = i == 0 ? std::vector{rows_, columns_} : std::vector{columns_};
      made_.inputs.set(name, values(shape, dtype));
      add(made_.graph.input(name, Shape(std::span<const int64_t>(shape)), dtype));
    }
    for (int i = 0; i < 3; ++i) {
      const std::string name = "w" + std::to_string(i);
      const std::vector<int64_t> shape = i == 0   ? std::vector{columns_, columns_}
                                         : i == 1 ? std::vector{columns_}
                                                  : std::vector{rows_, int64_t{1}};
      made_.state.set(name, values(shape, dtype));
      parameters_.push_back(made_.graph.parameter(name, Shape(std::span<const int64_t>(shape)), {}, {.dtype = dtype}));
      add(parameters_.back());
    }
    const int nodes = 3 + static_cast<int>(below(20));
    for (int i = 0; i < nodes; ++i) add_random();
    choose_results();
  }

 private:
  uint64_t below(uint64_t n) { return rng_() % n; }
  const Tensor& any() { return tensors_[below(tensors_.size())]; }
  void add(const Tensor& tensor) { tensors_.push_back(tensor); }

  Array values(const std::vector<int64_t>& sizes, DType dtype) { return uniform_array(rng_, sizes, dtype, -1.5, 1.5); }

  // Keeps values moderate: every result of something that grows is squeezed.
  Tensor squeezed(const Tensor& x) { return below(2) == 0 ? tanh(x) : x / (1 + abs(x)); }

  // Rows look at rows, with the sign of one of their numbers as a mask now and then.
  Tensor attend(const Tensor& a, const Tensor& b) {
    const auto heads = [](const Tensor& x) { return reshape(x, {x.dim(0), 1, x.dim(1)}); };
    AttentionOptions options{.causal = below(2) == 0, .scale = 0.5};
    if (below(3) == 0) options.mask = transpose(slice(a, 1, {0, 1}) > 0);
    return reshape(attention(heads(a), heads(b), heads(below(2) == 0 ? a : b), options), a.shape());
  }

  // Parts of x in other places.
  Tensor moved(const Tensor& x) {
    const Dim size = x.dim(-1), half = size / 2;
    switch (below(3)) {
      case 0:
        return concat({slice(x, -1, {half, size}), 2 * slice(x, -1, {0, half})}, -1);
      case 1: {
        std::vector<Dim> low(static_cast<size_t>(x.rank()), Dim(0)), high = low;
        low.back() = 2;
        high.front() = 1;
        const Tensor padded = pad(x, {.low = Shape(low), .high = Shape(high), .value = 0.5});
        return slice(slice(padded, -1, {1, size + 1}), 0, {0, x.dim(0)});
      }
      default:
        return slice(x, -1, {.step = -1});
    }
  }

  // Elements of x by indices, some of them more than once.
  Tensor chosen(const Tensor& x) {
    const Dim size = x.dim(-1);
    const Tensor indices = mod(iota(made_.graph, {size}) * 3 + 1, static_cast<long>(size.value()));
    switch (below(3)) {
      case 0:
        return gather(x, indices, -1);
      case 1:
        return take_along_axis(x, broadcast(indices, x.shape()));
      default: {
        const int64_t updated = (size.value() + 1) / 2,
                      start = below(static_cast<uint64_t>(size.value() - updated + 1));
        return update_slice(x, slice(-x, -1, {0, updated}),
                            constant(made_.graph, static_cast<double>(start), DType::i64), -1);
      }
    }
  }

  bool broadcasts(const Tensor& a, const Tensor& b) const {
    for (int axis = 1; axis <= std::min(a.rank(), b.rank()); ++axis) {
      if (a.dim(-axis) != b.dim(-axis) && a.dim(-axis) != Dim(1) && b.dim(-axis) != Dim(1)) return false;
    }
    return true;
  }

  void add_random() {
    const Tensor a = any(), b = any();
    if (loops_ && below(4) == 0) return add_loop(a);
    switch (below(27)) {
      case 0:
        return add(tanh(a));
      case 1:
        return add(sigmoid(2 * a));
      case 2:
        return add(relu(a));
      case 3:
        return add(squeezed(exp(a)));
      case 4:
        return add(squeezed(square(a)));
      case 5:
        return add(sin(a) + cos(a));
      case 6:
        return add(softplus(a) - 0.5);
      case 7:
        return add(-abs(a));
      case 8:
        if (a.rank() == 0) return;
        return add(squeezed(sum(
            a, {.axes = {static_cast<int64_t>(below(static_cast<uint64_t>(a.rank())))}, .keepdims = below(2) == 0})));
      case 9:
        return add(squeezed(sum(a)));
      case 10:
        if (a.rank() != 2) return;
        if (a.dim(1) == Dim(columns_)) return add(squeezed(matmul(a, parameters_[0], {.transpose_b = below(2) == 0})));
        return;
      case 11:
        if (attends_ && a.rank() == 2 && b.shape() == a.shape() && rows_ <= 40) return add(attend(a, b));
        break;
      case 12:
        if (a.rank() == 0) return;
        return add(squeezed(cumsum(a, {.exclusive = below(2) == 0, .reverse = below(2) == 0})));
      case 13:
        if (a.rank() == 0) return;
        return add(below(2) == 0 ? flip(a, {-1}) : roll(a, 1 + static_cast<int64_t>(below(3))));
      case 14:
        if (a.rank() != 2) return;
        return add(below(2) == 0 ? tril(a, 1) : triu(a));
      case 15:  // of an input: what passes change in the last bit must not change an order
        return add(below(2) == 0 ? sort(tensors_[0])
                                 : squeezed(top_k(tensors_[0], std::min<int64_t>(columns_, 2)).values));
      case 16:
        if (a.rank() != 2 || a.dim(1) != Dim(columns_)) return;
        return add(squeezed(einsum("ij,kj->ik", {a, parameters_[0]})));
      case 17:
        if (a.rank() == 0) return;
        return add(moved(a));
      case 18:
        if (a.rank() == 0 || a.dim(-1) == Dim(0)) return;
        return add(chosen(a));
      case 19:
        if (a.rank() == 0) return;
        return add(below(2) == 0 ? softmax(a) : squeezed(log_softmax(a)));
      case 20:
        if (a.rank() == 0 || a.dim(-1) != Dim(columns_)) return;
        return add(layer_norm(a, 0.2 * parameters_[1], tensors_[1], 0.1));
      case 21:
        return add(squeezed(variance(a) + mean(a)));
      case 22:  // of parameters and inputs, which are the same whatever the passes do
        switch (below(3)) {
          case 0:
            return add(max(parameters_[0], {.axes = {1}}));
          case 1:
            return add(squeezed(prod(parameters_[1] + 1, {.keepdims = true})) - min(parameters_[1]));
          default:
            return add(one_hot(argmax(tensors_[1], {.keepdims = true}), columns_, a.dtype()) * tensors_[1]);
        }
      default:
        break;
    }
    if (convolves_ && below(6) == 0) return add_convolution(a);
    if (convolves_ && below(6) == 0) return add_pooling(a);
    if (!broadcasts(a, b)) return;
    switch (below(6)) {
      case 0:
        return add(a + b);
      case 1:
        return add(a - b);
      case 2:
        return add(a * b);
      case 3:
        return add(where(less(a, b), a, 2 * b));
      case 4:
        return add(maximum(a, b));
      default:
        return add(squeezed(a / (1.5 + square(b))));
    }
  }

  // Rows of x as positions of one image, or as images of one channel.
  void add_convolution(const Tensor& x) {
    if (x.rank() != 2 || x.dim(1) != Dim(columns_) || x.dim(0) == Dim(0)) return;
    const Dim rows = x.dim(0);
    const Tensor image = reshape(x, {1, rows, columns_}), matrix = parameters_[0], vector = parameters_[1];
    const auto as_x = [&](const Tensor& y) { return squeezed(reshape(y, x.shape())); };
    switch (below(4)) {
      case 0: {  // every channel to every other
        const Tensor kernel = stack({matrix, transpose(matrix), 0.5 * matrix});
        return add(as_x(
            convolution(image, kernel, {.dilations = {1 + static_cast<int64_t>(below(2))}, .padding = Pad::same})));
      }
      case 1: {  // depthwise
        const Tensor kernel = reshape(stack({vector, -vector, 2 * vector}), {3, 1, columns_});
        return add(as_x(convolution(image, kernel, {.padding = Pad::same, .groups = columns_})));
      }
      case 2: {  // with strides, there and back
        const Tensor half = convolution(image, stack({matrix, matrix}), {.strides = {2}, .padding = Pad::same});
        if (rows.value() % 2 != 0) return add(squeezed(sum(half, {.axes = {1}})));
        return add(as_x(conv_transpose(half, stack({matrix, 2 * matrix}), {.strides = {2}, .padding = Pad::same})));
      }
      default: {  // one channel to one
        const Tensor kernel = reshape(stack({sum(vector), sum(matrix) * 0.1, sum(vector) * 0.5}), {3, 1, 1});
        return add(as_x(convolution(reshape(x, {rows, columns_, 1}), kernel, {.padding = 1})));
      }
    }
  }

  // Rows of x as positions of one image, as images of one channel, or x as one image.
  void add_pooling(const Tensor& x) {
    if (x.rank() != 2 || x.dim(0) == Dim(0)) return;
    const Dim rows = x.dim(0), columns = x.dim(1);
    const Shape shapes[] = {{1, rows, columns}, {rows, columns, 1}, {1, rows, columns, 1}};
    const uint64_t which = below(3);
    Tensor image = reshape(x, shapes[which]);
    if (below(3) == 0 && image.dim(-1) == Dim(columns_)) image = image + parameters_[1];
    if (below(2) == 0) image = relu(image);
    const int64_t stride = which == 2 ? 1 : 1 + static_cast<int64_t>(below(2));
    const PoolOptions options{.window = {2 + static_cast<int64_t>(below(2))},
                              .strides = {stride},
                              .padding = Pad::same,
                              .count_padding = below(2) == 0};
    const Tensor y = below(2) == 0 ? max_pool(image, options) : average_pool(image, options);
    add(stride == 1 ? reshape(y, x.shape()) : squeezed(sum(y, {.axes = {1}})));
  }

  // A loop along the rows of a matrix, in either direction, whose steps use a parameter, the carried value and what is
  // around it; in some of them another loop, or a choice.
  void add_loop(const Tensor& a) {
    if (a.rank() != 2 || a.dim(1) != Dim(columns_) || rows_ > 33) return;
    const Tensor weight = parameters_[0], bias = parameters_[1];
    const uint64_t kind = below(8), inner_steps = below(3);
    if (kind == 5) return add_cond(a);
    if (kind == 6) return add(halved(a));
    const Tensor first = full(made_.graph, {1, columns_}, 0.1, a.dtype());
    // Keeps what is carried from growing: in a chaotic loop a last bit decides everything.
    const double gain = 1.0 / static_cast<double>(columns_);
    const ScanResult loop = scan(
        [&](std::span<const Tensor> h, std::span<const Tensor> row) {
          Tensor next = tanh(matmul(h[0], weight) * gain + row[0] + bias);
          if (kind == 1) next = next * random_uniform(made_.graph, next.shape(), 0.5, 1, a.dtype());
          if (kind == 2) {
            next = scan(
                       [&](std::span<const Tensor> c, auto) {
                         return ScanStep{{sin(c[0] + matmul(c[0], weight) * gain)}, {}};
                       },
                       {.carried = {next}, .length = inner_steps})
                       .carried[0];
          }
          if (kind == 7) next = next + halved(next);
          if (kind == 3) {
            next = cond(
                sum(next) > 0, [&] { return std::vector{next * row[0]}; },
                [&] { return std::vector{squeezed(exp(next))}; })[0];
          }
          const Tensor projected = tanh(matmul(expand_dims(row[0], 0), weight, {.transpose_b = true}));
          return ScanStep{{squeezed(next + projected)},
                          {reshape(next, {columns_}), reshape(matmul(next, weight), {columns_})}};
        },
        {.carried = {first}, .sequences = {a}, .reverse = below(2) == 0, .truncate = kind == 4 ? 3 : 0});
    add(loop.carried[0]);
    add(squeezed(loop.outputs[below(2)]));
  }

  // As often as it takes; without a bound, so without a gradient.
  Tensor halved(const Tensor& x) {
    return stop_gradient(while_loop([](std::span<const Tensor> c) { return sum(abs(c[0])) > 0.4; },
                                    [](std::span<const Tensor> c) { return std::vector{0.5 * c[0]}; }, {x})[0]);
  }

  void add_cond(const Tensor& a) {
    const Tensor weight = parameters_[0];
    add(cond(
        sum(a) > 0, [&] { return std::vector{tanh(matmul(a, weight))}; },
        [&] { return std::vector{squeezed(exp(a))}; })[0]);
  }

  void choose_results() {
    Tensor loss;
    for (const Tensor& tensor : tensors_) {
      if (below(3) == 0 || !loss.valid()) loss = loss.valid() ? loss + sum(tensor) * 0.1 : sum(tensor);
    }
    const std::vector<Tensor> slopes = gradients(loss, parameters_);
    for (int i = 0; i < 3; ++i) made_.outputs.push_back(any());  // inputs and parameters among them, twice too
    made_.outputs.push_back(loss);
    made_.outputs.push_back(slopes[below(3)]);
    for (size_t i = 0; i < parameters_.size(); ++i) {
      switch (below(5)) {
        case 0:
          break;
        case 1:  // another tensor of that shape: a value that is used elsewhere too, or another parameter
          for (const Tensor& tensor : tensors_) {
            if (tensor.shape() == parameters_[i].shape() && below(2) == 0) {
              made_.updates.push_back({parameters_[i], tensor});
              break;
            }
          }
          break;
        default:
          made_.updates.push_back({parameters_[i], parameters_[i] - 0.01 * squeezed(slopes[i])});
          if (below(4) == 0) made_.outputs.push_back(made_.updates.back().value);
      }
    }
  }

  std::mt19937_64 rng_;
  RandomGraph& made_;
  bool convolves_, attends_;
  bool loops_;
  int64_t rows_ = 0, columns_ = 0;
  std::vector<Tensor> tensors_, parameters_;
};

}  // namespace

RandomGraph random_graph(uint64_t seed, RandomGraphOptions options) {
  RandomGraph made;
  Maker(seed, made, options.loops).run();
  return made;
}

}  // namespace gradloom::test
