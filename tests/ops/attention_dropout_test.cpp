// Dropout of attention's weights: the blocked kernels against the whole matrix, and what is drawn.
#include "attention_helper.hpp"
#include "evaluate_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/attention_internal.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/philox.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/softmax.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cmath>

using namespace gradloom;
using test::check_close;
using test::evaluate;
using test::random_values;
using test::Sizes;
using test::Values;

namespace {

/// A graph with a dropped attention of that key, its gradients, and the same by formulas of whole matrices.
struct DroppedNet {
  Graph g;
  Tensor q, k, v, dout, bias, key;
  std::vector<Tensor> blocks, matrices;  // the result, and the gradients of q, k, v and bias

  DroppedNet(const Sizes& s, DType dtype)
      : q(g.input("q", {s.batch, s.queries, s.heads, s.depth}, dtype)),
        k(g.input("k", {s.batch, s.keys, s.kv_heads, s.depth}, dtype)),
        v(g.input("v", {s.batch, s.keys, s.kv_heads, s.value_depth}, dtype)),
        dout(g.input("dout", {s.batch, s.queries, s.heads, s.value_depth}, dtype)),
        bias(g.input("bias", {1, s.heads, s.queries, s.keys}, dtype)),
        key(g.input("key", {}, DType::i64)) {
    const Attributes attributes = {{"scale", 0.5}, {"causal", s.causal}, {"rate", 0.25}};
    const AttentionMatrices whole(q, k, attributes);
    const Tensor p = softmax(whole.scores(bias));
    const Tensor inputs[] = {q, k, v, bias, key};
    blocks = {g.add(dropped_attention_def, inputs, attributes, {})};
    matrices = {whole.to_heads(matmul(whole.dropped(p, key), whole.of_kv_heads(v)))};
    for (std::vector<Tensor>* const results : {&blocks, &matrices}) {
      for (const Tensor& slope : gradients(results->front(), {q, k, v, bias}, dout)) results->push_back(slope);
    }
  }

