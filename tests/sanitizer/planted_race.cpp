// A race in a kernel, on two threads of an Executor: built for the thread sanitizer only, which must report it, though
// it happens inside a task of a oneTBB that is not instrumented.
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/runtime/program.hpp>

#include <oneapi/tbb/global_control.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

namespace gl = gradloom;

namespace {

constexpr int threads = 2;
std::atomic<int> arrived{0};
int unguarded = 0;

// Relaxed on purpose: the threads wait for each other, but that orders nothing, so the sanitizer sees both at once.
void count_without_a_guard(const gl::KernelCall& call) {
  arrived.fetch_add(1, std::memory_order_relaxed);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (arrived.load(std::memory_order_relaxed) < threads && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  ++unguarded;
  static_cast<float*>(call.outputs[0])[call.chunk] = 0;
}

const gl::OpDef race_def{.name = "race",
                         .inputs = {"x"},
                         .shape = [](const gl::ShapeContext& context) { return std::vector{context.input(0)}; },
                         .no_gradient = "it exists for this test only",
                         .plan =
                             [](const gl::KernelRequest&) {
                               gl::KernelPlan plan;
                               plan.steps = {{count_without_a_guard, threads}};
                               plan.nanoseconds = 1e6;  // worth sharing out
                               return plan;
                             }};

}  // namespace

int main() {
  const tbb::global_control control(tbb::global_control::max_allowed_parallelism, threads);
  gl::Graph g;
  const gl::Tensor x = g.input("x", {threads});
  const gl::Tensor y = g.add(race_def, {&x, 1}, {}, gl::SourceLocation::current());
  gl::State state;
  (void)gl::compile({.outputs = {y}}).run(gl::Executor{{.threads = threads}}, state, {{"x", gl::Array({threads})}});
  std::printf("%d threads counted to %d, and no race was reported\n", arrived.load(), unguarded);
}
