// What a user of the installed package writes.
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/program.hpp>

#include <cstdio>

namespace gl = gradloom;

int main() {
  gl::Graph g;
  const gl::Tensor x = g.input("x", {"n"});
  const gl::Tensor y = sum(x * x);
  const gl::Program program = gl::compile({.outputs = {y, gl::gradient(y, x)}});
  gl::State state;
  const auto results = program.run(state, {{"x", gl::Array::from<float>({1, 2, 3})}});
  std::printf("%s %s\n", results[0].to_string().c_str(), results[1].to_string().c_str());
  return results[0].item<float>() == 14 && results[1].at<float>({2}) == 6 ? 0 : 1;
}
