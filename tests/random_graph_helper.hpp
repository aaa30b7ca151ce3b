// Random graphs, made from a seed: forward, gradients, updates, values used twice, odd and zero sizes.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/runtime/batch.hpp>
#include <gradloom/runtime/state.hpp>

#include <cstdint>
#include <random>
#include <vector>

namespace gradloom::test {

/// Random numbers of [low, high) in an Array of f32 or f64.
Array uniform_array(std::mt19937_64& rng, const std::vector<int64_t>& sizes, DType dtype, double low, double high);

struct RandomGraph {
  Graph graph;
  std::vector<Tensor> outputs;
  std::vector<Update> updates;
  State state;  // values of the parameters
  Batch inputs;
};

struct RandomGraphOptions {
  bool loops = false;  ///< scans, conds and while loops among the nodes, also within each other
};

/// The same graph for the same seed. Values stay moderate, so that results can be compared with a tolerance.
RandomGraph random_graph(uint64_t seed, RandomGraphOptions options = {});

}  // namespace gradloom::test
