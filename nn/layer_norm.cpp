#include <gradloom/nn/initializers.hpp>
#include <gradloom/nn/layer_norm.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/layer_norm.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0::nn {

namespace {

constexpr std::string_view rule = "layer_norm needs x [..., n], with n a number";

}  // namespace

Tensor LayerNorm::operator()(const Operand& x) {
  if (x.is_number()) refuse("layer_norm", x, "x is a number or an empty Tensor", {}, rule);
  const Tensor& input = x.tensor();
  const auto fail = [&](std::string problem) { refuse("layer_norm", x, std::move(problem), {{"x", input}}, rule); };
  if (input.rank() < 1) fail("x is a scalar");
  if (!input.dim(-1).known()) fail(fmt::format("the size {} of the last axis is not known", input.dim(-1).to_string()));
  if (!gain_.valid()) {
    Graph& graph = input.graph();
    const Scope scope = options_.name.empty() ? graph.numbered_scope("layer_norm") : graph.scope(options_.name);
    const ParameterOptions options{.dtype = promote(input.dtype(), DType::f32), .trainable = options_.trainable};
    gain_ = graph.parameter("gain", {input.dim(-1)}, constant(1), options, x.location());
    bias_ = graph.parameter("bias", {input.dim(-1)}, zeros(), options, x.location());
  }
  return gradloom::layer_norm(x, gain_, bias_, options_.epsilon);
}

Tensor layer_norm(const Operand& x, LayerNormOptions options) { return LayerNorm(std::move(options))(x); }

}  // namespace gradloom::inline v0::nn
