// attention_memory LENGTH...: what a process grows by, at its peak, while attention runs forward and backward is what
// was planned and given, and grows with the length, and not with its square. A program of its own: memory that an
// earlier test has given back would be taken again without any growth. Lengths ascend, so that each has a new peak.
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/program.hpp>

#include <malloc.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>

namespace gl = gradloom;

namespace {

constexpr int64_t heads = 4, depth = 64;

/// The largest resident size that the process has had.
double peak_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kb = 0;
    if (word == "VmHWM:" && status >> kb) return kb * 1024 / 1e6;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

gl::Program attention_with_gradients() {
  gl::Graph g;
  const gl::Shape shape{"n", heads, depth};
  const gl::Tensor q = g.input("q", shape), k = g.input("k", shape), v = g.input("v", shape);
  const gl::Tensor y = gl::attention(q, k, v);
  std::vector<gl::Tensor> outputs = gl::gradients(sum(square(y)), {q, k, v});
  outputs.push_back(y);
  return gl::compile({.outputs = outputs});
}

/// Megabytes of the plan and of the inputs.
double run(const gl::Program& program, int64_t length) {
  gl::Batch inputs;
  for (const char* name : {"q", "k", "v"}) {
    gl::Array array({length, heads, depth});
    for (float& element : array.data<float>()) element = 0.5F;  // touched, to be resident
    inputs.set(name, std::move(array));
  }
  const gl::Executor executor{{.threads = 1}};
  gl::State state;
  (void)program.run(executor, state, inputs);
  const auto given = static_cast<double>(3 * length * heads * depth * 4);
  return (given + static_cast<double>(program.stats().planned_bytes)) / 1e6;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: attention_memory LENGTH LENGTH...\n", stderr);
    return 2;
  }
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);  // huge pages would round every array up to 2 MB
  mallopt(M_MMAP_THRESHOLD, 64 * 1024);   // what was freed goes back to the system, instead of serving again unseen
  const gl::Program program = attention_with_gradients();
  (void)run(program, 64);  // code and tables
  const double before = peak_mb();
  bool right = true;
  double least_per_token = std::numeric_limits<double>::infinity();
  for (int i = 1; i < argc; ++i) {
    const int64_t length = std::atoll(argv[i]);
    const double planned = run(program, length), grown = peak_mb() - before;
    const double per_token = grown / static_cast<double>(length);
    std::printf("%lld tokens: planned and given %.1f MB, grown by %.1f MB, %.1f kB a token\n",
                static_cast<long long>(length), planned, grown, 1e3 * per_token);
    least_per_token = std::min(least_per_token, per_token);
    right &= std::abs(grown - planned) <= 0.1 * planned + 4;
    right &= per_token <= 1.25 * least_per_token;
  }
  return right ? 0 : 1;
}
