// Recurrent layers against their formulas in double, step by step and element by element.
#include "../message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/nn/recurrent.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/stop_gradient.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <map>

using namespace gradloom;
using nn::CellKind;
using test::message_without_lines_of;

namespace {

constexpr int64_t steps = 5, batch = 3, in = 4, units = 6;

using Vector = std::vector<double>;

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

/// The parameters of a cell, by the names within it.
struct Weights {
  const State& state;
  std::string scope;

  Vector get(const std::string& name) const {
    return state.has(scope + name) ? state.get(scope + name).to_vector<double>() : Vector();
  }
  /// x W + b of a gate, or 0 for what it does not have.
  Vector affine(const Vector& x, const std::string& weight, const std::string& bias) const {
    const Vector w = get(weight), b = get(bias);
    Vector y(static_cast<size_t>(units), 0.0);
    for (size_t j = 0; j < y.size(); ++j) {
      for (size_t i = 0; i < x.size(); ++i) y[j] += x[i] * w[i * y.size() + j];
      if (!b.empty()) y[j] += b[j];
    }
    return y;
  }
};

/// One step of one example, as the formulas of CellKind have it.
void step(CellKind kind, const Weights& weights, const Vector& x, Vector& h, Vector& c) {
  const auto from_x = [&](const std::string& gate) { return weights.affine(x, gate + "/weight", gate + "/bias"); };
  const auto from_h = [&](const std::string& gate) {
    return weights.affine(h, gate + "/recurrent", gate + "/recurrent_bias");
  };
  const auto gate = [&](const std::string& name) {
    Vector sum = from_x(name);
    const Vector other = from_h(name);
    for (size_t j = 0; j < sum.size(); ++j) sum[j] += other[j];
    return sum;
  };
  Vector next(h.size());
  if (kind == CellKind::rnn) {
    const Vector sum = gate("update");
    for (size_t j = 0; j < h.size(); ++j) next[j] = std::tanh(sum[j]);
  } else if (kind == CellKind::gru) {
    const Vector r = gate("reset"), z = gate("update"), x_n = from_x("candidate"), h_n = from_h("candidate");
    for (size_t j = 0; j < h.size(); ++j) {
      const double n = std::tanh(x_n[j] + logistic(r[j]) * h_n[j]), keep = logistic(z[j]);
      next[j] = (1 - keep) * n + keep * h[j];
    }
  } else {
    const Vector i = gate("input"), f = gate("forget"), n = gate("candidate"), o = gate("output");
    const auto peephole = [&](const std::string& name, size_t j) {
      const Vector p = weights.get(name + "/peephole");
      return p.empty() ? 0 : p[j];
    };
    for (size_t j = 0; j < h.size(); ++j) {
      const double cell = logistic(f[j] + peephole("forget", j) * c[j]) * c[j] +
                          logistic(i[j] + peephole("input", j) * c[j]) * std::tanh(n[j]);
      next[j] = logistic(o[j] + peephole("output", j) * cell) * std::tanh(cell);
      c[j] = cell;
    }
  }
  h = next;
}

Array numbers(const std::vector<int64_t>& sizes, double first) {
  Array array{std::span<const int64_t>(sizes), DType::f64};
  double value = first;
  for (double& x : array.data<double>()) x = std::sin(value += 1.3);
  return array;
}

/// One layer over [steps, batch, in] of sequences that are `lengths` long: the outputs.
Vector layer(CellKind kind, const Weights& weights, const Vector& x, int64_t width, bool reverse,
             const std::vector<int64_t>& lengths) {
  Vector outputs(static_cast<size_t>(steps * batch * units), 0.0);
  for (int64_t example = 0; example < batch; ++example) {
    Vector h(static_cast<size_t>(units), 0.0), c = h;
    for (int64_t i = 0; i < steps; ++i) {
      const int64_t t = reverse ? steps - 1 - i : i;
      if (t >= lengths[static_cast<size_t>(example)]) continue;
      const auto row = x.begin() + (t * batch + example) * width;
      step(kind, weights, Vector(row, row + width), h, c);
      std::copy(h.begin(), h.end(), outputs.begin() + (t * batch + example) * units);
    }
  }
  return outputs;
}

void check_close(const Vector& a, const Vector& b) {
  BOOST_REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) BOOST_TEST(std::abs(a[i] - b[i]) < 1e-12);
}

