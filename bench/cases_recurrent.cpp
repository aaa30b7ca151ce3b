// Training steps of recurrent networks.
#include "case.hpp"
#include "start_values.hpp"
#include "training.hpp"
#include <gradloom/nn/dense.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/nn/recurrent.hpp>
#include <gradloom/ops/gather.hpp>

#include <cmath>
#include <vector>

namespace bench {

namespace {

namespace nn = gl::nn;
using gl::Tensor;

constexpr int64_t vocabulary = 96, width = 128, hidden = 256, steps = 64, batch = 32;

std::vector<float> peer_values(int64_t rows, int64_t columns, uint64_t number) {
  std::vector<float> values(static_cast<size_t>(rows * columns));
  const float bound = 1.0f / std::sqrt(static_cast<float>(columns));
  peers::fill_uniform(values.data(), values.size(), -bound, bound, peers::kParameterSeed + number);
  return values;
}

/// Sets [columns, rows] from the peers' [rows, columns], from row `first` on.
void set_transposed(gl::State& state, const std::string& name, const std::vector<float>& values, int64_t first,
                    int64_t rows, int64_t columns) {
  const int64_t sizes[] = {columns, rows}, strides[] = {1, columns};
  state.set(name, gl::Array::view(values.data() + first * columns, sizes, strides));
}

gl::Array tokens(uint64_t seed) {
  gl::Array array({steps, batch}, gl::DType::i32);
  peers::fill_labels(array.data<int32_t>().data(), array.data<int32_t>().size(), vocabulary, seed);
  return array;
}

Case lstm_char(gl::CompileOptions options) {
  gl::Graph g;
  const Tensor x = g.input("x", {steps, batch}, gl::DType::i32);
  const Tensor target = g.input("target", {steps, batch}, gl::DType::i32);
  const Tensor embedding = g.parameter("embedding", {vocabulary, width});
  // The peers have two bias vectors.
  const Tensor states =
      nn::lstm(gl::gather(embedding, x), hidden, {.cell = {.recurrent_bias = true, .name = "lstm"}}).outputs;
  const Tensor loss = nn::softmax_cross_entropy(nn::dense(states, vocabulary, {.name = "out"}), target);

  Case c;
  for (const Tensor& parameter : g.parameters()) c.state.set(parameter.name(), gl::Array(parameter.shape().sizes()));
  const std::vector<float> words = peer_values(vocabulary, width, 0);
  const std::vector<float> from_input = peer_values(4 * hidden, width, 1);
  const std::vector<float> from_state = peer_values(4 * hidden, hidden, 2);
  const std::vector<float> to_words = peer_values(vocabulary, hidden, 5);
  const int64_t sizes[] = {vocabulary, width};
  c.state.set("embedding", gl::Array::view(words.data(), sizes));
  int64_t row = 0;
  for (const char* gate : {"input", "forget", "candidate", "output"}) {
    const std::string scope = std::string("lstm/layer_1/") + gate;
    set_transposed(c.state, scope + "/weight", from_input, row, hidden, width);
    set_transposed(c.state, scope + "/recurrent", from_state, row, hidden, hidden);
    row += hidden;
  }
  set_transposed(c.state, "out/weight", to_words, 0, vocabulary, hidden);

  options.outputs = {loss};
  options.updates = adam(1e-3)(loss);
  c.program = gl::compile(options);
  c.inputs.set("x", tokens(peers::kInputSeed));
  c.inputs.set("target", tokens(peers::kTargetSeed));
  c.outputs = {gl::Array(std::initializer_list<int64_t>{})};
  c.flops = 3.0 * 2 * steps * batch * (width * 4 * hidden + hidden * 4 * hidden + hidden * vocabulary);
  return c;
}

constexpr NamedCase cases[] = {{"lstm_char", lstm_char}};

}  // namespace

const std::span<const NamedCase> recurrent_cases = cases;

}  // namespace bench
