// dim_size: a size as a value. It depends on no element of x, so it takes no input and keeps nothing alive.
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/dim_size.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/refuse_internal.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

#include <cstring>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> shape(const ShapeContext&) { return {{DType::i64, Shape{}}}; }

void write_size(const KernelCall& call) {
  call.count(0, sizeof(int64_t));
  *static_cast<int64_t*>(call.outputs[0]) = *static_cast<const int64_t*>(call.params);
}

KernelPlan plan(const KernelRequest& request) {
  KernelPlan plan;
  plan.params = std::make_shared<const int64_t>(request.attributes().get<Dim>("dim").value());
  plan.steps = {{write_size, 1}};
  plan.nanoseconds = 10;
  return plan;
}

std::vector<Sample> samples() { return {{.inputs = {}, .attributes = {{"dim", Dim(3)}}, .differentiable = false}}; }

}  // namespace

const OpDef dim_size_def{.name = "dim_size",
                         .rule = "dim_size needs a tensor and one of its axes",
                         .shape = shape,
                         .no_gradient = "a size does not depend on values",
                         .plan = plan,
                         .samples = samples};

Tensor dim_size(const Operand& x, int axis) {
  const SourceScope scope(x, "dim_size");
  const Tensor& tensor = x.tensor();
  if (axis < -tensor.rank() || axis >= tensor.rank()) {
    refuse(dim_size_def.name, dim_size_def.rule, tensor,
           fmt::format("there is no axis {} in a tensor of rank {}", axis, tensor.rank()), x.location());
  }
  const Dim& dim = tensor.dim(axis);
  if (!dim.known()) return tensor.graph().add(dim_size_def, {}, {{"dim", dim}}, x.location());
  // Not by way of a double, which holds integers only up to 2^53.
  Literal literal{DType::i64, {}, std::vector<std::byte>(sizeof(int64_t))};
  const int64_t value = dim.value();
  std::memcpy(literal.bytes.data(), &value, sizeof(value));
  return constant(tensor.graph(), std::move(literal), x.location());
}

}  // namespace gradloom::inline v0
