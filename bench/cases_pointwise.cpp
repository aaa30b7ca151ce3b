// Functions over 16 Mi floats, where memory is the limit.
#include "case.hpp"
#include "start_values.hpp"
#include <gradloom/ops/activations.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/ops/sign.hpp>

#include <utility>

namespace bench {

namespace {

using gl::Tensor;

constexpr int64_t many = 16 * 1024 * 1024;

Tensor chain8(const Tensor& x) {
  Tensor y = x * 1.5;
  y = y + 0.25;
  y = gl::relu(y);
  y = y - 0.5;
  y = gl::abs(y);
  y = gl::maximum(y, 0.1);
  y = gl::square(y);
  return y * 0.75;
}

/// y = f(x), where x and y are `arrays_moved` times the size of x together.
Case forward(gl::CompileOptions options, Tensor (*f)(const Tensor&), double arrays_moved) {
  gl::Graph g;
  const Tensor y = f(g.input("x", {many}));
  Case c;
  options.outputs = {y};
  c.program = gl::compile(options);
  c.inputs.set("x", uniform({many}, peers::kInputSeed));
  c.outputs = {gl::Array(y.shape().sizes())};
  c.bytes = arrays_moved * static_cast<double>(many) * sizeof(float);
  return c;
}

Case ew_chain8(gl::CompileOptions options) { return forward(std::move(options), chain8, 2); }
Case gelu_16m(gl::CompileOptions options) {
  return forward(
      std::move(options), [](const Tensor& x) { return gl::gelu(x); }, 2);
}
Case sum_16m(gl::CompileOptions options) {
  return forward(
      std::move(options), [](const Tensor& x) { return gl::sum(x); }, 1);
}

constexpr NamedCase cases[] = {
    {"ew_chain8", ew_chain8},
    {"gelu_16m", gelu_16m},
    {"sum_16m", sum_16m},
};

}  // namespace

const std::span<const NamedCase> pointwise_cases = cases;

}  // namespace bench
