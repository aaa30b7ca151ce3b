#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/embedding.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/nn/positions.hpp>
#include <gradloom/nn/transformer.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/layer_norm.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/random.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::message_without_lines_of;

namespace {

Array random_array(std::initializer_list<int64_t> sizes, unsigned seed) {
  Graph g;
  const Tensor x = random_normal(g, Shape(std::vector<Dim>(sizes.begin(), sizes.end())));
  State state{{.seed = seed}};
  return compile({.outputs = {x}}).run(state, {})[0];
}

Tensor affine(const Graph& g, const std::string& name, const Tensor& x) {
  return matmul(x, g.find_parameter(name + "/weight")) + g.find_parameter(name + "/bias");
}
Tensor norm(const Graph& g, const std::string& name, const Tensor& x) {
  return layer_norm(x, g.find_parameter(name + "/gain"), g.find_parameter(name + "/bias"));
}
Tensor dense_pair(const Graph& g, const Tensor& x) {
  return affine(g, "block_1/down", tanh(affine(g, "block_1/up", x)));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_transformer)

BOOST_AUTO_TEST_CASE(blocks_by_their_formulas) {
  for (const nn::NormPlace place : {nn::NormPlace::first, nn::NormPlace::last}) {
    for (const bool cross : {false, true}) {
      Graph g;
      const Tensor x = g.input("x", {2, 5, 8}), context = g.input("context", {2, 3, 4});
      nn::TransformerBlock block({.heads = 2,
                                  .hidden = 6,
                                  .activation = [](const Tensor& z) { return tanh(z); },
                                  .norm = place,
                                  .cross = cross});
      const Tensor y = cross ? block(x, {.context = context}) : block(x);
      // The layers again, called from here: with the names of the block's they are the same ones.
      const auto attend = [&](const std::string& name, const Tensor& z, const Tensor& to) {
        const Tensor projected = to.valid() ? Tensor() : affine(g, name + "/qkv", z);
        const Tensor q = to.valid() ? affine(g, name + "/q", z) : slice(projected, -1, {0, 8});
        const Tensor kv = to.valid() ? affine(g, name + "/kv", to) : slice(projected, -1, {8});
        const auto heads = [](const Tensor& t) { return reshape(t, {2, t.dim(1), 2, 4}); };
        const std::vector<Tensor> parts = split(kv, 2, -1);
        return affine(g, name + "/out", reshape(attention(heads(q), heads(parts[0]), heads(parts[1])), {2, 5, 8}));
      };
      Tensor z = x;
      if (place == nn::NormPlace::first) {
        z = z + attend("block_1/attention", norm(g, "block_1/norm_1", z), {});
        if (cross) z = z + attend("block_1/cross", norm(g, "block_1/norm_2", z), context);
        z = z + dense_pair(g, norm(g, cross ? "block_1/norm_3" : "block_1/norm_2", z));
      } else {
        z = norm(g, "block_1/norm_1", z + attend("block_1/attention", z, {}));
        if (cross) z = norm(g, "block_1/norm_2", z + attend("block_1/cross", z, context));
        z = norm(g, cross ? "block_1/norm_3" : "block_1/norm_2", z + dense_pair(g, z));
      }
      BOOST_TEST(g.parameters().size() == (cross ? 20u : 12u));
      Batch inputs{{"x", random_array({2, 5, 8}, 1)}};
      if (cross) inputs.set("context", random_array({2, 3, 4}, 2));
      State state;
      const auto got = compile({.outputs = {y, z}}).run(state, inputs);
      BOOST_TEST(all_close(got[0], got[1], 1e-5, 1e-5));
    }
  }
}

/// A language model of digits, each the sum of the two before it, modulo 10.
struct Digits {
  nn::Embedding words{10, 16};
  nn::LearnedPositions places{16};
  nn::TransformerBlock first{{.heads = 2, .causal = true}}, second{{.heads = 2, .causal = true}};
  nn::LayerNorm norm;
  nn::Dense head{10};

  Tensor operator()(const Tensor& digits, nn::KeyValueCache* cache = nullptr) {
    Graph& g = digits.graph();
    const Tensor at = cache == nullptr ? Tensor() : nn::positions(g, digits.dim(-1), cache->position);
    Tensor x = places(words(digits), at);
    x = first(x, {.cache = cache});
    return head(norm(second(x, {.cache = cache})));
  }

