#include "training_helper.hpp"

#include "own_ops_helper.hpp"
#include <gradloom/nn/dense.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/dropout.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/relu.hpp>

#include <random>

namespace gradloom::test {

const std::vector<Activation> activations = {
    [](const Tensor& x) { return relu(x); },
    [](const Tensor& x) { return tanh(x); },
    [](const Tensor& x) { return x * tanh(log1p(exp(x))); },
};

Training training(Activation activation, uint64_t data_seed, int meet_threads) {
  constexpr int64_t batch = 96, pixels = 70, classes = 10;  // no multiples of a vector, of a tile
  Training made;
  std::mt19937_64 random(data_seed);
  const Array images({batch, pixels}), labels({batch}, DType::i32);
  for (float& x : images.data<float>()) x = static_cast<float>(random() % 1000) * 0.002F - 1;
  for (int32_t& label : labels.data<int32_t>()) label = static_cast<int32_t>(random() % classes);
  made.inputs = {{"x", images}, {"labels", labels}};

  Tensor h = made.graph.input("x", {batch, pixels});
  const Tensor target = made.graph.input("labels", {batch}, DType::i32);
  h = activation(nn::dense(h, 65));
  if (meet_threads > 0) h = meet(h, meet_threads);
  h = activation(nn::dense(dropout(h, 0.2), 33));
  made.loss = nn::softmax_cross_entropy(nn::dense(h, classes), target);
  made.updates = nn::adam(made.loss, {.learning_rate = 0.01, .clip_global_norm = 0.5});
  return made;
}

std::vector<Array> five_steps(const Program& program, const Batch& inputs, const Executor& executor) {
  State state;
  std::vector<Array> results;
  for (int step = 0; step < 5; ++step) results.push_back(program.run(executor, state, inputs)[0]);
  for (const std::string& name : state.names()) results.push_back(state.get(name));
  return results;
}

}  // namespace gradloom::test
