// A training step of a small language model, and the next token of one in use.
#include "case.hpp"
#include "start_values.hpp"
#include "training.hpp"
#include <gradloom/nn/embedding.hpp>
#include <gradloom/nn/layer_norm.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/positions.hpp>
#include <gradloom/nn/transformer.hpp>
#include <gradloom/ops/movement.hpp>

#include <utility>

namespace bench {

namespace {

namespace nn = gl::nn;
using gl::Tensor;

Case gpt_tiny(gl::CompileOptions options) {
  constexpr int64_t vocabulary = 96, width = 256, heads = 4, layers = 4, length = 128, batch = 8;
  Training t(std::move(options));
  gl::Array tokens({batch, length}, gl::DType::i32);
  peers::fill_labels(tokens.data<int32_t>().data(), tokens.data<int32_t>().size(), vocabulary, peers::kInputSeed);
  Tensor x = nn::embedding(t.input(std::move(tokens)), vocabulary, width);
  x = nn::LearnedPositions(length)(x);
  for (int i = 0; i < layers; ++i) {
    x = nn::transformer_block(x, {.heads = heads, .causal = true});
    for (const int64_t product : {3 * width, width, 8 * width}) t.count_product(batch * length, width, product);
    t.count_product(batch * length, width, 2 * length);  // scores and weighted values, as if nothing were masked
  }
  t.count_product(batch * length, width, vocabulary);
  const Tensor logits = nn::dense(nn::layer_norm(x), vocabulary);
  const Tensor loss = nn::softmax_cross_entropy(reshape(logits, {batch * length, vocabulary}),
                                                t.target(labels({batch * length}, vocabulary)));
  return t.finish(loss, [](const Tensor& of) { return nn::adamw(of, {.learning_rate = 3e-4, .weight_decay = 0.01}); });
}

// One token more, where 1,000 came before: their keys and values are in a cache of 2,048, the weights in the Program.
Case gpt_token(gl::CompileOptions options) {
  constexpr int64_t width = 512, heads = 8, layers = 8, position = 1000, capacity = 2048;
  gl::Graph g;
  nn::KeyValueCache cache{.capacity = capacity, .position = g.input("position", {}, gl::DType::i64)};
  Tensor x = g.input("x", {1, 1, width});
  for (int i = 0; i < layers; ++i) x = nn::TransformerBlock({.heads = heads, .causal = true})(x, {.cache = &cache});
  gl::State weights;
  set_parameters(weights, g);
  Case c;
  uint64_t seed = peers::kTargetSeed;
  for (const gl::Update& update : cache.updates)
    c.state.set(update.parameter.name(), uniform({1, capacity, heads, width / heads}, seed++));
  options.outputs = {x};
  options.updates = cache.updates;
  options.mode = gl::Mode::inference;
  options.constants = &weights;
  c.program = gl::compile(options);
  c.inputs.set("x", uniform({1, 1, width}, peers::kInputSeed));
  c.inputs.set("position", gl::Array::from<int64_t>({position}).reshaped({}));
  c.outputs = {gl::Array({1, 1, width})};
  c.flops = 2.0 * layers * width * (12 * width + 2 * (position + 1));
  return c;
}

constexpr NamedCase cases[] = {{"gpt_tiny", gpt_tiny}, {"gpt_token", gpt_token}};

}  // namespace

const std::span<const NamedCase> attention_cases = cases;

}  // namespace bench
