// The networks of the comparison, as somebody who knows libtorch would write them, and the numbers they start from.
#pragma once

#include "peer_data.hpp"

#include <torch/torch.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace peers {

namespace nn = torch::nn;
using torch::Tensor;

// Set once from the command line.
struct ModelOptions {
  bool channels_last = false;
  bool print_params = false;
};
inline ModelOptions g_model_options;

inline Tensor uniform(at::IntArrayRef shape, float lo, float hi, uint64_t seed) {
  Tensor t = torch::empty(shape);
  fill_uniform(t.data_ptr<float>(), t.numel(), lo, hi, seed);
  return t;
}

inline Tensor input(at::IntArrayRef shape) { return uniform(shape, -1.0f, 1.0f, kInputSeed); }

inline Tensor labels(at::IntArrayRef shape, int classes, uint64_t seed = kTargetSeed) {
  Tensor t = torch::empty(shape, torch::kInt64);
  fill_labels(t.data_ptr<int64_t>(), t.numel(), classes, seed);
  return t;
}

// Rank 2 and up: uniform within 1/sqrt(fan-in), fan-in being the product of all
// sizes but the first.  Rank 1: gains of norms one, every bias zero.
inline void set_parameters(nn::Module& model) {
  torch::NoGradGuard no_grad;
  uint64_t k = 0;
  for (auto& item : model.named_parameters()) {
    Tensor& p = item.value();
    if (p.dim() >= 2) {
      const float bound = 1.0f / std::sqrt(static_cast<float>(p.numel() / p.size(0)));
      p.copy_(uniform(p.sizes(), -bound, bound, kParameterSeed + k));
    } else {
      const std::string& key = item.key();
      const bool gain = key.size() >= 6 && key.compare(key.size() - 6, 6, "weight") == 0;
      p.fill_(gain ? 1.0 : 0.0);
    }
    if (g_model_options.print_params) std::cerr << k << '\t' << item.key() << '\t' << p.sizes() << '\n';
    ++k;
  }
}

// Work of one step of the model built last, matrix products and convolutions only.
inline double g_flops = 0;

// A product whose backward needs `grads` more of the same size: 2 inside a
// network, 1 where the input needs no gradient, 0 for inference.
inline void count_product(double rows, double in, double out, int grads) {
  g_flops += 2.0 * rows * in * out * (1 + grads);
}

inline int grads_of(bool training, bool first) { return training ? (first ? 1 : 2) : 0; }

struct Mlp : nn::Module {
  using Activation = std::function<Tensor(const Tensor&)>;
  Mlp(const std::vector<int64_t>& sizes, Activation hidden, int64_t batch, bool training, Activation last = nullptr)
      : hidden_(std::move(hidden)), last_(std::move(last)) {
    for (size_t i = 0; i + 1 < sizes.size(); ++i) {
      layers_.push_back(register_module("fc" + std::to_string(i), nn::Linear(sizes[i], sizes[i + 1])));
      count_product(batch, sizes[i], sizes[i + 1], grads_of(training, i == 0));
    }
  }
  Tensor forward(Tensor x) {
    for (size_t i = 0; i < layers_.size(); ++i) {
      x = layers_[i](x);
      if (i + 1 < layers_.size()) x = hidden_(x);
    }
    return last_ ? last_(x) : x;
  }
  std::vector<nn::Linear> layers_;
  Activation hidden_, last_;
};

inline Tensor relu(const Tensor& x) { return torch::relu(x); }
inline Tensor tanh(const Tensor& x) { return torch::tanh(x); }
inline Tensor sigmoid(const Tensor& x) { return torch::sigmoid(x); }
// An activation somebody made up, written with the primitives at hand.
inline Tensor made_up(const Tensor& x) { return x * torch::tanh(torch::log1p(torch::exp(x))); }

struct LeNet : nn::Module {
  LeNet(int64_t batch, bool training) {
    conv1 = register_module("conv1", nn::Conv2d(nn::Conv2dOptions(1, 32, 5).padding(2)));
    conv2 = register_module("conv2", nn::Conv2d(nn::Conv2dOptions(32, 64, 5).padding(2)));
    fc1 = register_module("fc1", nn::Linear(64 * 7 * 7, 512));
    fc2 = register_module("fc2", nn::Linear(512, 10));
    count_product(batch * 28.0 * 28, 25, 32, grads_of(training, true));
    count_product(batch * 14.0 * 14, 32 * 25, 64, grads_of(training, false));
    count_product(batch, 64 * 49, 512, grads_of(training, false));
    count_product(batch, 512, 10, grads_of(training, false));
  }
  Tensor forward(Tensor x) {
    x = torch::max_pool2d(torch::relu(conv1(x)), 2);
    x = torch::max_pool2d(torch::relu(conv2(x)), 2);
    x = x.flatten(1);
    return fc2(torch::relu(fc1(x)));
  }
  nn::Conv2d conv1{nullptr}, conv2{nullptr};
  nn::Linear fc1{nullptr}, fc2{nullptr};
};

