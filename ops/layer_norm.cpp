// A composition; the variance is that of values the mean has been taken from, so nothing cancels.
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/layer_norm.hpp>
#include <gradloom/ops/norm_check_internal.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>

namespace gradloom::inline v0 {

namespace {

// Only for messages: the operands' names and the rule.
const OpDef signature{.name = "layer_norm",
                      .inputs = {"x", "gain", "bias"},
                      .rule = "layer_norm needs x [..., n], gain [n] and bias [n] of one graph"};

}  // namespace

Tensor layer_norm(const Operand& x, const Tensor& gain, const Tensor& bias, double epsilon) {
  check_norm(signature, x, {gain, bias}, 1);
  const SourceScope scope(x, "layer_norm");
  const ReduceOptions last{.axes = {-1}, .keepdims = true};
  const Tensor value = as_float(x);
  const Tensor centred = value - mean(value, last);
  return centred * rsqrt(mean(square(centred), last) + epsilon) * gain + bias;
}

}  // namespace gradloom::inline v0
