#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/norm_check_internal.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/weight_norm.hpp>

namespace gradloom::inline v0 {

namespace {

const OpDef signature{.name = "weight_norm",
                      .inputs = {"direction", "gain"},
                      .rule = "weight_norm needs a direction [..., out] and a gain [out] of one graph"};

}  // namespace

Tensor weight_norm(const Operand& direction, const Tensor& gain) {
  check_norm(signature, direction, {gain}, 2);
  const SourceScope scope(direction, "weight_norm");
  const Tensor value = as_float(direction);
  ReduceOptions but_last;
  for (int axis = 0; axis + 1 < value.rank(); ++axis) but_last.axes.push_back(axis);
  return value * (gain / norm(value, but_last));
}

}  // namespace gradloom::inline v0
