// Every case of libtorch_suite but the complete trainings: a name and what one step does.
#pragma once

#include "libtorch_models.hpp"
#include "peer_data.hpp"

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace peers {

namespace F = torch::nn::functional;

// A built case: `step` does one unit of work and returns the loss, or for a
// case without one any tensor whose mean serves as a checksum.
struct Case {
  std::function<Tensor()> step;
  double flops = 0;
  double bytes = 0;
};

inline Tensor maybe_channels_last(const Tensor& x) {
  return g_model_options.channels_last && x.dim() == 4 ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

template <class Model>
void prepare(Model& model) {
  set_parameters(*model);
  if (!g_model_options.channels_last) return;
  torch::NoGradGuard no_grad;
  for (auto& p : model->parameters()) p.set_data(maybe_channels_last(p));
}

using Loss = std::function<Tensor(const Tensor&, const Tensor&)>;

inline Tensor cross_entropy(const Tensor& out, const Tensor& target) { return F::cross_entropy(out, target); }
inline Tensor mse(const Tensor& out, const Tensor& target) { return F::mse_loss(out, target); }
inline Tensor bce(const Tensor& out, const Tensor& target) { return F::binary_cross_entropy(out, target); }

template <class Model>
Case training(std::shared_ptr<Model> model, std::shared_ptr<torch::optim::Optimizer> optimizer, Tensor x, Tensor target,
              Loss loss_of) {
  Case c;
  c.flops = g_flops;
  x = maybe_channels_last(x);
  c.step = [=]() {
    Tensor loss = loss_of(model->forward(x), target);
    optimizer->zero_grad();
    loss.backward();
    optimizer->step();
    return loss.detach();
  };
  return c;
}

template <class Model>
Case inference(std::shared_ptr<Model> model, Tensor x) {
  prepare(model);
  model->eval();
  Case c;
  c.flops = g_flops;
  x = maybe_channels_last(x);
  c.step = [=]() {
    c10::InferenceMode guard;
    return model->forward(x);
  };
  return c;
}

template <class Model>
auto sgd(const Model& model, double rate, double momentum = 0, double decay = 0) {
  return std::make_shared<torch::optim::SGD>(model->parameters(),
                                             torch::optim::SGDOptions(rate).momentum(momentum).weight_decay(decay));
}
template <class Model>
auto adam(const Model& model, double rate = 1e-3) {
  return std::make_shared<torch::optim::Adam>(model->parameters(), torch::optim::AdamOptions(rate));
}
template <class Model>
auto adamw(const Model& model, double rate, double decay) {
  return std::make_shared<torch::optim::AdamW>(model->parameters(),
                                               torch::optim::AdamWOptions(rate).weight_decay(decay));
}

constexpr int64_t kMany = 16 * 1024 * 1024;

inline Tensor chain8(const Tensor& x) {
  Tensor y = x * 1.5;
  y = y + 0.25;
  y = torch::relu(y);
  y = y - 0.5;
  y = torch::abs(y);
  y = torch::clamp_min(y, 0.1);
  y = torch::square(y);
  return y * 0.75;
}

inline Tensor chain8_in_place(Tensor y, const Tensor& x) {
  torch::mul_out(y, x, torch::scalar_tensor(1.5));
  return y.add_(0.25).relu_().sub_(0.5).abs_().clamp_min_(0.1).square_().mul_(0.75);
}

// y = f(x) and dx from a fixed dy.
inline Case there_and_back(Tensor x, std::function<Tensor(const Tensor&)> f, double arrays_moved) {
  Case c;
  c.bytes = arrays_moved * x.numel() * 4.0;
  x.requires_grad_(true);
  const Tensor dy = uniform(x.sizes(), -1.0f, 1.0f, kTargetSeed);
  c.step = [=]() {
    Tensor y = f(x);
    return torch::autograd::grad({y}, {x}, {dy})[0];
  };
  return c;
}

inline Case forward_only(Tensor x, std::function<Tensor(const Tensor&)> f, double arrays_moved) {
  Case c;
  c.bytes = arrays_moved * x.numel() * 4.0;
  c.step = [=]() {
    c10::InferenceMode guard;
    return f(x);
  };
  return c;
}

struct ConvShape {
  const char* name;
  int64_t in, out, side, kernel, stride, groups;
};

inline const ConvShape kConvShapes[] = {
    {"conv_3x3_64c_56", 64, 64, 56, 3, 1, 1},        {"conv_3x3_128c_28", 128, 128, 28, 3, 1, 1},
    {"conv_3x3_256c_14", 256, 256, 14, 3, 1, 1},     {"conv_1x1_64to256c_56", 64, 256, 56, 1, 1, 1},
    {"conv_dw3x3_128c_28", 128, 128, 28, 3, 1, 128}, {"conv_3x3s2_64to128c_56", 64, 128, 56, 3, 2, 1},
};

enum class ConvPart { forward, data, weights };

inline Case convolution(const ConvShape& s, ConvPart part) {
  const int64_t batch = 16, pad = s.kernel / 2, out_side = (s.side + s.stride - 1) / s.stride;
  Case c;
  c.flops = 2.0 * batch * out_side * out_side * s.out * (s.in / s.groups) * s.kernel * s.kernel;
  Tensor x = maybe_channels_last(input({batch, s.in, s.side, s.side}));
  Tensor w = maybe_channels_last(uniform({s.out, s.in / s.groups, s.kernel, s.kernel}, -0.1f, 0.1f, kParameterSeed));
  Tensor dy = maybe_channels_last(uniform({batch, s.out, out_side, out_side}, -1.0f, 1.0f, kTargetSeed));
  const int64_t stride = s.stride, groups = s.groups;
  c.step = [=]() {
    torch::NoGradGuard no_grad;
    if (part == ConvPart::forward) return torch::conv2d(x, w, {}, stride, pad, 1, groups);
    const bool data = part == ConvPart::data;
    auto grads = at::convolution_backward(dy, x, w, c10::nullopt, {stride, stride}, {pad, pad}, {1, 1}, false, {0, 0},
                                          groups, {data, !data, false});
    return data ? std::get<0>(grads) : std::get<1>(grads);
  };
  return c;
}

std::map<std::string, std::function<Case()>> all_cases() {
  std::map<std::string, std::function<Case()>> m;

  m["mlp_tiny"] = [] {
    auto model = std::make_shared<Mlp>(std::vector<int64_t>{2, 4, 4, 1}, tanh, 32, true, sigmoid);
    prepare(model);
    return training(model, sgd(model, 0.1), input({32, 2}), labels({32, 1}, 2).to(torch::kFloat32), bce);
  };
  m["mlp_mnist"] = [] {
    auto model = std::make_shared<Mlp>(std::vector<int64_t>{784, 512, 256, 10}, relu, 128, true);
    prepare(model);
    return training(model, adam(model), input({128, 784}), labels({128}, 10), cross_entropy);
  };
  m["mlp_wide"] = [] {
    auto model = std::make_shared<Mlp>(std::vector<int64_t>{1024, 2048, 2048, 1024}, relu, 256, true);
    prepare(model);
    return training(model, sgd(model, 0.01), input({256, 1024}), uniform({256, 1024}, -1.0f, 1.0f, kTargetSeed), mse);
  };
  m["mlp_custom_act"] = [] {
    auto model = std::make_shared<Mlp>(std::vector<int64_t>{784, 1024, 1024, 10}, made_up, 256, true);
    prepare(model);
    return training(model, adam(model), input({256, 784}), labels({256}, 10), cross_entropy);
  };
  m["lenet"] = [] {
    auto model = std::make_shared<LeNet>(64, true);
    prepare(model);
    return training(model, adam(model), input({64, 1, 28, 28}), labels({64}, 10), cross_entropy);
  };
  m["resnet20"] = [] {
    auto model = std::make_shared<ResNet20>(64, true);
    prepare(model);
    return training(model, sgd(model, 0.1, 0.9, 1e-4), input({64, 3, 32, 32}), labels({64}, 10), cross_entropy);
  };
  m["lstm_char"] = [] {
    auto model = std::make_shared<CharLstm>(96, 128, 256, 64, 32);
    prepare(model);
    return training(model, adam(model), labels({64, 32}, 96, kInputSeed), labels({64 * 32}, 96), cross_entropy);
  };
  m["gpt_tiny"] = [] {
    auto model = std::make_shared<Gpt>(96, 256, 4, 4, 128, 8);
    prepare(model);
    return training(model, adamw(model, 3e-4, 0.01), labels({8, 128}, 96, kInputSeed), labels({8 * 128}, 96),
                    cross_entropy);
  };
  m["wide_dag"] = [] {
    auto model = std::make_shared<WideDag>(16, 6, 128, 16);
    prepare(model);
    return training(model, sgd(model, 0.05), input({16, 128}), labels({16}, 10), cross_entropy);
  };

  m["mlp_mnist_b1"] = [] {
    return inference(std::make_shared<Mlp>(std::vector<int64_t>{784, 512, 256, 10}, relu, 1, false), input({1, 784}));
  };
  m["lenet_b1"] = [] { return inference(std::make_shared<LeNet>(1, false), input({1, 1, 28, 28})); };
  m["resnet20_b1"] = [] { return inference(std::make_shared<ResNet20>(1, false), input({1, 3, 32, 32})); };
  m["resnet20_b64"] = [] { return inference(std::make_shared<ResNet20>(64, false), input({64, 3, 32, 32})); };

  m["gpt_token"] = [] { return inference(std::make_shared<GptToken>(512, 8, 8, 2048, 1000), input({1, 1, 512})); };

  m["ew_chain8"] = [] { return forward_only(input({kMany}), chain8, 2); };
  m["ew_chain8_inplace"] = [] {
    Tensor y = torch::zeros({kMany});
    return forward_only(
        input({kMany}), [y](const Tensor& x) { return chain8_in_place(y, x); }, 2);
  };
  m["ew_chain8_fb"] = [] { return there_and_back(input({kMany}), chain8, 3); };
  m["mish_1m_fb"] = [] { return there_and_back(input({1024 * 1024}), made_up, 3); };
  m["gelu_16m"] = [] {
    return forward_only(
        input({kMany}), [](const Tensor& x) { return torch::gelu(x); }, 2);
  };
  m["sum_16m"] = [] {
    return forward_only(
        input({kMany}), [](const Tensor& x) { return x.sum(); }, 1);
  };
  // Forward reads x and writes y; backward reads y (or x) and dy and writes dx.
  m["softmax_4096x1024"] = [] {
    return there_and_back(
        input({4096, 1024}), [](const Tensor& x) { return torch::softmax(x, 1); }, 5);
  };
  m["layernorm_4096x1024"] = [] {
    Tensor gain = torch::ones({1024}), bias = torch::zeros({1024});
    gain.requires_grad_(true);
    bias.requires_grad_(true);
    Case c = there_and_back(input({4096, 1024}), nullptr, 5);
    Tensor x = input({4096, 1024}).requires_grad_(true);
    Tensor dy = uniform({4096, 1024}, -1.0f, 1.0f, kTargetSeed);
    c.step = [=]() {
      Tensor y = torch::layer_norm(x, {1024}, gain, bias);
      return torch::autograd::grad({y}, {x, gain, bias}, {dy})[0];
    };
    return c;
  };

  for (const auto& shape : kConvShapes) {
    const std::string name = shape.name;
    m[name + "_fwd"] = [&shape] { return convolution(shape, ConvPart::forward); };
    m[name + "_bwd_data"] = [&shape] { return convolution(shape, ConvPart::data); };
    m[name + "_bwd_weights"] = [&shape] { return convolution(shape, ConvPart::weights); };
  }
  return m;
}

}  // namespace peers
