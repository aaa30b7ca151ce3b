// CompileOptions::storage: what is kept for long is bf16.
#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/nn/gradloom.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/packed_gemm_internal.hpp>
#include <gradloom/ops/philox.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <string>
#include <vector>

using namespace gradloom;

namespace {

/// A network's loss, its outputs besides, and the gradients by all that it is trained on.
struct Net {
  Graph g;
  Tensor loss;
  std::vector<Tensor> slopes;
  Batch inputs;

  void input(const std::string& name, const std::vector<int64_t>& sizes) {
    const Array values(sizes);
    std::vector<double> drawn(static_cast<size_t>(values.size()));
    philox_normal(7, stream_of_name(name), 0, 0, drawn);
    for (size_t i = 0; i < drawn.size(); ++i) values.data<float>()[i] = static_cast<float>(drawn[i]);
    inputs.set(name, values);
  }
  void finish(const Tensor& value) {
    loss = mean(square(value));
    std::vector<Tensor> trained;
    for (const Tensor& parameter : g.parameters()) {
      if (is_trainable(parameter.node())) trained.push_back(parameter);
    }
    slopes = gradients(loss, trained);
  }
  [[nodiscard]] SymbolBinding batch() const { return {"batch", inputs.find("x")->sizes()[0]}; }
  /// `halved`: products may be of bf16, too.
  [[nodiscard]] CompileOptions options(DType storage, bool halved = false) const {
    CompileOptions made{.outputs = {loss}, .storage = storage};
    if (!halved) made.without_passes.emplace_back("halve");
    made.outputs.insert(made.outputs.end(), slopes.begin(), slopes.end());
    return made;
  }
};

void dense_layers(Net& net) {
  net.input("x", {1024, 128});
  Tensor h = net.g.input("x", {"batch", 128});
  for (int i = 0; i < 24; ++i) h = i % 2 == 0 ? relu(nn::dense(h, 128)) : gelu(nn::dense(h, 128));
  net.finish(h);
}

void convolutions(Net& net) {
  net.input("x", {8, 32, 32, 16});
  Tensor h = net.g.input("x", {"batch", 32, 32, 16});
  for (int i = 0; i < 6; ++i) {
    const Tensor before = h;
    h = relu(nn::batch_norm(nn::conv(h, 16, {3, 3}, {.padding = Pad::same, .bias = false})));
    h = before + nn::conv(h, 16, {3, 3}, {.padding = Pad::same, .bias = false});
  }
  net.finish(max_pool(h, {.window = {2, 2}}));
}

void transformer(Net& net) {
  net.input("x", {16, 64, 64});
  Tensor h = net.g.input("x", {"batch", 64, 64});
  for (int i = 0; i < 4; ++i) h = nn::transformer_block(h, {.heads = 4});
  net.finish(nn::layer_norm(h));
}

void recurrence(Net& net) {
  net.input("x", {16, 24, 32});
  const Tensor x = net.g.input("x", {"batch", 24, 32});
  net.finish(nn::dense(nn::lstm(nn::dense(x, 32), 32).outputs, 32));
}

struct Case {
  const char* name;
  void (*build)(Net&);
  bool narrows;
};
const Case cases[] = {{"dense layers", dense_layers, true},
                      {"convolutions", convolutions, true},
                      {"a transformer", transformer, true},
                      {"a recurrence", recurrence, false}};

/// Of a gradient, against its own norm, in networks of some depth: an element of bf16 is off by up to 1/256.
constexpr double rounding = 0.05;

double norm_of(const Array& x) {
  double sum = 0;
  for (const float value : x.data<const float>()) sum += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(sum);
}

double distance(const Array& a, const Array& b) {
  double sum = 0;
  const auto x = a.data<const float>(), y = b.data<const float>();
  for (size_t i = 0; i < x.size(); ++i) sum += std::pow(static_cast<double>(x[i]) - static_cast<double>(y[i]), 2);
  return std::sqrt(sum);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_narrow)

BOOST_AUTO_TEST_CASE(gradients_are_those_of_f32_but_for_the_rounding) {
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      Net net;
      c.build(net);
      State state;
      const Program wide = compile(net.options(DType::f32)), narrow = compile(net.options(DType::bf16));
      const auto expected = wide.run(state, net.inputs), got = narrow.run(state, net.inputs);
      const auto halved = compile(net.options(DType::bf16, true)).run(state, net.inputs);
      bool differs = false;
      BOOST_REQUIRE(got.size() == expected.size());
      for (size_t i = 0; i < got.size(); ++i) {
        differs = differs || !same_bits(got[i], expected[i]);
        BOOST_TEST(distance(got[i], expected[i]) <= rounding * norm_of(expected[i]) + 1e-7);
        BOOST_TEST(distance(halved[i], expected[i]) <= rounding * norm_of(expected[i]) + 1e-7);
      }
      BOOST_TEST(differs == c.narrows);
      BOOST_TEST((narrow.explain(std::vector{net.batch()}).find("to_bf16") != std::string::npos) == c.narrows);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_arena_is_smaller_where_activations_are_what_fills_it) {
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      Net net;
      c.build(net);
      const auto arena_bytes = [&](const CompileOptions& options) {
        const Program program = compile(options);
        (void)program.specialize({net.batch()});
        return static_cast<double>(program.stats().arena_bytes);
      };
      const double wide = arena_bytes(net.options(DType::f32));
      BOOST_TEST(arena_bytes(net.options(DType::bf16)) <= (c.narrows ? 0.8 : 1.0) * wide);
      BOOST_TEST(arena_bytes(net.options(DType::bf16, true)) <= (c.narrows ? 0.8 : 1.25) * wide);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_same_bits_at_any_number_of_threads) {
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      Net net;
      c.build(net);
      State state;
      const Program program = compile(net.options(DType::bf16, true));
      const auto first = program.run(Executor{{.threads = 1}}, state, net.inputs);
      for (const int threads : {2, 3}) {
        const auto again = program.run(Executor{{.threads = threads}}, state, net.inputs);
        for (size_t i = 0; i < first.size(); ++i) BOOST_TEST(same_bits(first[i], again[i]));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(every_instruction_set_stores_it) {
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      Net net;
      c.build(net);
      State state;
      std::vector<Array> baseline;
      for (const Isa isa : supported_isas()) {
        CompileOptions options = net.options(DType::bf16);
        options.isa = to_string(isa);
        const auto got = compile(options).run(state, net.inputs);
        if (baseline.empty()) baseline = got;
        for (size_t i = 0; i < got.size(); ++i)
          BOOST_TEST(distance(got[i], baseline[i]) <= rounding * norm_of(baseline[i]) + 1e-7);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(outputs_updates_and_unoptimised_programs_stay_f32) {
  Net net;
  dense_layers(net);
  State state;
  CompileOptions options = net.options(DType::bf16);
  options.optimize = Optimize::none;
  const auto plain = compile(options).run(state, net.inputs);
  options.optimize = Optimize::all;
  options.without_passes = {"narrow", "halve"};
  BOOST_TEST(compile(options).explain(std::vector{net.batch()}).find("to_bf16") == std::string::npos);
  options.without_passes.clear();
  options.optimize = Optimize::none;
  options.storage = DType::f32;
  const auto expected = compile(options).run(state, net.inputs);
  for (size_t i = 0; i < plain.size(); ++i) {
    BOOST_TEST((plain[i].dtype() == DType::f32));
    BOOST_TEST(same_bits(plain[i], expected[i]));
  }
  // What a user asks for is not rounded, though it lives as long as what is.
  Graph g;
  const Tensor x = g.input("x", {1024, 128});
  std::vector<Tensor> layers = {x};
  for (int i = 0; i < 8; ++i) layers.push_back(relu(nn::dense(layers.back(), 128)));
  const Tensor loss = mean(square(layers.back()));
  const auto slopes = gradients(loss, g.parameters());
  CompileOptions all{.outputs = slopes, .storage = DType::bf16};
  all.outputs.push_back(layers[3]);
  State fresh;
  Batch inputs;
  inputs.set("x", *net.inputs.find("x"));
  const auto with = compile(all).run(fresh, inputs);
  const auto without = compile({.outputs = {layers[3]}}).run(fresh, inputs);
  bool finer = false;  // than bf16 could be
  for (const float value : with.back().data<const float>())
    finer = finer || static_cast<float>(BFloat16(value)) != value;
  BOOST_TEST(finer);
  BOOST_TEST(distance(with.back(), without[0]) <= rounding * norm_of(without[0]));
}

BOOST_AUTO_TEST_CASE(a_network_learns_as_with_f32) {
  const auto last_loss = [](DType storage) {
    Graph g;
    const Tensor x = g.input("x", {256, 16}), y = g.input("y", {256, 1});
    Tensor h = x;
    for (int i = 0; i < 4; ++i) h = tanh(nn::dense(h, 64));
    const Tensor loss = nn::mse(nn::dense(h, 1), y);
    const Program step =
        compile({.outputs = {loss}, .updates = nn::adam(loss, {.learning_rate = 3e-3}), .storage = storage});
    Net data;
    data.input("x", {256, 16});
    const Array& points = *data.inputs.find("x");
    const Array targets({256, 1});
    for (int64_t i = 0; i < 256; ++i)
      targets.at<float>({i, 0}) = points.at<float>({i, 0}) * points.at<float>({i, 1}) + points.at<float>({i, 2});
    data.inputs.set("y", targets);
    State state;
    float last = 0;
    for (int i = 0; i < 300; ++i) last = step.run(state, data.inputs)[0].item<float>();
    return last;
  };
  const float wide = last_loss(DType::f32), narrow = last_loss(DType::bf16);
  BOOST_TEST(wide < 0.05F);
  BOOST_TEST(narrow < 0.05F);
}

BOOST_AUTO_TEST_CASE(constant_weights_are_stored_as_bf16) {
  // One row of large weights, rows that fill a tile or not, columns that fill a panel or not; k in one chunk and in
  // two.
  struct Sizes {
    int64_t m, k, n;
  };
  for (const auto& [m, k, n] : {Sizes{1, 1030, 1027}, {8, 16, 16}, {13, 700, 50}, {64, 100, 130}, {512, 33, 17}}) {
    BOOST_TEST_CONTEXT(m << " " << k << " " << n) {
      Net net;
      net.input("x", {m, k});
      const Tensor x = net.g.input("x", {m, k}), w = net.g.parameter("w", {k, n}, nn::glorot());
      const Tensor b = net.g.parameter("b", {n}, nn::normal(1));
      const Tensor y = tanh(matmul(x, w) + b);
      State state;
      (void)compile({.outputs = {y}}).run(state, net.inputs);
      State rounded = state;
      const Array weights = state.get("w").clone();
      for (float& value : weights.data<float>()) value = BFloat16(value);
      rounded.set("w", weights);
      const auto compiled = [&](const State& constants, DType storage, std::string_view isa) {
        return compile({.outputs = {y},
                        .mode = Mode::inference,
                        .isa = isa,
                        .constants = &constants,
                        .storage = storage,
                        .without_passes = {"halve"}});
      };
      for (const Isa isa : supported_isas()) {
        const auto expected = compiled(rounded, DType::f32, to_string(isa)).run(state, net.inputs);
        for (const int threads : {1, 2, 3}) {
          const Program program = compiled(state, DType::bf16, to_string(isa));
          const auto got = program.run(Executor{{.threads = threads}}, state, net.inputs);
          // One row takes another path, and so another order, in f32.
          BOOST_TEST((m == 1 ? all_close(got[0], expected[0], 1e-5, 1e-5) : same_bits(got[0], expected[0])));
          BOOST_TEST(program.explain().find("bf16[" + std::to_string(packed_elements(k, n)) + "]") !=
                     std::string::npos);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(other_storage_is_refused) {
  Graph g;
  const Tensor y = exp(g.input("x", {2}));
  BOOST_TEST(test::message_of([&] { (void)compile({.outputs = {y}, .storage = DType::f64}); }) ==
             "compile: storage is f64\n  what is kept of f32 for long is stored as f32 or bf16");
}

BOOST_AUTO_TEST_SUITE_END()
