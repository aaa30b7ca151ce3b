#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/multi_head_attention.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/random.hpp>
#include <gradloom/ops/softmax.hpp>
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

std::vector<std::string> parameter_names(const Graph& g) {
  std::vector<std::string> names;
  for (const Tensor& parameter : g.parameters())
    names.push_back(parameter.name() + " " + parameter.shape().to_string());
  return names;
}

/// Head by head: softmax(q k^T / sqrt(depth)) v of columns of projections, joined.
Tensor by_heads(const Tensor& q, const Tensor& kv, int64_t heads, int64_t kv_heads, int64_t depth) {
  std::vector<Tensor> mixed;
  const auto columns = [&](const Tensor& x, int64_t first) {
    return slice(x, -1, {first * depth, (first + 1) * depth});
  };
  for (int64_t head = 0; head < heads; ++head) {
    const int64_t of = head / (heads / kv_heads);
    const Tensor scores =
        matmul(columns(q, head), columns(kv, of), {.transpose_b = true}) / std::sqrt(static_cast<double>(depth));
    mixed.push_back(matmul(softmax(scores), columns(kv, kv_heads + of)));
  }
  return concat(mixed, -1);
}

Tensor affine(const Graph& g, const std::string& name, const Tensor& x) {
  return matmul(x, g.find_parameter(name + "/weight")) + g.find_parameter(name + "/bias");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_multi_head_attention)

BOOST_AUTO_TEST_CASE(self_attention_agrees_with_its_formula) {
  for (const int64_t kv_heads : {4, 2, 1}) {
    Graph g;
    const Tensor x = g.input("x", {2, 7, 8});
    nn::MultiHeadAttention attend({.heads = 4, .kv_heads = kv_heads, .depth = 3});
    const Tensor y = attend(x);
    BOOST_TEST((y.shape() == x.shape()));
    const std::vector<std::string> names = {"attention_1/qkv/weight [8, " + std::to_string(12 + 6 * kv_heads) + "]",
                                            "attention_1/qkv/bias [" + std::to_string(12 + 6 * kv_heads) + "]",
                                            "attention_1/out/weight [12, 8]", "attention_1/out/bias [8]"};
    BOOST_TEST(parameter_names(g) == names, boost::test_tools::per_element());
    const Tensor qkv = affine(g, "attention_1/qkv", x);
    const Tensor expected =
        affine(g, "attention_1/out", by_heads(slice(qkv, -1, {0, 12}), slice(qkv, -1, {12}), 4, kv_heads, 3));
    State state;
    const auto got = compile({.outputs = {y, expected}}).run(state, {{"x", random_array({2, 7, 8}, 1)}});
    BOOST_TEST(all_close(got[0], got[1], 1e-5, 1e-6));
    (void)attend(x);  // with the same parameters
    BOOST_TEST(g.parameters().size() == 4u);
  }
}

BOOST_AUTO_TEST_CASE(cross_attention_looks_at_a_context) {
  Graph g;
  const Tensor x = g.input("x", {2, 3, 8}), context = g.input("context", {2, 5, 6});
  nn::MultiHeadAttention attend({.heads = 2, .name = "look"});
  const Tensor y = attend(x, {.context = context});
  const std::vector<std::string> names = {"look/q/weight [8, 8]", "look/q/bias [8]",        "look/kv/weight [6, 16]",
                                          "look/kv/bias [16]",    "look/out/weight [8, 8]", "look/out/bias [8]"};
  BOOST_TEST(parameter_names(g) == names, boost::test_tools::per_element());
  const Tensor expected =
      affine(g, "look/out", by_heads(affine(g, "look/q", x), affine(g, "look/kv", context), 2, 2, 4));
  State state;
  const auto got = compile({.outputs = {y, expected}})
                       .run(state, {{"x", random_array({2, 3, 8}, 1)}, {"context", random_array({2, 5, 6}, 2)}});
  BOOST_TEST(all_close(got[0], got[1], 1e-5, 1e-6));
}

