// What the benchmark measures: a case is a Program and all that one step of it takes. Cases of a kind share a file
// (cases_mlp.cpp, ...), which ends in the table of them.
#pragma once

#include "peers/peer_run.hpp"
#include <gradloom/runtime/program.hpp>

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

namespace gl = gradloom;

/// A built case. One step is `program.run(executor, state, inputs, outputs)`, which allocates nothing once it is warm.
struct Case {
  gl::Program program;
  gl::State state;
  gl::Batch inputs;
  std::vector<gl::Array> outputs;
  /// Of one step, for the rate: matrix products and convolutions; else the traffic that cannot be avoided.
  double flops = 0;
  double bytes = 0;
};

/// `options` say how to compile (instruction set, passes); the case adds what.
struct NamedCase {
  std::string_view name;
  Case (*make)(gl::CompileOptions options);
};

extern const std::span<const NamedCase> mlp_cases;
extern const std::span<const NamedCase> pointwise_cases;
extern const std::span<const NamedCase> convolution_cases;
extern const std::span<const NamedCase> recurrent_cases;
extern const std::span<const NamedCase> vision_cases;
extern const std::span<const NamedCase> attention_cases;

/// All tables of cases, in the order of --list.
inline std::array<std::span<const NamedCase>, 6> case_tables() {
  return {mlp_cases, pointwise_cases, convolution_cases, recurrent_cases, vision_cases, attention_cases};
}

/// One line: FNV-1a over the bytes of the arrays and of the State's values.
void print_hash(std::span<const gl::Array> arrays, const gl::State& state);

struct TrainingOptions {
  int threads = 1;
  gl::CompileOptions compile;
  std::string data;
  int losses = 0;        ///< print so many first losses and stop; 0: train to the end
  bool hash = false;     ///< print a hash of the results after the losses
  bool explain = false;  ///< print what was compiled, and do not train
};

/// A complete training: times its epochs and tests what was learned.
struct NamedTraining {
  std::string_view name;
  peers::Row (*run)(const TrainingOptions& options);
};

extern const std::span<const NamedTraining> trainings;

}  // namespace bench
