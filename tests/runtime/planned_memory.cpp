// planned_memory NETWORK: what a process grows by when a training runs is what was planned, within 10 % and 4 MB, also
// when the last batch is smaller. A program of its own, run once a network: memory that an earlier test has given back
// would be taken again without any growth.
#include <gradloom/nn/dense.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/runtime/program.hpp>

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <string_view>

namespace gl = gradloom;

namespace {

struct Training {
  gl::Program program;
  gl::Batch full, last;
};

using Activation = gl::Tensor (*)(const gl::Tensor&);

gl::Tensor mlp(gl::Tensor x, std::initializer_list<int64_t> widths, Activation activation) {
  for (const int64_t units : widths) x = gl::nn::dense(activation(x), units);
  return x;
}

// Activations, of which there are many beside few parameters.
Training classifier() {
  gl::Graph g;
  const gl::Tensor x = g.input("x", {"batch", 784}), label = g.input("t", {"batch"}, gl::DType::i32);
  const gl::Tensor logits = mlp(gl::nn::dense(x, 512), {256, 10}, [](const gl::Tensor& h) { return relu(h); });
  const gl::Tensor loss = gl::nn::softmax_cross_entropy(logits, label);
  return {gl::compile({.outputs = {loss}, .updates = gl::nn::adam(loss, {})}),
          {{"x", gl::Array({8192, 784})}, {"t", gl::Array({8192}, gl::DType::i32)}},
          {{"x", gl::Array({1000, 784})}, {"t", gl::Array({1000}, gl::DType::i32)}}};
}

// Gradients of many parameters.
Training wide() {
  gl::Graph g;
  const gl::Tensor x = g.input("x", {"batch", 1024}), t = g.input("t", {"batch", 1024});
  const gl::Tensor y = mlp(gl::nn::dense(x, 2048), {2048, 1024}, [](const gl::Tensor& h) { return relu(h); });
  const gl::Tensor loss = gl::nn::mse(y, t);
  return {gl::compile({.outputs = {loss}, .updates = gl::nn::gradient_descent(loss, {.learning_rate = 0.01})}),
          {{"x", gl::Array({256, 1024})}, {"t", gl::Array({256, 1024})}},
          {{"x", gl::Array({37, 1024})}, {"t", gl::Array({37, 1024})}}};
}

// A chain, of which the backward pass needs every link.
Training deep() {
  gl::Graph g;
  const gl::Tensor x = g.input("x", {"batch", 256}), t = g.input("t", {"batch", 256});
  const gl::Tensor y = mlp(x, {256, 256, 256, 256, 256, 256, 256, 256}, [](const gl::Tensor& h) { return tanh(h); });
  const gl::Tensor loss = gl::nn::mse(y, t);
  return {gl::compile({.outputs = {loss}, .updates = gl::nn::momentum(loss, {})}),
          {{"x", gl::Array({8192, 256})}, {"t", gl::Array({8192, 256})}},
          {{"x", gl::Array({4097, 256})}, {"t", gl::Array({4097, 256})}}};
}

const std::map<std::string_view, Training (*)()> trainings = {
    {"classifier", classifier}, {"wide", wide}, {"deep", deep}};

/// Without what is mapped from files: pages of code come as they are needed.
double resident_mb() {
  long pages = 0, resident = 0, shared = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident >> shared;
  return static_cast<double>(resident - shared) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

}  // namespace

int main(int argc, char** argv) {
  const auto found = argc == 2 ? trainings.find(argv[1]) : trainings.end();
  if (found == trainings.end()) {
    std::fputs("usage: planned_memory classifier | wide | deep\n", stderr);
    return 2;
  }
  mallopt(M_MMAP_THRESHOLD, 64 * 1024);  // what was freed goes back to the system, instead of serving again unseen
  const Training training = found->second();
  const gl::Executor executor{{.threads = 1}};
  gl::State state;
  training.program.initialize(state);

  const double before = resident_mb();
  bool right = true;
  double planned = 0;
  const auto check = [&](const char* which, const gl::Batch& batch) {
    for (int step = 0; step < 3; ++step) (void)training.program.run(executor, state, batch);
    planned = std::max(planned, static_cast<double>(training.program.stats().planned_bytes) / 1e6);
    const double grown = resident_mb() - before;
    std::printf("%s batch: planned %.1f MB, grown by %.1f MB\n", which, planned, grown);
    right &= planned > 10 && std::abs(grown - planned) <= 0.1 * planned + 4;
  };
  check("full", training.full);
  check("last", training.last);
  check("full", training.full);
  return right ? 0 : 1;
}
