#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/dropout.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/random.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  if (context.dtype(0) != context.dtype(1)) context.fail("the dtypes differ");
  if (context.shape(0).rank() != context.shape(1).rank()) context.fail("the ranks differ");
  std::vector<Dim> dims;
  for (int axis = 0; axis < context.shape(0).rank(); ++axis) {
    dims.push_back(context.require_equal(context.shape(0)[axis], context.shape(1)[axis], "the sizes of the operands"));
  }
  return {{context.dtype(0), Shape(std::move(dims))}};
}

Gradients vjp(const Vjp& v) {
  const Tensor zero = zeros_like(v.cotangent());
  return {by_mode(v.cotangent(), zero), by_mode(zero, v.cotangent())};
}

}  // namespace

// Where no pass has chosen, the node is an alias of its first input: training.
const OpDef by_mode_def{.name = "by_mode",
                        .inputs = {"training", "inference"},
                        .rule = "by_mode needs two tensors of one shape and dtype",
                        .shape = shape,
                        .vjp = vjp,
                        .properties = {.by_mode = true, .alias = true, .takes_bf16 = true},
                        .samples = [] {
                          return std::vector<Sample>{{.inputs = {{{3, 5}}, {{3, 5}}}}};
                        }};

Tensor by_mode(const Operand& training, const Operand& inference) {
  const SourceScope scope(training, "by_mode");
  const Tensor inputs[] = {training.tensor(), inference.tensor()};
  return training.tensor().graph().add(by_mode_def, inputs, {}, training.location());
}

Tensor dropout(const Operand& x, double rate) {
  const SourceScope scope(x, "dropout");
  if (!(rate >= 0 && rate < 1)) {
    throw Error({.problem = fmt::format("the rate cannot be {}", rate),
                 .op = "dropout",
                 .location = to_string(x.location()),
                 .rule = "a rate is at least 0 and less than 1"});
  }
  const Tensor value = as_float(x);
  if (rate == 0) return value;
  const Tensor kept = random_bernoulli(value.graph(), value.shape(), 1 - rate, value.dtype(), x.location());
  return by_mode(value * (kept * (1 / (1 - rate))), value);
}

}  // namespace gradloom::inline v0
