// Networks of convolutions, on images that are channels last here.
#include "case.hpp"
#include "start_values.hpp"
#include "training.hpp"
#include <gradloom/nn/batch_norm.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/pooling.hpp>

#include <initializer_list>
#include <utility>

namespace bench {

namespace {

namespace nn = gl::nn;
using gl::Tensor;

/// A convolution without a bias, with batch-norm.
Tensor conv_norm(Training& t, const Tensor& x, int64_t channels, int64_t window, int64_t stride, bool trains_x = true) {
  return nn::batch_norm(t.conv(
      x, channels, window, {.strides = {stride}, .padding = static_cast<int>(window / 2), .bias = false}, trains_x));
}

Tensor basic_block(Training& t, const Tensor& x, int64_t channels) {
  const bool changes = x.dim(-1) != gl::Dim(channels);
  const int64_t stride = changes ? 2 : 1;
  Tensor y = relu(conv_norm(t, x, channels, 3, stride));
  y = conv_norm(t, y, channels, 3, 1);
  return relu(y + (changes ? conv_norm(t, x, channels, 1, stride) : x));
}

Tensor resnet20(Training& t, Tensor x) {
  x = relu(conv_norm(t, x, 16, 3, 1, false));
  for (const int64_t channels : {16, 32, 64}) {
    for (int block = 0; block < 3; ++block) x = basic_block(t, x, channels);
  }
  return t.dense(gl::global_average_pool(x), 10);
}

Case lenet_step(gl::CompileOptions options) {
  Training t(std::move(options));
  const Tensor logits = lenet(t, t.input(images({64, 1, 28, 28}, peers::kInputSeed)));
  return t.finish(nn::softmax_cross_entropy(logits, t.target(labels({64}, 10))), adam(1e-3));
}

Case resnet20_step(gl::CompileOptions options) {
  Training t(std::move(options));
  const Tensor logits = resnet20(t, t.input(images({64, 3, 32, 32}, peers::kInputSeed)));
  return t.finish(nn::softmax_cross_entropy(logits, t.target(labels({64}, 10))), [](const Tensor& loss) {
    return nn::momentum(loss, {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 1e-4});
  });
}

template <int64_t batch>
Case resnet20_use(gl::CompileOptions options) {
  Training t(std::move(options));
  return t.use(resnet20(t, t.input(images({batch, 3, 32, 32}, peers::kInputSeed))));
}

Case lenet_b1(gl::CompileOptions options) {
  Training t(std::move(options));
  return t.use(lenet(t, t.input(images({1, 1, 28, 28}, peers::kInputSeed))));
}

constexpr NamedCase cases[] = {
    {"lenet", lenet_step},
    {"resnet20", resnet20_step},
    {"resnet20_b64", resnet20_use<64>},
    {"resnet20_b1", resnet20_use<1>},
    {"lenet_b1", lenet_b1},
};

}  // namespace

Tensor lenet(Training& t, Tensor x) {
  for (const int64_t channels : {32, 64}) {
    const bool first = channels == 32;
    x = gl::max_pool(relu(t.conv(x, channels, 5, {.padding = gl::Pad::same}, !first)), {.window = {2}});
  }
  x = relu(t.dense(gl::reshape(x, {x.dim(0), 7 * 7 * 64}), 512));
  return t.dense(x, 10);
}

const std::span<const NamedCase> vision_cases = cases;

}  // namespace bench
