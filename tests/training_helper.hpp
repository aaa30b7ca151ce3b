// A training step as users write them: dense layers, an activation, dropout, softmax cross-entropy, Adam with clipping.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/runtime/batch.hpp>
#include <gradloom/runtime/program.hpp>

#include <cstdint>
#include <vector>

namespace gradloom::test {

struct Training {
  Graph graph;
  Tensor loss;
  std::vector<Update> updates;
  Batch inputs;  // of one batch, random
};

using Activation = Tensor (*)(const Tensor&);

/// The activations of the networks in bench/: relu, tanh, and one that somebody made up.
extern const std::vector<Activation> activations;

/// `meet_threads`: so many threads meet in the first step that runs, see test::meet; 0: none.
Training training(Activation activation, uint64_t data_seed = 1, int meet_threads = 0);

/// The losses of five steps from a fresh State, then that State's values by name.
std::vector<Array> five_steps(const Program& program, const Batch& inputs, const Executor& executor);

}  // namespace gradloom::test
