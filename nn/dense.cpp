#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/nn/dense.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0::nn {

namespace {

constexpr std::string_view rule = "dense needs x [..., in], with in a number that is the same in every call";

[[noreturn]] void refuse_input(const Operand& x, std::string problem) {
  refuse("dense", x, std::move(problem), {{"x", x.tensor()}}, rule);
}

}  // namespace

Dense::Dense(int64_t units, DenseOptions options, SourceLocation location)
    : units_(units), options_(std::move(options)) {
  if (units_ <= 0) {
    refuse("dense", Operand(units_, location), fmt::format("{} units were asked for", units_), {},
           "a layer has at least one unit");
  }
  if (options_.storage != DType::f32 && options_.storage != DType::bf16) {
    refuse("dense", Operand(units_, location), fmt::format("storage is {}", to_string(options_.storage)), {},
           "the weight is stored as what is computed, f32 or f64, or as bf16");
  }
}

Tensor Dense::operator()(const Operand& x) {
  if (x.is_number()) refuse("dense", x, "x is a number or an empty Tensor", {}, rule);
  const Tensor& input = x.tensor();
  if (input.rank() < 1) refuse_input(x, "x is a scalar");
  if (!input.dim(-1).known())
    refuse_input(x, fmt::format("the size {} of the last axis is not known", input.dim(-1).to_string()));

  if (!weight_.valid()) make_parameters(x);
  if (&weight_.graph() != &input.graph())
    refuse_input(x, "its parameters belong to another graph, that of the first call");
  if (input.dim(-1) != weight_.dim(0)) {
    refuse("dense", x,
           fmt::format("the size of the last axis was {} in the first call, and is {}", weight_.dim(0).to_string(),
                       input.dim(-1).to_string()),
           {{"x", input}, {"weight", weight_}}, rule);
  }
  const auto at = [&](const Tensor& tensor) { return Operand(tensor, x.location()); };
  const bool is_vector = input.rank() == 1;  // a batch of one for matmul
  Tensor rows = cast(x, computed_as(weight_.dtype()));
  if (is_vector) rows = reshape(at(rows), {1, input.dim(0)});
  Tensor y = matmul(at(rows), at(weight_));
  if (is_vector) y = reshape(at(y), {units_});
  return bias_.valid() ? at(y) + at(bias_) : y;
}

void Dense::make_parameters(const Operand& x) {
  Graph& graph = x.tensor().graph();
  const Scope scope = options_.name.empty() ? graph.numbered_scope("dense") : graph.scope(options_.name);
  const ParameterOptions options{.dtype = promote(x.tensor().dtype(), DType::f32), .trainable = options_.trainable};
  ParameterOptions stored = options;
  if (options_.storage == DType::bf16 && options.dtype == DType::f32) stored.dtype = DType::bf16;
  weight_ = graph.parameter("weight", {x.tensor().dim(-1), units_}, options_.weight, stored, x.location());
  if (options_.bias) bias_ = graph.parameter("bias", {units_}, options_.bias_init, options, x.location());
}

Tensor dense(const Operand& x, int64_t units, DenseOptions options) {
  return Dense(units, std::move(options), x.location())(x);
}

}  // namespace gradloom::inline v0::nn
