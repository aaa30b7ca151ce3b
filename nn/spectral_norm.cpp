#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/initializers.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/nn/spectral_norm.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/dropout.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/stop_gradient.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0::nn {

Tensor spectral_norm(const Operand& weight, const SpectralNormOptions& options) {
  const auto fail = [&](std::string problem) {
    refuse("spectral_norm", weight, std::move(problem), {{"weight", weight.tensor()}},
           "spectral_norm needs a weight [..., out] of two or more axes of known sizes, and at least 0 iterations");
  };
  if (weight.tensor().rank() < 2) fail(fmt::format("the rank is {}", weight.tensor().rank()));
  if (!weight.tensor().shape().known()) fail("a size is not known");
  if (weight.tensor().dim(-1) == Dim(0)) fail("the last axis has size 0");
  if (options.iterations < 0) fail(fmt::format("{} iterations were asked for", options.iterations));
  Graph& graph = weight.tensor().graph();
  const Tensor value = as_float(weight);
  const Dim& out = value.dim(-1);
  Tensor u;
  {
    const Scope scope = options.name.empty() ? graph.numbered_scope("spectral_norm") : graph.scope(options.name);
    u = graph.parameter("u", {out}, normal(), {.dtype = value.dtype(), .trainable = false}, weight.location());
  }
  const SourceScope scope(weight, "spectral_norm");
  const auto unit = [&](const Tensor& vector) { return vector / maximum(norm(vector), options.epsilon); };
  const Tensor matrix = reshape(value, {value.shape().element_count().value() / out.value(), out});
  const Tensor fixed = stop_gradient(matrix);
  const auto left = [&](const Tensor& right) { return unit(matmul(fixed, right)); };
  Tensor next = u;
  for (int i = 0; i < options.iterations; ++i) next = unit(matmul(left(next), fixed));
  graph.add_side_update({u, next});
  const Tensor right = unit(stop_gradient(by_mode(next, u)));
  return value / sum(left(right) * matmul(matrix, right));
}

}  // namespace gradloom::inline v0::nn
