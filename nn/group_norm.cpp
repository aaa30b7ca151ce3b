#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/group_norm.hpp>
#include <gradloom/nn/initializers.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/group_norm.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0::nn {

GroupNorm::GroupNorm(int64_t groups, GroupNormOptions options) : groups_(groups), options_(std::move(options)) {}

Tensor GroupNorm::operator()(const Operand& x) {
  const std::string_view name = groups_ == 0 ? "instance_norm" : "group_norm";
  constexpr std::string_view rule =
      "a layer that normalises channels needs x [batch, spatial..., channels], the channels a number";
  if (x.is_number()) refuse(name, x, "x is a number or an empty Tensor", {}, rule);
  const Tensor& input = x.tensor();
  if (input.rank() < 2 || !input.dim(-1).known())
    refuse(name, x, fmt::format("x is {}", input.shape().to_string()), {{"x", input}}, rule);
  if (!gain_.valid()) {
    Graph& graph = input.graph();
    const Scope scope = options_.name.empty() ? graph.numbered_scope(name) : graph.scope(options_.name);
    const ParameterOptions made{.dtype = promote(input.dtype(), DType::f32), .trainable = options_.trainable};
    gain_ = graph.parameter("gain", {input.dim(-1)}, constant(1), made, x.location());
    bias_ = graph.parameter("bias", {input.dim(-1)}, zeros(), made, x.location());
  }
  return groups_ == 0 ? gradloom::instance_norm(x, gain_, bias_, options_.epsilon)
                      : gradloom::group_norm(x, groups_, gain_, bias_, options_.epsilon);
}

Tensor group_norm(const Operand& x, int64_t groups, GroupNormOptions options) {
  return GroupNorm(groups, std::move(options))(x);
}
Tensor instance_norm(const Operand& x, GroupNormOptions options) { return GroupNorm(0, std::move(options))(x); }

}  // namespace gradloom::inline v0::nn
