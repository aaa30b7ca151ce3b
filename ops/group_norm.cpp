// Compositions; the variance is that of values the mean has been taken from, so nothing cancels.
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/group_norm.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/norm_check_internal.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/refuse_internal.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

namespace {

const OpDef group_signature{.name = "group_norm",
                            .inputs = {"x", "gain", "bias"},
                            .rule =
                                "group_norm needs x [batch, spatial..., channels], gain [channels] and bias "
                                "[channels] of one graph, and groups of equal numbers of channels"};
const OpDef instance_signature{.name = "instance_norm",
                               .inputs = {"x", "gain", "bias"},
                               .rule =
                                   "instance_norm needs x [batch, spatial..., channels], gain [channels] and bias "
                                   "[channels] of one graph"};

// Over these axes of x seen as another shape.
Tensor normalised(const Tensor& x, const Shape& seen, const ReduceOptions& over, double epsilon) {
  const Tensor value = reshape(x, seen);
  const Tensor centred = value - mean(value, over);
  return reshape(centred * rsqrt(mean(square(centred), over) + epsilon), x.shape());
}

// The spatial axes as one, and the channels as these.
Shape seen_as(const Tensor& x, std::initializer_list<Dim> channels) {
  Dim positions = 1;
  for (int axis = 1; axis + 1 < x.rank(); ++axis) positions = positions * x.dim(axis);
  std::vector<Dim> dims{x.dim(0), positions};
  dims.insert(dims.end(), channels);
  return Shape(std::move(dims));
}

}  // namespace

Tensor group_norm(const Operand& x, int64_t groups, const Tensor& gain, const Tensor& bias, double epsilon) {
  check_norm(group_signature, x, {gain, bias}, 2);
  const Dim& channels = x.tensor().dim(-1);
  if (!channels.known() || groups < 1 || channels.value() % groups != 0) {
    refuse(group_signature, {&x.tensor(), 1}, fmt::format("{} channels are no {} groups", channels.to_string(), groups),
           x.location());
  }
  const SourceScope scope(x, "group_norm");
  const Tensor value = as_float(x);
  const Shape seen = seen_as(value, {groups, channels.value() / groups});
  return normalised(value, seen, {.axes = {1, 3}, .keepdims = true}, epsilon) * gain + bias;
}

Tensor instance_norm(const Operand& x, const Tensor& gain, const Tensor& bias, double epsilon) {
  check_norm(instance_signature, x, {gain, bias}, 2);
  const SourceScope scope(x, "instance_norm");
  const Tensor value = as_float(x);
  return normalised(value, seen_as(value, {value.dim(-1)}), {.axes = {1}, .keepdims = true}, epsilon) * gain + bias;
}

}  // namespace gradloom::inline v0