// Token by token, and two at a time, what the whole sequence gives.
BOOST_AUTO_TEST_CASE(what_a_mask_hides_is_as_if_it_were_not_there) {
  Graph g;
  nn::MultiHeadAttention self({.heads = 2}), cross({.heads = 2});
  const Tensor x = g.input("x", {2, 5, 8}), context = g.input("context", {2, 7, 6});
  // Of five tokens the first three; of seven of a context the last four.
  const Tensor mask = g.input("mask", {1, 1, 1, 5}, DType::boolean), seen = g.input("seen", {7}, DType::boolean);
  const Tensor masked = self(x, {.mask = mask}), of_context = cross(x, {.context = context, .mask = seen});
  const std::vector<Tensor> outputs{slice(masked, 1, {0, 3}), self(slice(x, 1, {0, 3})), of_context,
                                    cross(x, {.context = slice(context, 1, {3, 7})})};
  State state;
  const Array first = Array::from<bool>({true, true, true, false, false}).reshaped({1, 1, 1, 5}),
              last = Array::from<bool>({false, false, false, true, true, true, true});
  const std::vector<Array> got = compile({.outputs = outputs})
                                     .run(state, {{"x", random_array({2, 5, 8}, 1)},
                                                  {"context", random_array({2, 7, 6}, 2)},
                                                  {"mask", first},
                                                  {"seen", last}});
  BOOST_TEST(all_close(got[0], got[1], 1e-5, 1e-6));
  BOOST_TEST(all_close(got[2], got[3], 1e-5, 1e-6));
}

