#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/nn/batch_norm.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <random>

using namespace gradloom;
using test::message_of;

namespace {

constexpr int64_t rows = 6, channels = 3;

Array random_array(std::vector<int64_t> sizes, uint64_t seed, double mean = 0) {
  Array array(std::move(sizes), DType::f64);
  std::mt19937_64 random(seed);
  for (double& x : array.data<double>()) x = mean + std::uniform_real_distribution<double>(-2, 2)(random);
  return array;
}

struct Statistics {
  double mean = 0, variance = 0;  // divided by n
};
Statistics of_channel(const Array& x, int64_t channel) {
  const std::span<const double> values = x.data<const double>();
  Statistics s;
  const size_t n = values.size() / channels;
  for (size_t i = 0; i < n; ++i) s.mean += values[i * channels + static_cast<size_t>(channel)] / static_cast<double>(n);
  for (size_t i = 0; i < n; ++i) {
    const double d = values[i * channels + static_cast<size_t>(channel)] - s.mean;
    s.variance += d * d / static_cast<double>(n);
  }
  return s;
}

/// The layer as the formula is written, differentiated as it stands.
Tensor plain(const Tensor& x, const Tensor& gain, const Tensor& bias) {
  const ReduceOptions over{.axes = {0, 1}, .keepdims = true};
  const Tensor centred = x - mean(x, over);
  return centred * rsqrt(mean(square(centred), over) + 1e-5) * gain + bias;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_batch_norm)

BOOST_AUTO_TEST_CASE(training_normalises_and_moves_the_running_statistics) {
  for (const bool symbolic : {false, true}) {
    Graph g;
    const Tensor x = g.input("x", {symbolic ? Dim("batch") : Dim(rows / 2), 2, channels}, DType::f64);
    const Tensor y = nn::batch_norm(x);
    const Program train = compile({.outputs = {y}}), use = compile({.outputs = {y}, .mode = Mode::inference});
    State state;
    Statistics running[channels];
    for (Statistics& s : running) s.variance = 1;
    for (uint64_t step = 1; step <= 3; ++step) {
      const Array given = random_array({rows / 2, 2, channels}, step, 1.5);
      const Array made = train.run(Executor{}, state, {{"x", given}})[0];
      for (int64_t c = 0; c < channels; ++c) {
        const Statistics s = of_channel(given, c), done = of_channel(made, c);
        BOOST_TEST(std::fabs(done.mean) < 1e-12);
        BOOST_TEST(std::fabs(done.variance - s.variance / (s.variance + 1e-5)) < 1e-12);
        Statistics& r = running[c];
        r.mean = 0.9 * r.mean + 0.1 * s.mean;
        r.variance = 0.9 * r.variance + 0.1 * s.variance * rows / (rows - 1);
        BOOST_TEST(std::fabs(state.get("batch_norm_1/running_mean").data<const double>()[static_cast<size_t>(c)] -
                             r.mean) < 1e-12);
        BOOST_TEST(std::fabs(state.get("batch_norm_1/running_variance").data<const double>()[static_cast<size_t>(c)] -
                             r.variance) < 1e-12);
      }
    }
    // Inference uses them, and leaves them as they are.
    const State before = state;
    const Array given = random_array({rows / 2, 2, channels}, 7);
    const Array made = use.run(Executor{}, state, {{"x", given}})[0];
    for (size_t i = 0; i < static_cast<size_t>(rows * channels); ++i) {
      const Statistics& r = running[i % channels];
      const double expected = (given.data<const double>()[i] - r.mean) / std::sqrt(r.variance + 1e-5);
      BOOST_TEST(std::fabs(made.data<const double>()[i] - expected) < 1e-12);
    }
    for (const std::string& name : before.names()) BOOST_TEST(same_bits(before.get(name), state.get(name)));
  }
}

BOOST_AUTO_TEST_CASE(gradients_are_those_of_the_formula_to_the_second_order) {
  Graph g;
  const Tensor x = g.input("x", {rows / 2, 2, channels}, DType::f64);
  nn::BatchNorm layer;
  const Tensor y = layer(x), z = plain(x, layer.gain(), layer.bias());
  std::vector<Tensor> outputs;
  for (const Tensor& made : {y, z}) {
    const Tensor loss = sum(relu(made) * made * x);
    const std::vector<Tensor> first = gradients(loss, {x, layer.gain(), layer.bias()});
    const Tensor again = sum(first[0] * first[0] * x) + sum(first[1] * first[2]);
    for (const Tensor& t : first) outputs.push_back(t);
    for (const Tensor& t : gradients(again, {x, layer.gain(), layer.bias()})) outputs.push_back(t);
  }
  State state;
  state.set("batch_norm_1/gain", random_array({channels}, 3, 1));
  state.set("batch_norm_1/bias", random_array({channels}, 4));
  const std::vector<Array> values =
      compile({.outputs = outputs}).run(Executor{}, state, {{"x", random_array({rows / 2, 2, channels}, 5)}});
  for (size_t i = 0; i < 6; ++i) BOOST_TEST(all_close(values[i], values[i + 6], 1e-9, 1e-9), "gradient " << i);
}

BOOST_AUTO_TEST_CASE(gradients_in_inference_treat_the_statistics_as_constants) {
  Graph g;
  const Tensor x = g.input("x", {rows, channels}, DType::f64);
  const Tensor y = nn::batch_norm(x, {.gain = false, .bias = false});
  const Program slope = compile({.outputs = {gradient(sum(y), x)}, .mode = Mode::inference});
  State state;
  state.set("batch_norm_1/running_mean", random_array({channels}, 1));
  state.set("batch_norm_1/running_variance", Array::from<double>({1, 4, 0.25}));
  const Array made = slope.run(Executor{}, state, {{"x", random_array({rows, channels}, 2)}})[0];
  for (size_t i = 0; i < static_cast<size_t>(rows * channels); ++i) {
    const double variance[] = {1, 4, 0.25};
    BOOST_TEST(std::fabs(made.data<const double>()[i] - 1 / std::sqrt(variance[i % 3] + 1e-5)) < 1e-12);
  }
}

// The statistics of micro-batches are taken one after the other, as if they were batches.
BOOST_AUTO_TEST_CASE(two_calls_share_the_parameters_and_move_the_statistics_twice) {
  Graph g;
  nn::BatchNorm layer({.momentum = 0.5});
  const Tensor a = g.input("a", {rows, channels}, DType::f64), b = g.input("b", {rows, channels}, DType::f64);
  const Tensor of_a = layer(a), both = of_a + layer(b);
  BOOST_TEST(g.parameters().size() == 4U);
  const Array first = random_array({rows, channels}, 1), second = random_array({rows, channels}, 2);
  State state;
  compile({.outputs = {both}}).run(Executor{}, state, {{"a", first}, {"b", second}});
  const Array mean = state.get("batch_norm_1/running_mean");
  for (int64_t c = 0; c < channels; ++c) {
    const double expected = 0.25 * of_channel(first, c).mean + 0.5 * of_channel(second, c).mean;
    BOOST_TEST(std::fabs(mean.data<const double>()[static_cast<size_t>(c)] - expected) < 1e-12);
  }
}

// A Program moves the statistics of the calls that it computes, and needs no inputs of others.
BOOST_AUTO_TEST_CASE(programs_of_a_part_of_the_graph_leave_the_rest_alone) {
  Graph g;
  nn::BatchNorm layer({.momentum = 0.5});
  const Tensor a = g.input("a", {rows, channels}, DType::f64), b = g.input("b", {rows, channels}, DType::f64);
  const Tensor of_a = layer(a), of_b = layer(b);
  (void)nn::batch_norm(g.input("c", {rows, channels}, DType::f64));
  const Array first = random_array({rows, channels}, 1), second = random_array({rows, channels}, 2);
  const auto mean_after = [&](const Tensor& output, const Batch& inputs) {
    State state;
    compile({.outputs = {output}}).run(Executor{}, state, inputs);
    BOOST_TEST(!state.has("batch_norm_2/running_mean"));
    return state.get("batch_norm_1/running_mean").data<const double>()[0];
  };
  const double of_first = of_channel(first, 0).mean, of_second = of_channel(second, 0).mean;
  BOOST_TEST(std::fabs(mean_after(of_a, {{"a", first}}) - 0.5 * of_first) < 1e-12);
  BOOST_TEST(std::fabs(mean_after(of_a + of_b, {{"a", first}, {"b", second}}) - 0.25 * of_first - 0.5 * of_second) <
             1e-12);
  // What the second call alone would write was made after the first, whose input is not there.
  BOOST_TEST(mean_after(of_b, {{"b", second}}) == 0);
  State none;
  compile({.outputs = {of_a}, .side_updates = false}).run(Executor{}, none, {{"a", first}});
  BOOST_TEST(none.get("batch_norm_1/running_mean").data<const double>()[0] == 0);
}

BOOST_AUTO_TEST_CASE(a_single_element_of_a_channel_gives_the_bias) {
  Graph g;
  const Tensor y = nn::batch_norm(g.input("x", {1, 2}), {.bias_init = nn::constant(3)});
  State state;
  const Array made =
      compile({.outputs = {y}}).run(Executor{}, state, {{"x", Array::from<float>({5, -7}).reshaped({1, 2})}})[0];
  BOOST_TEST(made.data<const float>()[0] == 3);
  BOOST_TEST(state.get("batch_norm_1/running_variance").data<const float>()[0] == 0.9F);
}

BOOST_AUTO_TEST_CASE(optimisers_leave_the_statistics_alone) {
  Graph g;
  nn::BatchNorm layer({.trainable = false});
  const Tensor y = layer(g.input("x", {rows, channels}));
  for (const Tensor& parameter : g.parameters()) BOOST_TEST(!is_trainable(parameter.node()));
  nn::BatchNorm other;
  (void)other(y);
  BOOST_TEST(is_trainable(other.gain().node()));
  BOOST_TEST(!is_trainable(other.running_variance().node()));
}

// Every small batch moves the statistics; the weights move with the last of them, by the mean of what each batch's own
// statistics gave: one large batch would be normalised differently.
BOOST_AUTO_TEST_CASE(accumulated_gradients_meet_statistics_that_every_batch_moves) {
  Graph g;
  const Tensor x = g.input("x", {rows / 2, 2, channels}, DType::f64);
  nn::BatchNorm layer;
  const Tensor y = layer(x), loss = mean(y * y * y + y);
  const std::vector<Tensor> weights = {layer.gain(), layer.bias()};
  const auto updates = nn::gradient_descent(loss, {.learning_rate = 0.5, .accumulate = 2});
  const Program train = compile({.outputs = {loss}, .updates = updates});
  const Program look = compile({.outputs = gradients(loss, weights)});
  State state;
  Statistics running[channels];
  for (Statistics& s : running) s.variance = 1;
  std::vector<double> sums[2] = {std::vector<double>(channels), std::vector<double>(channels)};
  for (uint64_t piece = 1; piece <= 2; ++piece) {
    const Array given = random_array({rows / 2, 2, channels}, piece, static_cast<double>(piece));
    State apart = state;  // the gradient at the weights that all pieces of a step see
    const std::vector<Array> parts = look.run(apart, {{"x", given}});
    for (size_t w = 0; w < 2; ++w) {
      const std::vector<double> part = parts[w].to_vector<double>();
      for (size_t c = 0; c < channels; ++c) sums[w][c] += part[c] / 2;
    }
    (void)train.run(state, {{"x", given}});
    for (int64_t c = 0; c < channels; ++c) {
      const Statistics s = of_channel(given, c);
      running[c].mean = 0.9 * running[c].mean + 0.1 * s.mean;
      running[c].variance = 0.9 * running[c].variance + 0.1 * s.variance * rows / (rows - 1);
      const auto i = static_cast<size_t>(c);
      const auto is = [&](const Tensor& parameter, double wanted) {
        BOOST_TEST(std::fabs(state.get(parameter.name()).to_vector<double>()[i] - wanted) < 1e-12, parameter.name());
      };
      is(layer.running_mean(), running[c].mean);
      is(layer.running_variance(), running[c].variance);
      for (size_t w = 0; w < 2; ++w) {
        const double start = w == 0 ? 1 : 0;
        is(weights[w], piece == 1 ? start : start - 0.5 * sums[w][i]);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "batch_norm_test.cpp:";
  const std::string rule =
      "\n  batch_norm needs x [..., channels] of two or more axes, the channels a number that is the same in every "
      "call";
  Graph g, other;
  const Tensor vector = g.input("vector", {3}), open = g.input("open", {2, "c"}), y = g.input("y", {2, 4});
  const std::string declared = file + std::to_string(__LINE__ - 1);
  int line = __LINE__ + 1;
  std::string text = message_of([&] { (void)nn::batch_norm(vector); });
  BOOST_TEST(text == file + std::to_string(line) + ": batch_norm: the rank is 1\n  x \"vector\"  f32[3]  input, " +
                         declared + rule);
  line = __LINE__ + 1;
  text = message_of([&] { (void)nn::batch_norm(open); });
  BOOST_TEST(text == file + std::to_string(line) +
                         ": batch_norm: the number of channels, c, is not known\n  x \"open\"  f32[2, c]  input, " +
                         declared + rule);
  line = __LINE__ + 1;
  text = message_of([&] { (void)nn::batch_norm(1.5); });
  BOOST_TEST(text == file + std::to_string(line) + ": batch_norm: x is a number or an empty Tensor" + rule);
  line = __LINE__ + 1;
  text = message_of([&] { nn::BatchNorm layer({.momentum = 2}); });
  BOOST_TEST(text ==
             file + std::to_string(line) +
                 ": batch_norm: the momentum is 2\n  the momentum is the weight of a batch in the running statistics, "
                 "from 0 to 1");
  nn::BatchNorm layer;
  (void)layer(g.input("x", {2, 3}));
  line = __LINE__ + 1;
  text = message_of([&] { (void)layer(y); });
  BOOST_TEST(text ==
             file + std::to_string(line) +
                 ": batch_norm: there were 3 channels in the first call, and are 4\n  x \"y\"  f32[2, 4]  input, " +
                 declared + rule);
  const Tensor foreign = other.input("foreign", {2, 3});
  line = __LINE__ + 1;
  text = message_of([&] { (void)layer(foreign); });
  BOOST_TEST(
      text ==
      file + std::to_string(line) +
          ": batch_norm: its parameters belong to another graph, that of the first call\n  x \"foreign\"  f32[2, "
          "3]  input, " +
          file + std::to_string(line - 2) + rule);
}

BOOST_AUTO_TEST_SUITE_END()