  [[nodiscard]] std::map<std::string, Values> inputs() const {
    std::map<std::string, Values> values = {{"key", Values::of<int64_t>({}, {int64_t{3} << 50})}};
    for (const Tensor& x : {q, k, v, dout, bias}) {
      const auto count = static_cast<size_t>(x.shape().element_count().value());
      values[x.name()] = Values::from_doubles(x.dtype(), x.shape().sizes(), random_values(count, 1));
    }
    return values;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_attention_dropout)

BOOST_AUTO_TEST_CASE(dropout_drops_weights_in_training_only) {
  Graph g;
  const Tensor q = g.input("q", {64, 2, 4}), k = g.input("k", {64, 2, 4}), v = g.input("v", {64, 2, 64});
  const Tensor plain = attention(q, k, v), dropped = attention(q, k, v, {.dropout = 0.25});
  Batch inputs;
  inputs.set("q", Array({64, 2, 4}));  // of zeros: every weight is 1 / 64
  inputs.set("k", Array({64, 2, 4}));
  Array one_hot({64, 2, 64});
  for (int64_t i = 0; i < 64; ++i) {
    for (int64_t h = 0; h < 2; ++h) one_hot.data<float>()[static_cast<size_t>((i * 2 + h) * 64 + i)] = 1;
  }
  inputs.set("v", one_hot);  // the results are the weights
  State state;
  const std::vector<Array> inference =
      compile({.outputs = {plain, dropped}, .mode = Mode::inference}).run(state, inputs);
  BOOST_TEST(same_bits(inference[0], inference[1]));
  const Array weights = compile({.outputs = {dropped}}).run(state, inputs)[0];
  int64_t zeros = 0;
  for (const float weight : weights.data<float>()) {
    BOOST_TEST((weight == 0 || std::fabs(weight - 1 / 48.0) < 1e-6));
    zeros += weight == 0 ? 1 : 0;
  }
  BOOST_TEST(std::fabs(static_cast<double>(zeros) - 0.25 * 8192) < 200);
}

BOOST_AUTO_TEST_CASE(dropout_in_blocks_agrees_with_that_of_the_whole_matrix) {
  // Odd numbers of rows, of which pairs share what is drawn; more than one block of rows and of keys; the last query
  // sees all keys.
  for (const Sizes& s : {Sizes{2, 3, 5, 2, 2, 4, 3}, Sizes{1, 129, 257, 2, 1, 9, 8},
                         Sizes{1, 301, 301, 1, 1, 4, 4, true}, Sizes{1, 40, 170, 4, 2, 8, 8, true}}) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      const DroppedNet net(s, dtype);
      for (const Isa isa : supported_isas()) {
        BOOST_TEST_CONTEXT(to_string(dtype) << ", " << to_string(isa) << ", " << s.queries << " queries") {
          std::vector<Tensor> results = net.blocks;
          results.insert(results.end(), net.matrices.begin(), net.matrices.end());
          const std::vector<Values> got = evaluate(results, net.inputs(), isa);
          for (size_t i = 0; i < net.blocks.size(); ++i) {
            check_close(i == 0 ? "out" : "gradient", got[i], got[i + net.blocks.size()].as_doubles(),
                        dtype == DType::f32 ? 3e-5 : 1e-13);
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_dropped_is_a_function_of_the_key_and_the_place) {
  Graph g;
  constexpr int64_t rows = 5, keys = 150;
  const Tensor key = g.input("key", {}, DType::i64);
  const Attributes attributes = {{"shape", Shape{1, rows, keys}}, {"rate", 0.25}, {"dtype", DType::f64}};
  const Tensor factors = g.add(attention_dropout_def, {&key, 1}, attributes, {});
  constexpr int64_t value = 123456789012345;
  for (const Isa isa : supported_isas()) {
    const std::vector<double> got =
        evaluate({factors}, {{"key", Values::of<int64_t>({}, {value})}}, isa)[0].as<double>();
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t column = 0; column < keys; ++column) {
        // Two rows and 128 columns are 64 counters of four words.
        const auto counter = static_cast<uint32_t>((row / 2 * 2 + column / 128) * 64 + column % 64);
        const auto word = static_cast<size_t>(row % 2 * 2 + column % 128 / 64);
        const std::array<uint32_t, 2> words_of_key = {static_cast<uint32_t>(value), static_cast<uint32_t>(value >> 32)};
        const bool kept = philox4x32({counter, 0, 0, 0}, words_of_key)[word] < 0xC0000000;
        BOOST_REQUIRE(got[static_cast<size_t>(row * keys + column)] == (kept ? 1 / 0.75 : 0));
      }
    }
  }
}

// One op for both modes: a gradient of the one that is not run would be computed all the same, of zeros.
BOOST_AUTO_TEST_CASE(inference_runs_without_dropout_and_training_without_the_rest) {
  Graph g;
  const Tensor q = g.input("q", {6, 2, 4}), mask = g.input("mask", {6, 6}, DType::boolean);
  for (const bool masked : {false, true}) {
    const AttentionOptions options{.mask = masked ? mask : Tensor(), .dropout = 0.5};
    const Tensor y = attention(q, q, q, options), dq = gradient(sum(square(y)), q);
    const auto tasks = [&](Mode mode) {
      const std::string text = compile({.outputs = {y, dq}, .mode = mode}).explain();
      return text.substr(text.find("---- tasks"));
    };
    const auto count = [](const std::string& text, const std::string& op) {
      int found = 0;
      for (size_t at = 0; (at = text.find(" " + op + " f32", at)) != std::string::npos; ++at) ++found;
      return found;
    };
    const std::string plain = masked ? "biased_attention" : "attention";
    BOOST_TEST(count(tasks(Mode::inference), plain) == 1);
    BOOST_TEST(tasks(Mode::inference).find("dropped") == std::string::npos);
    BOOST_TEST(count(tasks(Mode::training), "dropped_attention") == 1);
    BOOST_TEST(count(tasks(Mode::training), plain) == 0);
    BOOST_TEST(count(tasks(Mode::training), plain + "_gradient") == 0);
    const Program with = compile({.outputs = {y, dq}, .mode = Mode::inference});
    const Tensor expected = attention(q, q, q, {.mask = options.mask});
    const Program without = compile({.outputs = {expected, gradient(sum(square(expected)), q)}});
    const Program as_written = compile({.outputs = {y, dq}, .mode = Mode::inference, .optimize = Optimize::none});
    Batch inputs = {{"q", Array({6, 2, 4})}};
    for (size_t i = 0; i < 48; ++i) inputs.find("q")->data<float>()[i] = static_cast<float>(i % 7) * 0.3F - 1;
    if (masked) {
      Array hidden({6, 6}, DType::boolean);
      for (size_t i = 0; i < 36; ++i) hidden.data<bool>()[i] = i % 5 != 0;
      inputs.set("mask", hidden);
    }
    State state;
    const auto got = with.run(state, inputs), wanted = without.run(state, inputs),
               plainly = as_written.run(state, inputs);
    for (size_t i = 0; i < 2; ++i) {
      BOOST_TEST(all_close(got[i], wanted[i], 1e-5, 1e-6));
      BOOST_TEST(all_close(plainly[i], wanted[i], 1e-5, 1e-6));
    }
  }
}

BOOST_AUTO_TEST_CASE(dropout_draws_anew_in_each_step_and_for_each_node) {
  Graph g;
  const Tensor q = g.input("q", {20, 1, 4});
  const Tensor a = attention(q, q, q, {.dropout = 0.5}), b = attention(q, q, q, {.dropout = 0.5});
  const Tensor w = g.parameter("w", {});  // for a step to be one
  const Program program = compile({.outputs = {a, b}, .updates = {{w, w + 1}}});
  Batch inputs;
  Array values({20, 1, 4});
  for (size_t i = 0; i < 80; ++i) values.data<float>()[i] = static_cast<float>(i % 7);
  inputs.set("q", values);
  State state, again;
  const std::vector<Array> first = program.run(state, inputs), second = program.run(state, inputs);
  BOOST_TEST(!same_bits(first[0], first[1]));
  BOOST_TEST(!same_bits(first[0], second[0]));
  BOOST_TEST(same_bits(first[0], program.run(again, inputs)[0]));
}

BOOST_AUTO_TEST_SUITE_END()
