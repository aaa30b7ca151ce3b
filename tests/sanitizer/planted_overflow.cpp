// A kernel that writes one element too far, into its output or its scratch: built for the address sanitizer only, which
// must report it, though memory comes in cache lines and a Workspace still holds what a larger plan needed.
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/runtime/program.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string_view>

namespace gl = gradloom;

namespace {

constexpr int64_t small = 3, large = 4096;

struct Sizes {
  int64_t output, scratch;
};

void write_beyond(const gl::KernelCall& call) {
  const auto& written = *static_cast<const Sizes*>(call.params);
  std::fill_n(static_cast<float*>(call.outputs[0]), written.output, 0.0F);
  std::fill_n(static_cast<float*>(call.scratch), written.scratch, 0.0F);
}

gl::KernelPlan plan(const gl::KernelRequest& request, int64_t beyond_output, int64_t beyond_scratch) {
  const int64_t size = request.output().shape.sizes()[0];
  const bool last = size == small;  // it runs after a larger one
  gl::KernelPlan plan;
  plan.steps = {{write_beyond}};
  plan.scratch_bytes = static_cast<size_t>(size) * sizeof(float);
  plan.params = std::make_shared<Sizes>(Sizes{size + (last ? beyond_output : 0), size + (last ? beyond_scratch : 0)});
  return plan;
}

gl::OpDef overflow_def(gl::KernelPlan (*plan)(const gl::KernelRequest&)) {
  return {.name = "overflow",
          .inputs = {"x"},
          .shape = [](const gl::ShapeContext& context) { return std::vector{context.input(0)}; },
          .no_gradient = "it exists for this test only",
          .plan = plan};
}

const gl::OpDef output_def = overflow_def([](const gl::KernelRequest& request) { return plan(request, 1, 0); });
const gl::OpDef scratch_def = overflow_def([](const gl::KernelRequest& request) { return plan(request, 0, 1); });

}  // namespace

int main(int, char** argv) {
  const gl::OpDef& def = std::string_view(argv[1]) == "output" ? output_def : scratch_def;
  gl::Graph g;
  const gl::Tensor x = g.input("x", {"n"});
  const gl::Program program = gl::compile({.outputs = {g.add(def, {&x, 1}, {}, gl::SourceLocation::current())}});
  const gl::Executor executor{{.threads = 1}};
  gl::State state;
  for (const int64_t n : {large, small}) (void)program.run(executor, state, {{"x", gl::Array({n})}});
  std::puts("nothing was reported");
}