/// Every parameter drawn, also those that would be 0.
State drawn(const Graph& g) {
  State state;
  double first = 0.1;
  for (const Tensor& parameter : g.parameters()) {
    state.set(parameter.name(), numbers(parameter.shape().sizes(), first += 0.7));
  }
  return state;
}

constexpr CellKind kinds[] = {CellKind::rnn, CellKind::lstm, CellKind::gru};
constexpr const char* names[] = {"rnn_1/", "lstm_1/", "gru_1/"};

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_recurrent)

BOOST_AUTO_TEST_CASE(a_layer_computes_its_formulas) {
  for (const CellKind kind : kinds) {
    for (const bool all : {false, true}) {  // biases and peepholes
      Graph g;
      const Tensor x = g.input("x", {steps, batch, in}, DType::f64);
      nn::RecurrentOptions options;
      options.cell = {.bias = all, .recurrent_bias = all, .peepholes = all && kind == CellKind::lstm};
      if (all) options.direction = nn::Direction::backward;
      const nn::RecurrentResult r = nn::Recurrent(kind, units, options)(x);
      State state = drawn(g);
      Batch inputs;
      inputs.set("x", numbers({steps, batch, in}, 0.2));
      const std::vector<Array> results = compile({.outputs = {r.outputs, r.final[0].hidden}}).run(state, inputs);
      const Vector expected = layer(kind, {state, names[static_cast<int>(kind)] + std::string("layer_1/")},
                                    inputs["x"].to_vector<double>(), in, all, {steps, steps, steps});
      check_close(results[0].to_vector<double>(), expected);
      const auto last = expected.begin() + (all ? 0 : (steps - 1) * batch * units);
      check_close(results[1].to_vector<double>(), Vector(last, last + batch * units));
    }
  }
}

BOOST_AUTO_TEST_CASE(layers_stack_in_both_directions_over_sequences_of_different_lengths) {
  for (const CellKind kind : kinds) {
    Graph g;
    const Tensor x = g.input("x", {batch, steps, in}, DType::f64);
    const Tensor lengths = g.input("lengths", {batch}, DType::i32);
    nn::Recurrent net(kind, units, {.layers = 2, .direction = nn::Direction::both, .axis = 1});
    const Tensor y = net(x, {.mask = transpose(nn::length_mask(lengths, steps))}).outputs;
    BOOST_TEST(y.shape().to_string() == "[3, 5, 12]");
    State state = drawn(g);
    Batch inputs;
    inputs.set("x", numbers({batch, steps, in}, 0.2));
    inputs.set("lengths", Array::from(std::vector<int32_t>{5, 2, 3}, {batch}));
    const Vector got = compile({.outputs = {y}}).run(state, inputs)[0].to_vector<double>();

    // The reference is written for time in front.
    const Vector given = inputs["x"].to_vector<double>();
    Vector sequence(given.size());
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t t = 0; t < steps; ++t) {
        std::copy_n(given.begin() + (b * steps + t) * in, in, sequence.begin() + (t * batch + b) * in);
      }
    }
    int64_t width = in;
    for (const char* number : {"layer_1/", "layer_2/"}) {
      const std::string scope = names[static_cast<int>(kind)] + std::string(number);
      const Vector forward = layer(kind, {state, scope + "forward/"}, sequence, width, false, {5, 2, 3});
      const Vector backward = layer(kind, {state, scope + "backward/"}, sequence, width, true, {5, 2, 3});
      width = 2 * units;
      sequence.assign(static_cast<size_t>(steps * batch * width), 0.0);
      for (int64_t row = 0; row < steps * batch; ++row) {
        std::copy_n(forward.begin() + row * units, units, sequence.begin() + row * width);
        std::copy_n(backward.begin() + row * units, units, sequence.begin() + row * width + units);
      }
    }
    Vector expected(got.size());
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t t = 0; t < steps; ++t) {
        std::copy_n(sequence.begin() + (t * batch + b) * width, width, expected.begin() + (b * steps + t) * width);
      }
    }
    check_close(got, expected);
  }
}

