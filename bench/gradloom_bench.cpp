// gradloom_bench: one case of the comparison, run by Gradloom. Each case runs in a process of its own:
//
//   gradloom_bench --case mlp_mnist --threads 2
//
// and prints one row; cases, columns and the numbers they start from are explained in peers/README.md. compare.py runs
// this beside the peers.
#include "case.hpp"
#include <gradloom/io/fashion_mnist.hpp>

#include <CLI/CLI.hpp>
#include <malloc.h>
#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <span>
#include <stdexcept>

namespace {

namespace gl = gradloom;

struct Options {
  std::string name;
  std::string trace, times;  // files
  peers::Patience patience;
  bench::TrainingOptions training;
  std::string isa;
};

/// The number of the loss columns: the loss, or the mean of a network's output; the first element of arrays that are
/// measured by their traffic, since reading all of them would fill the cache.
double checksum(const bench::Case& c) {
  const std::span<const float> elements = c.outputs[0].data<const float>();
  if (c.bytes > 0) return static_cast<double>(elements[0]);
  return std::accumulate(elements.begin(), elements.end(), 0.0) / static_cast<double>(elements.size());
}

void print_losses(const Options& options, bench::Case& c) {
  const gl::Executor executor{{.threads = options.training.threads}};
  for (int i = 0; i < options.training.losses; ++i) {
    c.program.run(executor, c.state, c.inputs, c.outputs);
    std::printf("%.9g\n", checksum(c));
  }
  if (options.training.hash) bench::print_hash(c.outputs, c.state);
}

// After as many steps as warm the caches up, a few are written down.
void write_trace(const Options& options, bench::Case& c) {
  constexpr int warm = 20, traced = 3;
  const gl::Executor executor{{.threads = options.training.threads}};
  for (int i = 0; i < warm; ++i) c.program.run(executor, c.state, c.inputs, c.outputs);
  gl::Trace trace;
  for (int i = 0; i < traced; ++i) c.program.run(executor, c.state, c.inputs, c.outputs, {.trace = &trace});
  std::ofstream file(options.trace);
  file << trace.json();
  if (!file.flush()) throw std::runtime_error("cannot write " + options.trace);
}

peers::Row measure(const Options& options, bench::Case& c) {
  const gl::Executor executor{{.threads = options.training.threads}};
  peers::Row row;
  const auto step = [&]() -> const bench::Case* {
    c.program.run(executor, c.state, c.inputs, c.outputs);
    return &c;
  };
  peers::time_steps(row, options.patience, step, [](const bench::Case* stepped) { return checksum(*stepped); });
  row.set_rate(c.flops, c.bytes);
  if (!options.times.empty()) {
    std::ofstream file(options.times);
    for (const double ms : row.step_ms) file << ms << '\n';
    if (!file.flush()) throw std::runtime_error("cannot write " + options.times);
  }
  return row;
}

const bench::NamedCase* find_case(const std::string& name) {
  for (const auto& table : bench::case_tables()) {
    const auto found = std::find_if(table.begin(), table.end(), [&](const auto& c) { return c.name == name; });
    if (found != table.end()) return &*found;
  }
  return nullptr;
}

const bench::NamedTraining* find_training(const std::string& name) {
  const auto found =
      std::find_if(bench::trainings.begin(), bench::trainings.end(), [&](const auto& c) { return c.name == name; });
  return found == bench::trainings.end() ? nullptr : &*found;
}

void print_names() {
  const auto print = [](const auto& table) {
    for (const auto& c : table) std::printf("%.*s\n", static_cast<int>(c.name.size()), c.name.data());
  };
  for (const auto& table : bench::case_tables()) print(table);
  print(bench::trainings);
}

int run_case(const Options& options) {
  // Without this, oneTBB gives no run more threads than the machine has cores.
  const tbb::global_control threads(
      tbb::global_control::max_allowed_parallelism,
      std::max<size_t>(static_cast<size_t>(options.training.threads),
                       tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism)));
  const double base = peers::resident_mb();
  peers::Row row;
  if (const bench::NamedCase* const named = find_case(options.name)) {
    bench::Case c = named->make(options.training.compile);
    if (options.training.explain) {
      std::puts(c.program.explain().c_str());
      return 0;
    }
    if (!options.trace.empty()) {
      write_trace(options, c);
      return 0;
    }
    if (options.training.losses > 0) {
      print_losses(options, c);
      return 0;
    }
    row = measure(options, c);
  } else if (const bench::NamedTraining* const training = find_training(options.name)) {
    row = training->run(options.training);
    if (options.training.losses > 0 || options.training.explain) return 0;
  } else {
    std::fprintf(stderr, "gradloom_bench: no case named '%s'; --list tells them\n", options.name.c_str());
    return 2;
  }
  row.name = options.name;
  row.threads = options.training.threads;
  row.base_rss_mb = base;
  peers::print_row(row);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.training.data = gl::io::fashion_mnist_folder;
  bool list = false, header = false;
  CLI::App app("Measures one case; see bench/peers/README.md.");
  app.add_flag("--list", list, "print the names of the cases");
  app.add_flag("--header", header, "print the names of the columns");
  app.add_option("--case", options.name, "the case to run");
  app.add_option("--threads", options.training.threads, "threads of the executor")->check(CLI::Range(1, 64));
  app.add_option("--losses", options.training.losses, "print so many first losses instead of measuring");
  app.add_option("--seconds", options.patience.seconds, "time steps for so long");
  app.add_option("--steps", options.patience.fixed_steps, "time exactly so many steps");
  app.add_option("--times", options.times, "write the time of every step to this file, in ms, one a line");
  app.add_option("--isa", options.isa, "baseline, avx2 or avx512; else the best there is");
  app.add_option("--without", options.training.compile.without_passes, "passes to leave out, such as fuse");
  bool exact = false;
  app.add_flag("--exact", exact, "without fast_convolution");
  bool bf16 = false;
  app.add_flag("--bf16", bf16, "what is kept for long is stored as bf16");
  app.add_flag("--hash", options.training.hash, "after the losses, print a hash of all outputs and of the State");
  app.add_option("--data", options.training.data, "the folder of Fashion-MNIST");
  app.add_option("--trace", options.trace, "write a trace of three steps to this file instead, for chrome://tracing");
  app.add_flag("--explain", options.training.explain, "print what the case was compiled to");
  CLI11_PARSE(app, argc, argv);
  // Else malloc keeps what the start values were made in, and the peak of memory would count it as the step's.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  options.training.compile.fast_convolution = !exact;
  if (bf16) options.training.compile.storage = gl::DType::bf16;
  if (list) print_names();
  if (header) peers::print_header();
  if (list || header) return 0;
  if (options.name.empty()) {
    std::fputs(app.help().c_str(), stderr);
    return 2;
  }
  options.training.compile.isa = options.isa;
  try {
    return run_case(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", options.name.c_str(), error.what());
    return 1;
  }
}