inline nn::Conv2d plain_conv(int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  return nn::Conv2d(nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

struct BasicBlock : nn::Module {
  BasicBlock(int64_t in, int64_t out, int64_t side, int64_t batch, bool training) {
    const int64_t stride = in == out ? 1 : 2;
    conv1 = register_module("conv1", plain_conv(in, out, 3, stride));
    bn1 = register_module("bn1", nn::BatchNorm2d(out));
    conv2 = register_module("conv2", plain_conv(out, out, 3, 1));
    bn2 = register_module("bn2", nn::BatchNorm2d(out));
    const double pixels = static_cast<double>(batch) * side * side;
    count_product(pixels, in * 9, out, grads_of(training, false));
    count_product(pixels, out * 9, out, grads_of(training, false));
    if (in != out) {
      shortcut = register_module("shortcut", plain_conv(in, out, 1, stride));
      shortcut_bn = register_module("shortcut_bn", nn::BatchNorm2d(out));
      count_product(pixels, in, out, grads_of(training, false));
    }
  }
  Tensor forward(const Tensor& x) {
    Tensor y = torch::relu(bn1(conv1(x)));
    y = bn2(conv2(y));
    return torch::relu(y + (shortcut.is_empty() ? x : shortcut_bn(shortcut(x))));
  }
  nn::Conv2d conv1{nullptr}, conv2{nullptr}, shortcut{nullptr};
  nn::BatchNorm2d bn1{nullptr}, bn2{nullptr}, shortcut_bn{nullptr};
};

// The shortcut where the shape changes is a 1x1 convolution with batch-norm.
struct ResNet20 : nn::Module {
  ResNet20(int64_t batch, bool training) {
    conv = register_module("conv", plain_conv(3, 16, 3, 1));
    bn = register_module("bn", nn::BatchNorm2d(16));
    count_product(batch * 32.0 * 32, 27, 16, grads_of(training, true));
    int64_t in = 16, side = 32;
    for (int64_t out : {16, 32, 64}) {
      if (out != in) side /= 2;
      for (int i = 0; i < 3; ++i) {
        blocks.push_back(register_module("block" + std::to_string(blocks.size()),
                                         std::make_shared<BasicBlock>(in, out, side, batch, training)));
        in = out;
      }
    }
    fc = register_module("fc", nn::Linear(64, 10));
    count_product(batch, 64, 10, grads_of(training, false));
  }
  Tensor forward(Tensor x) {
    x = torch::relu(bn(conv(x)));
    for (auto& block : blocks) x = block->forward(x);
    return fc(x.mean({2, 3}));
  }
  nn::Conv2d conv{nullptr};
  nn::BatchNorm2d bn{nullptr};
  std::vector<std::shared_ptr<BasicBlock>> blocks;
  nn::Linear fc{nullptr};
};

struct CharLstm : nn::Module {
  CharLstm(int64_t vocab, int64_t width, int64_t hidden, int64_t steps, int64_t batch) {
    embedding = register_module("embedding", nn::Embedding(vocab, width));
    lstm = register_module("lstm", nn::LSTM(nn::LSTMOptions(width, hidden)));
    out = register_module("out", nn::Linear(hidden, vocab));
    const double rows = static_cast<double>(steps) * batch;
    count_product(rows, width, 4 * hidden, 2);
    count_product(rows, hidden, 4 * hidden, 2);
    count_product(rows, hidden, vocab, 2);
  }
  Tensor forward(const Tensor& tokens) {  // [steps, batch] -> [steps * batch, vocab]
    Tensor y = std::get<0>(lstm(embedding(tokens)));
    return out(y.flatten(0, 1));
  }
  nn::Embedding embedding{nullptr};
  nn::LSTM lstm{nullptr};
  nn::Linear out{nullptr};
};

struct GptBlock : nn::Module {
  GptBlock(int64_t width, int64_t heads, int64_t length, int64_t batch) : heads_(heads) {
    norm1 = register_module("norm1", nn::LayerNorm(nn::LayerNormOptions({width})));
    qkv = register_module("qkv", nn::Linear(width, 3 * width));
    proj = register_module("proj", nn::Linear(width, width));
    norm2 = register_module("norm2", nn::LayerNorm(nn::LayerNormOptions({width})));
    up = register_module("up", nn::Linear(width, 4 * width));
    down = register_module("down", nn::Linear(4 * width, width));
    const double rows = static_cast<double>(batch) * length;
    count_product(rows, width, 3 * width, 2);
    count_product(rows, width, width, 2);
    count_product(rows, width, 4 * width, 2);
    count_product(rows, 4 * width, width, 2);
    count_product(rows, width, length, 2);  // scores, all heads together
    count_product(rows, length, width, 2);  // weighted values
  }
  Tensor forward(const Tensor& x, const Tensor& blocked) {
    const int64_t batch = x.size(0), length = x.size(1), width = x.size(2);
    const int64_t head = width / heads_;
    auto parts = qkv(norm1(x)).chunk(3, 2);
    const auto split = [&](const Tensor& t) { return t.view({batch, length, heads_, head}).transpose(1, 2); };
    Tensor scores = torch::matmul(split(parts[0]), split(parts[1]).transpose(2, 3));
    scores = scores * (1.0 / std::sqrt(static_cast<double>(head)));
    scores = scores.masked_fill(blocked, -1e9);
    Tensor mixed = torch::matmul(torch::softmax(scores, 3), split(parts[2]));
    Tensor y = x + proj(mixed.transpose(1, 2).contiguous().view({batch, length, width}));
    return y + down(torch::gelu(up(norm2(y))));
  }
  // One token x [1, 1, width] at a position; keys and values [1, heads, capacity, head] of those before it.
  Tensor next(const Tensor& x, const Tensor& keys, const Tensor& values, int64_t position) {
    const int64_t width = x.size(2), head = width / heads_;
    auto parts = qkv(norm1(x)).chunk(3, 2);
    const auto split = [&](const Tensor& t) { return t.view({1, 1, heads_, head}).transpose(1, 2); };
    keys.narrow(2, position, 1).copy_(split(parts[1]));
    values.narrow(2, position, 1).copy_(split(parts[2]));
    Tensor scores = torch::matmul(split(parts[0]), keys.narrow(2, 0, position + 1).transpose(2, 3));
    scores = torch::softmax(scores * (1.0 / std::sqrt(static_cast<double>(head))), 3);
    Tensor mixed = torch::matmul(scores, values.narrow(2, 0, position + 1));
    Tensor y = x + proj(mixed.transpose(1, 2).contiguous().view({1, 1, width}));
    return y + down(torch::gelu(up(norm2(y))));
  }
  int64_t heads_;
  nn::LayerNorm norm1{nullptr}, norm2{nullptr};
  nn::Linear qkv{nullptr}, proj{nullptr}, up{nullptr}, down{nullptr};
};

struct Gpt : nn::Module {
  Gpt(int64_t vocab, int64_t width, int64_t heads, int64_t layers, int64_t length, int64_t batch) {
    token = register_module("token", nn::Embedding(vocab, width));
    position = register_module("position", nn::Embedding(length, width));
    for (int64_t i = 0; i < layers; ++i)
      blocks.push_back(
          register_module("block" + std::to_string(i), std::make_shared<GptBlock>(width, heads, length, batch)));
    norm = register_module("norm", nn::LayerNorm(nn::LayerNormOptions({width})));
    head = register_module("head", nn::Linear(width, vocab));
    count_product(static_cast<double>(batch) * length, width, vocab, 2);
    places = torch::arange(length);
    blocked = torch::ones({length, length}, torch::kBool).triu(1);
  }
  Tensor forward(const Tensor& tokens) {  // [batch, length] -> [batch * length, vocab]
    Tensor x = token(tokens) + position(places);
    for (auto& block : blocks) x = block->forward(x, blocked);
    return head(norm(x)).flatten(0, 1);
  }
  nn::Embedding token{nullptr}, position{nullptr};
  std::vector<std::shared_ptr<GptBlock>> blocks;
  nn::LayerNorm norm{nullptr};
  nn::Linear head{nullptr};
  Tensor places, blocked;
};

// Blocks in use, with their caches, filled as if there had been tokens before.
struct GptToken : nn::Module {
  GptToken(int64_t width, int64_t heads, int64_t layers, int64_t capacity, int64_t before) : position(before) {
    uint64_t seed = kTargetSeed;
    const auto cache = [&] {
      return uniform({1, capacity, heads, width / heads}, -1.0f, 1.0f, seed++).transpose(1, 2).contiguous();
    };
    for (int64_t i = 0; i < layers; ++i) {
      blocks.push_back(register_module("block" + std::to_string(i), std::make_shared<GptBlock>(width, heads, 1, 1)));
      keys.push_back(cache());
      values.push_back(cache());
    }
    g_flops = 2.0 * layers * width * (12 * width + 2 * (position + 1));
  }
  Tensor forward(Tensor x) {
    for (size_t i = 0; i < blocks.size(); ++i) x = blocks[i]->next(x, keys[i], values[i], position);
    return x;
  }
  std::vector<std::shared_ptr<GptBlock>> blocks;
  std::vector<Tensor> keys, values;
  int64_t position;
};

struct WideDag : nn::Module {
  WideDag(int64_t branches, int64_t depth, int64_t width, int64_t batch) {
    for (int64_t b = 0; b < branches; ++b) {
      layers.emplace_back();
      for (int64_t d = 0; d < depth; ++d) {
        layers.back().push_back(
            register_module("b" + std::to_string(b) + "_fc" + std::to_string(d), nn::Linear(width, width)));
        count_product(batch, width, width, d == 0 ? 1 : 2);
      }
    }
    out = register_module("out", nn::Linear(branches * width, 10));
    count_product(batch, branches * width, 10, 2);
  }
  Tensor forward(const Tensor& x) {
    std::vector<Tensor> ends;
    for (auto& branch : layers) {
      Tensor y = x;
      for (auto& layer : branch) y = torch::tanh(layer(y));
      ends.push_back(y);
    }
    return out(torch::cat(ends, 1));
  }
  std::vector<std::vector<nn::Linear>> layers;
  nn::Linear out{nullptr};
};

}  // namespace peers
