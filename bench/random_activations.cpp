// random_activations: what an activation that nobody has tuned for costs in a training step.
//
//   random_activations [--seed N] [--count 10] [--threads 1] [--compiler g++]
//
// Draws expressions (expression.hpp) and trains mlp_custom_act of peers/README.md with each. Beside that stands a loop
// for this one expression, written with xsimd and compiled with everything this processor has, forward and backward
// over the same data alone: 256 x 1024 floats, twice. The ratio is what the expression adds to the step with relu,
// divided by the time of the loop. The design asks for 1.5 at most.
#include "expression.hpp"
#include "training.hpp"
#include <gradloom/autodiff/gradients.hpp>

#include <CLI/CLI.hpp>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>

namespace {

using namespace bench;
using peers::Clock;
using peers::ms_since;

constexpr int64_t rows = 256, columns = 1024, count = rows * columns;

/// The loops of an expression, compiled and loaded. The files go again at once.
class CompiledLoops {
 public:
  CompiledLoops(const Expression& expression, const std::string& compiler) {
    std::string folder = (std::filesystem::temp_directory_path() / "random_activations_XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder can be made");
    const std::string source = folder + "/loops.cpp", library = folder + "/loops.so";
    std::ofstream(source) << expression.source();
    const std::string command =
        fmt::format("{} -std=c++17 -O3 -march=native -fPIC -shared {} -o {}", compiler, source, library);
    const int status = std::system(command.c_str());
    library_ = status == 0 ? dlopen(library.c_str(), RTLD_NOW) : nullptr;
    std::filesystem::remove_all(folder);
    if (library_ == nullptr) throw std::runtime_error("this failed: " + command);
    forward = reinterpret_cast<Forward>(dlsym(library_, "forward"));
    backward = reinterpret_cast<Backward>(dlsym(library_, "backward"));
  }
  ~CompiledLoops() { dlclose(library_); }
  CompiledLoops(const CompiledLoops&) = delete;
  CompiledLoops& operator=(const CompiledLoops&) = delete;

  using Forward = void (*)(const float* x, float* y, long n);
  using Backward = void (*)(const float* x, const float* dy, float* dx, long n);
  Forward forward = nullptr;
  Backward backward = nullptr;

 private:
  void* library_ = nullptr;
};

/// What one layer's activation reads and writes.
struct LayerData {
  gl::Array x = uniform({rows, columns}, peers::kInputSeed), dy = uniform({rows, columns}, peers::kTargetSeed);
  gl::Array y = gl::Array({rows, columns}), dx = gl::Array({rows, columns});
};

const float* in(const gl::Array& array) { return array.data<const float>().data(); }
float* out(const gl::Array& array) { return array.data<float>().data(); }

void run_loops(const CompiledLoops& loops, LayerData (&layers)[2]) {
  for (LayerData& layer : layers) loops.forward(in(layer.x), out(layer.y), count);
  for (LayerData* layer : {&layers[1], &layers[0]}) loops.backward(in(layer->x), in(layer->dy), out(layer->dx), count);
}

/// Both sides compute the same function, or the comparison would be worth nothing.
void check_values(const Expression& expression, const LayerData& layer) {
  gl::Graph g;
  const gl::Tensor x = g.input("x", {rows, columns}), dy = g.input("dy", {rows, columns});
  const gl::Tensor y = expression(x);
  gl::State state;
  const std::vector<gl::Array> own =
      gl::compile({.outputs = {y, gl::gradient(y, x, dy)}}).run(state, {{"x", layer.x}, {"dy", layer.dy}});
  for (const auto& [a, b] : {std::pair{own[0], layer.y}, std::pair{own[1], layer.dx}}) {
    for (int64_t i = 0; i < count; ++i) {
      const double want = static_cast<double>(in(b)[i]), got = static_cast<double>(in(a)[i]);
      if (!(std::fabs(got - want) <= 1e-3 * (1 + std::fabs(want)))) {
        throw std::runtime_error(fmt::format("at x = {} the step has {} and the loop {}", in(layer.x)[i], got, want));
      }
    }
  }
}

struct Times {
  double relu, step, loop;  // ms
};

/// Takes turns, so that a machine that slows down does so for all three.
Times measure(const gl::Executor& executor, Case& with_relu, Case& with_expression, const CompiledLoops& loops,
              LayerData (&layers)[2], double seconds) {
  std::vector<double> relu, step, loop;
  const auto timed = [](std::vector<double>& times, const auto& f) {
    const auto start = Clock::now();
    f();
    times.push_back(ms_since(start));
  };
  const auto run = [&](Case& c) { c.program.run(executor, c.state, c.inputs, c.outputs); };
  const auto begin = Clock::now();
  while (relu.size() < 8 || ms_since(begin) < 1000 * seconds) {
    timed(relu, [&] { run(with_relu); });
    timed(step, [&] { run(with_expression); });
    timed(loop, [&] { run_loops(loops, layers); });
  }
  for (std::vector<double>* times : {&relu, &step, &loop}) times->erase(times->begin(), times->begin() + 3);  // warm-up
  return {peers::median(relu), peers::median(step), peers::median(loop)};
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seed = std::random_device{}();
  int expressions = 10, threads = 1;
  double seconds = 3;
  std::string compiler = "g++";
  bool print_source = false;
  CLI::App app("What an activation that nobody has tuned for costs in a training step.");
  app.add_option("--seed", seed, "draws the expressions; a new one each time if not given");
  app.add_option("--count", expressions, "how many expressions");
  app.add_option("--threads", threads, "threads of the executor; the loop has one")->check(CLI::Range(1, 64));
  app.add_option("--seconds", seconds, "to measure each expression for");
  app.add_option("--compiler", compiler, "compiles the loops");
  app.add_flag("--source", print_source, "print the loops");
  CLI11_PARSE(app, argc, argv);

  try {
    peers::Rng random(seed);
    const gl::Executor executor{{.threads = threads}};
    Case with_relu = mlp_of_activation({}, relu);
    fmt::print("seed {}\nops\trelu_ms\tstep_ms\tadded_ms\tloop_ms\tratio\texpression\n", seed);
    double worst = 0;
    for (int i = 0; i < expressions; ++i) {
      const Expression expression(random);
      if (print_source) fmt::print("{}\n", expression.source());
      const CompiledLoops loops(expression, compiler);
      LayerData layers[2];
      run_loops(loops, layers);
      check_values(expression, layers[0]);
      Case with_expression = mlp_of_activation({}, expression);
      const Times t = measure(executor, with_relu, with_expression, loops, layers, seconds);
      const double ratio = (t.step - t.relu) / t.loop;
      worst = std::max(worst, ratio);
      fmt::print("{}\t{:.3f}\t{:.3f}\t{:.3f}\t{:.3f}\t{:.2f}\t{}\n", expression.size(), t.relu, t.step, t.step - t.relu,
                 t.loop, ratio, expression.text());
      std::fflush(stdout);
    }
    fmt::print("largest ratio {:.2f}\n", worst);
  } catch (const std::exception& error) {
    fmt::print(stderr, "random_activations: {}\n", error.what());
    return 1;
  }
}