BOOST_AUTO_TEST_CASE(gradients_agree_with_differences) {
  for (const CellKind kind : kinds) {
    Graph g;
    const Tensor x = g.input("x", {3, 2, 2}, DType::f64);
    nn::RecurrentOptions options;
    options.cell = {.recurrent_bias = true, .peepholes = kind == CellKind::lstm};
    const Tensor loss = sum(square(nn::Recurrent(kind, 2, options)(x).outputs));
    std::vector<Tensor> outputs = gradients(loss, g.parameters());
    outputs.push_back(loss);
    const Program program = compile({.outputs = outputs});
    State state = drawn(g);
    Batch inputs;
    inputs.set("x", numbers({3, 2, 2}, 0.2));
    const std::vector<Array> results = program.run(state, inputs);
    const std::vector<Tensor> parameters = g.parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      const Array value = state.get(parameters[i].name());
      for (size_t j = 0; j < value.data<double>().size(); ++j) {
        const auto loss_at = [&](double change) {
          Array varied = value.clone();
          varied.data<double>()[j] += change;
          state.set(parameters[i].name(), varied);
          return program.run(state, inputs).back().item<double>();
        };
        const double difference = (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5;
        BOOST_TEST(std::abs(results[i].data<double>()[j] - difference) < 1e-7, parameters[i].name());
      }
      state.set(parameters[i].name(), value);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_state_goes_on_where_another_sequence_ended) {
  Graph g;
  const Tensor x = g.input("x", {steps, batch, in}, DType::f64), rest = g.input("rest", {2, batch, in}, DType::f64);
  nn::Recurrent net(CellKind::lstm, units);
  const nn::RecurrentResult first = net(x), second = net(rest, {.initial = first.final});
  nn::RecurrentCell cell(CellKind::lstm, units, {.name = "alone"});
  const nn::CellState once = cell(x);  // a state for every step and example
  BOOST_TEST(once.hidden.shape().to_string() == "[5, 3, 6]");
  BOOST_TEST(g.parameters().size() == 24u);
  State state = drawn(g);
  Batch inputs;
  inputs.set("x", numbers({steps, batch, in}, 0.2));
  inputs.set("rest", numbers({2, batch, in}, 0.4));
  const std::vector<Array> results = compile({.outputs = {second.final[0].hidden, once.cell}}).run(state, inputs);
  Vector h(static_cast<size_t>(units), 0.0), c = h;
  for (const char* name : {"x", "rest"}) {
    const Vector values = inputs[name].to_vector<double>();
    for (size_t t = 0; t < values.size() / (batch * in); ++t) {
      const auto row = values.begin() + static_cast<std::ptrdiff_t>(t) * batch * in;  // of the first example
      step(CellKind::lstm, {state, "lstm_1/layer_1/"}, Vector(row, row + in), h, c);
    }
  }
  const Vector got = results[0].to_vector<double>();
  check_close(Vector(got.begin(), got.begin() + units), h);
}

// Steps 0 to 2 and 3 to 4: the second window's state is that of the first, but no gradient goes back to it.
BOOST_AUTO_TEST_CASE(truncated_gradients_end_at_a_window) {
  for (const CellKind kind : kinds) {
    Graph g;
    const Tensor x = g.input("x", {steps, batch, in}, DType::f64);
    nn::Recurrent whole(kind, units, {.truncate = 3});
    const Tensor y = whole(x).outputs, of_last = sum(square(slice(y, 0, {3, 5})));
    const std::vector<Tensor> weights = g.parameters();
    Graph by_windows;  // two calls of the same layer
    const Tensor first = by_windows.input("first", {3, batch, in}, DType::f64),
                 second = by_windows.input("second", {2, batch, in}, DType::f64);
    nn::Recurrent net(kind, units);
    nn::CellState between = net(first).final[0];
    between = {stop_gradient(between.hidden), between.cell.valid() ? stop_gradient(between.cell) : Tensor()};
    const Tensor expected = sum(square(net(second, {.initial = {between}}).outputs));
    State state = drawn(g);
    const Array values = numbers({steps, batch, in}, 0.2);
    std::vector<Tensor> wanted = gradients(of_last, weights);
    wanted.push_back(gradient(of_last, x));
    const std::vector<Array> got = compile({.outputs = wanted}).run(state, {{"x", values}});
    const std::vector<Array> truth = compile({.outputs = gradients(expected, by_windows.parameters())})
                                         .run(state, {{"first", values.rows(0, 3)}, {"second", values.rows(3, 5)}});
    BOOST_REQUIRE(truth.size() + 1 == got.size());
    for (size_t i = 0; i < truth.size(); ++i) check_close(got[i].to_vector<double>(), truth[i].to_vector<double>());
    const Vector slope = got.back().to_vector<double>();  // by x
    for (size_t i = 0; i < slope.size(); ++i) BOOST_TEST((slope[i] == 0) == (i < 3 * batch * in));
  }
}

BOOST_AUTO_TEST_CASE(dropout_is_between_layers_and_in_training_only) {
  for (const int64_t layers : {1, 2}) {
    Graph g;
    const Tensor x = g.input("x", {4, 64, 3});
    const Tensor y = nn::gru(x, 16, {.layers = layers, .dropout = 0.5}).outputs;
    State state;
    Array values({4, 64, 3});
    for (size_t i = 0; i < 768; ++i) values.data<float>()[i] = std::sin(static_cast<float>(i));
    const Program train = compile({.outputs = {y}, .mode = Mode::training}),
                  use = compile({.outputs = {y}, .mode = Mode::inference});
    const Array trained = train.run(state, {{"x", values}})[0], used = use.run(state, {{"x", values}})[0];
    BOOST_TEST(same_bits(trained, used) == (layers == 1));
    if (layers == 1) continue;
    // What is dropped is put in by the second layer's weights, in time as well: no output itself is 0.
    for (const float value : trained.data<const float>()) BOOST_TEST(value != 0);
  }
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
  Graph g;
  const Tensor x = g.input("x", {steps, batch, in}), flat = g.input("flat", {batch, in});
  const std::string rule =
      "\n  a recurrent layer needs x [time, batch, in], a boolean mask [time, batch], and a state for each layer and "
      "direction";
  BOOST_TEST(message_without_lines_of([&] { (void)nn::lstm(flat, 4); }) ==
             "recurrent_test.cpp: lstm: x has no axes for time and batch\n  x \"flat\"  f32[3, 4]  input, "
             "recurrent_test.cpp" +
                 rule);
  BOOST_TEST(message_without_lines_of([&] { (void)nn::gru(x, 4, {.axis = 2}); }) ==
             "recurrent_test.cpp: gru: the axis of time cannot be 2\n  x \"x\"  f32[5, 3, 4]  input, "
             "recurrent_test.cpp" +
                 rule);
  BOOST_TEST(message_without_lines_of([&] { (void)nn::rnn(x, 0); }) ==
             "recurrent_test.cpp: rnn: 0 units were asked for\n  a cell has at least one unit");
  BOOST_TEST(message_without_lines_of([&] { (void)nn::rnn(x, 4, {.layers = 0}); }) ==
             "recurrent_test.cpp: rnn: 0 layers were asked for\n  a stack has at least one layer");
  BOOST_TEST(message_without_lines_of([&] { (void)nn::gru(x, 4, {.cell = {.peepholes = true}}); }) ==
             "recurrent_test.cpp: gru: peepholes were asked for\n  only an lstm has peepholes");
  for (const double rate : {-0.1, 1.0, std::nan("")}) {
    BOOST_TEST(message_without_lines_of([&] {
                 (void)nn::rnn(x, 4, {.dropout = rate});
               }).ends_with("\n  a rate is at least 0 and less than 1"));
  }
  const std::string about_x = "\n  x \"x\"  f32[5, 3, 4]  input, recurrent_test.cpp" + rule;
  nn::Recurrent one(CellKind::lstm, 4);
  BOOST_TEST(message_without_lines_of([&] { (void)one(x, {.initial = {nn::CellState{flat}}}); }) ==
             "recurrent_test.cpp: lstm: initial state 0 has no cell Tensor" + about_x);
  nn::Recurrent net(CellKind::rnn, 4, {.layers = 2});
  BOOST_TEST(message_without_lines_of([&] {
               (void)net(x, {.initial = {nn::CellState{flat, flat}, nn::CellState{flat}}});
             }) == "recurrent_test.cpp: rnn: initial state 0 has a cell Tensor" + about_x);
  BOOST_TEST(message_without_lines_of([&] {
               (void)net(x, {.initial = {nn::CellState{flat}, nn::CellState{}}});
             }) == "recurrent_test.cpp: rnn: initial state 1 has no hidden Tensor" + about_x);
  BOOST_TEST(message_without_lines_of([&] { (void)net(x, {.initial = {nn::CellState{x}}}); }) ==
             "recurrent_test.cpp: rnn: 1 initial states given, 2 needed\n  x \"x\"  f32[5, 3, 4]  input, "
             "recurrent_test.cpp" +
                 rule);
  BOOST_TEST(message_without_lines_of([&] {
               (void)net(x, {.mask = flat});
             }).starts_with("recurrent_test.cpp: rnn: the mask does not fit\n"));
}

BOOST_AUTO_TEST_SUITE_END()