BOOST_AUTO_TEST_CASE(a_cache_gives_what_recomputing_gives) {
  for (const bool rotary : {false, true}) {
    for (const int64_t tokens : {1, 2}) {
      Graph g;
      const Tensor x = g.input("x", {2, 6, 8}), next = g.input("next", {2, tokens, 8});
      nn::MultiHeadAttention attend({.heads = 4, .kv_heads = 2, .causal = true, .rotary = rotary});
      const Tensor whole = attend(x);
      nn::KeyValueCache cache{.capacity = 10, .position = g.input("position", {}, DType::i64)};
      const Tensor part = attend(next, {.cache = &cache});
      BOOST_TEST(cache.updates.size() == 2u);
      BOOST_TEST(cache.updates[0].parameter.name() == "cache/attention_1/k");
      const Program all = compile({.outputs = {whole}});
      const Program step = compile({.outputs = {part}, .updates = cache.updates, .mode = Mode::inference});
      State state;
      const Array values = random_array({2, 6, 8}, 1);
      const Array expected = all.run(state, {{"x", values}})[0];
      state.set("cache/attention_1/k", random_array({2, 10, 2, 2}, 2));  // what was there before does not matter
      state.set("cache/attention_1/v", random_array({2, 10, 2, 2}, 3));
      for (int64_t at = 0; at < 6; at += tokens) {
        Array row({2, tokens, 8}), wanted({2, tokens, 8});
        for (int64_t i = 0; i < 2 * tokens * 8; ++i) {
          const size_t from = static_cast<size_t>((i / (tokens * 8) * 6 + at) * 8 + i % (tokens * 8));
          row.data<float>()[static_cast<size_t>(i)] = values.data<float>()[from];
          wanted.data<float>()[static_cast<size_t>(i)] = expected.data<float>()[from];
        }
        const Array got = step.run(state, {{"next", row}, {"position", Array::from<int64_t>({at}).reshaped({})}})[0];
        BOOST_TEST(all_close(got, wanted, 1e-5, 1e-6), "at " << at);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_cache_has_an_end_and_its_own_scope) {
  Graph g;
  nn::MultiHeadAttention attend({.heads = 2});
  nn::KeyValueCache cache{.capacity = 4, .position = g.input("position", {}, DType::i64)};
  Tensor y;
  {
    const Scope scope = g.scope("decoder");
    y = attend(g.input("x", {1, 2, 8}), {.cache = &cache});  // the layer's first call
  }
  BOOST_TEST(cache.updates[0].parameter.name() == "decoder/cache/decoder/attention_1/k");
  BOOST_TEST(g.find_parameter("decoder/attention_1/qkv/weight").valid());
  const Program step = compile({.outputs = {y}, .updates = cache.updates, .mode = Mode::inference});
  State state;
  const auto run_at = [&](int64_t at) {
    (void)step.run(state,
                   {{"decoder/x", random_array({1, 2, 8}, 1)}, {"position", Array::from<int64_t>({at}).reshaped({})}});
  };
  run_at(0);
  run_at(2);
  const State before = state;
  for (const int64_t at : {3, 4, -1}) {
    const std::string text = message_without_lines_of([&] { run_at(at); });
    BOOST_TEST(text.starts_with("multi_head_attention_test.cpp: update_slice: the index is " + std::to_string(at) +
                                ", but x has 4 slices, the update 2\n"),
               text);
  }
  BOOST_TEST(same_bits(state.get(cache.updates[0].parameter.name()), before.get(cache.updates[0].parameter.name())));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_an_error) {
  Graph g;
  const auto problem = [](auto&& f) {
    const std::string text = message_without_lines_of(f);
    return text.substr(0, text.find('\n'));
  };
  const std::string at = "multi_head_attention_test.cpp: multi_head_attention: ";
  const Tensor x = g.input("x", {2, 3, 8}), position = g.input("position", {}, DType::i64);
  BOOST_TEST(problem([] { (void)nn::MultiHeadAttention({.heads = 3, .kv_heads = 2}); }) == at + "3 heads, 2 kv_heads");
  BOOST_TEST(problem([] { (void)nn::MultiHeadAttention({.heads = 3, .depth = -1}); }) == at + "the depth is -1");
  BOOST_TEST(problem([] { (void)nn::MultiHeadAttention({.heads = 3, .dropout = 1}); }) == at + "dropout is 1");
  nn::MultiHeadAttention three({.heads = 3});
  BOOST_TEST(problem([&] { (void)three(x); }) == at + "the width 8 is no multiple of 3 heads");
  BOOST_TEST(problem([&] { (void)three(g.input("flat", {8})); }) == at + "x has fewer than two axes");
  BOOST_TEST(problem([&] { (void)three(g.input("open", {2, "w"})); }) == at + "the width w is not known");
  BOOST_TEST(problem([&] { (void)three(Tensor()); }) == at + "x is a number or an empty Tensor");
  nn::MultiHeadAttention attend({.heads = 2});
  (void)attend(x);
  BOOST_TEST(message_without_lines_of([&] { (void)attend(x, {.context = x}); }) ==
             at + "the first call had a context and this one has none, or the reverse\n"
                  "  x \"x\"  f32[2, 3, 8]  input, multi_head_attention_test.cpp\n"
                  "  multi_head_attention needs x [..., queries, width], width a number, and a context [..., keys, any "
                  "width] in every call or in none");
  nn::KeyValueCache cache{.position = position};
  BOOST_TEST(problem([&] { (void)attend(x, {.cache = &cache}); }) == at + "the capacity is 0");
  cache.capacity = 4;
  BOOST_TEST(problem([&] { (void)attend(x, {.context = x, .cache = &cache}); }) ==
             at + "there are a context and a cache");
  BOOST_TEST(problem([&] {
               (void)attend(g.input("batches", {"b", 3, 8}), {.cache = &cache});
             }) == at + "a size of x is not known");
  cache.position = x;
  BOOST_TEST(problem([&] { (void)attend(x, {.cache = &cache}); }) == at + "the position is no i64 scalar");
}

BOOST_AUTO_TEST_SUITE_END()
