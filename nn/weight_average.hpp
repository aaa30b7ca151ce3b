// Averages of the weights that a training goes through, which often generalise better than where it ends.
//
//     const nn::WeightAverage average = nn::exponential_moving_average(nn::adam(loss), {.decay = 0.999});
//     Program train = compile({.outputs = {loss}, .updates = average.updates});
//     ...                                                             // train over `state`
//     test.run(cores, average.averaged(state), images);               // with the averages as weights
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/runtime/state.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gradloom::inline v0::nn {

/// Updates that keep averages, and what belongs to them.
struct GRADLOOM_API WeightAverage {
  std::vector<Update> updates;                             ///< those given, and those of the averages
  std::vector<std::pair<std::string, std::string>> names;  ///< of each weight and of its average in the State

  /// A State with the averages in place of the weights they are of. Running statistics (of batch norm) stay those of
  /// the weights: run some batches in training mode before you trust a network that has such. Throws Error if the State
  /// lacks an average.
  [[nodiscard]] State averaged(const State& state) const;
};

struct ExponentialMovingAverageOptions {
  double decay = 0.999;
};

/// average = decay average + (1 - decay) weight after every step, of every trainable parameter among the updates; the
/// first average is the first weight. With accumulated gradients every small batch is a step. Kept as frozen parameters
/// "ema/dense_1/weight", in the weights' dtypes (of bf16, in f32). Throws Error if there is no trainable parameter or
/// if the decay is not in [0, 1].
[[nodiscard]] GRADLOOM_API WeightAverage
exponential_moving_average(std::vector<Update> updates, const ExponentialMovingAverageOptions& options = {},
                           SourceLocation location = SourceLocation::current());

struct StochasticWeightAveragingOptions {
  int64_t start = 0;  ///< the first step (from 0) whose weights count
  int64_t every = 1;  ///< and how many steps there are from one that counts to the next: an epoch, usually
};

/// The mean of the weights after the steps start, start + every, ...: "swa/dense_1/weight" (Izmailov et al., 2018,
/// "Averaging Weights Leads to Wider Optima and Better Generalization"). Before the first of them the averages are 0.
/// Throws Error if there is no trainable parameter, if start is negative or every is not positive.
[[nodiscard]] GRADLOOM_API WeightAverage
stochastic_weight_averaging(std::vector<Update> updates, const StochasticWeightAveragingOptions& options = {},
                            SourceLocation location = SourceLocation::current());

}  // namespace gradloom::inline v0::nn