  static Array sequences(int64_t count, unsigned seed) {
    const Array digits({count, 17}, DType::i32);
    const Array start = random_array({count, 2}, seed);
    for (int64_t row = 0; row < count; ++row) {
      int32_t* const d = digits.data<int32_t>().data() + row * 17;
      for (int i = 0; i < 2; ++i)
        d[i] = static_cast<int32_t>(std::fabs(start.data<float>()[static_cast<size_t>(2 * row + i)]) * 1000) % 10;
      for (int i = 2; i < 17; ++i) d[i] = (d[i - 1] + d[i - 2]) % 10;
    }
    return digits;
  }
};

BOOST_AUTO_TEST_CASE(masks_of_tokens_and_of_a_context_hide_them) {
  Graph g;
  nn::TransformerBlock block({.heads = 2, .cross = true});
  const Tensor x = g.input("x", {2, 5, 8}), context = g.input("context", {2, 6, 8});
  const Tensor mask = g.input("mask", {5}, DType::boolean), seen = g.input("seen", {6}, DType::boolean);
  const Tensor masked = block(x, {.mask = mask, .context = context, .context_mask = seen}),
               shorter = block(slice(x, 1, {0, 4}), {.context = slice(context, 1, {2, 6})});
  State state;
  const std::vector<Array> got =
      compile({.outputs = {slice(masked, 1, {0, 4}), shorter, slice(block(x, {.context = context}), 1, {0, 4})}})
          .run(state, {{"x", random_array({2, 5, 8}, 1)},
                       {"context", random_array({2, 6, 8}, 2)},
                       {"mask", Array::from<bool>({true, true, true, true, false})},
                       {"seen", Array::from<bool>({false, false, true, true, true, true})}});
  BOOST_TEST(all_close(got[0], got[1], 1e-5, 1e-6));
  BOOST_TEST(!all_close(got[2], got[1], 1e-2, 1e-2));
}

BOOST_AUTO_TEST_CASE(a_language_model_learns_and_goes_on_by_its_cache) {
  Graph g;
  Digits model;
  const Tensor text = g.input("text", {"batch", 17}, DType::i32);
  const Tensor logits = model(slice(text, 1, {0, 16}));
  const Tensor loss = nn::softmax_cross_entropy(slice(logits, 1, {1}), slice(text, 1, {2}));
  const Program train = compile({.outputs = {loss}, .updates = nn::adam(loss, {.learning_rate = 5e-3})});
  State state{{.seed = 1}};
  float last = 0;
  for (unsigned step = 0; step < 150; ++step)
    last = train.run(state, {{"text", Digits::sequences(64, step)}})[0].item<float>();
  BOOST_TEST(last < 0.5);

  // Token by token, the same logits as for the whole sequence at once.
  nn::KeyValueCache cache{.capacity = 16, .position = g.input("position", {}, DType::i64)};
  const Tensor next = model(g.input("next", {1, 1}, DType::i32), &cache);
  const Program step = compile({.outputs = {next}, .updates = cache.updates, .mode = Mode::inference});
  const Program whole = compile({.outputs = {logits}, .mode = Mode::inference});
  const Array digits = Digits::sequences(1, 99);
  const Array all = whole.run(state, {{"text", digits}})[0];
  int right = 0;
  for (int64_t at = 0; at < 16; ++at) {
    const Array one({1, 1}, DType::i32);
    one.data<int32_t>()[0] = digits.data<int32_t>()[static_cast<size_t>(at)];
    const Array got = step.run(state, {{"next", one}, {"position", Array::from<int64_t>({at}).reshaped({})}})[0];
    int best = 0;
    for (size_t i = 0; i < 10; ++i) {
      BOOST_TEST(std::fabs(got.data<float>()[i] - all.data<float>()[static_cast<size_t>(at) * 10 + i]) < 1e-4);
      if (got.data<float>()[i] > got.data<float>()[static_cast<size_t>(best)]) best = static_cast<int>(i);
    }
    right += at > 0 && best == digits.data<int32_t>()[static_cast<size_t>(at) + 1] ? 1 : 0;
  }
  BOOST_TEST(right >= 12);
}

BOOST_AUTO_TEST_CASE(frozen_blocks_stay_and_dropout_drops_in_training_only) {
  Graph g;
  const Tensor x = g.input("x", {2, 5, 8});
  const Tensor y = nn::transformer_block(x, {.heads = 2, .dropout = 0.5, .trainable = false});
  const auto refused = message_without_lines_of([&] { (void)nn::adam(sum(y)); });
  BOOST_TEST(refused.find("there is no trainable parameter") != std::string::npos);
  State state;
  const Batch inputs{{"x", random_array({2, 5, 8}, 1)}};
  const Program training = compile({.outputs = {y}}), inference = compile({.outputs = {y}, .mode = Mode::inference});
  (void)training.run(state, inputs);
  BOOST_TEST(!same_bits(training.run(state, inputs)[0], inference.run(state, inputs)[0]));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_an_error) {
  Graph g;
  const Tensor x = g.input("x", {2, 5, 8});
  const std::string at = "transformer_test.cpp: transformer_block: ";
  const std::string shown = "\n  x \"x\"  f32[2, 5, 8]  input, transformer_test.cpp";
  const std::string rule =
      "\n  transformer_block needs x [..., length, width], and a context if it was made with `cross`";
  BOOST_TEST(message_without_lines_of([&] { (void)nn::transformer_block(x, {.cross = true}); }) ==
             at + "there is no context" + shown + rule);
  BOOST_TEST(message_without_lines_of([&] { (void)nn::transformer_block(x, {}, {.context = x}); }) ==
             at + "there is a context" + shown + rule);
  BOOST_TEST(message_without_lines_of([&] { (void)nn::transformer_block(x, {.hidden = -1}); }) ==
             at + "hidden is -1\n  hidden is positive, or 0 for four times the width");
  nn::TransformerBlock block({});
  BOOST_TEST(message_without_lines_of([&] { (void)block(Tensor()); }) ==
             at + "x is a number or an empty Tensor" + rule);
}

BOOST_AUTO_TEST_SUITE_END()
