// A composition; the variance is that of values the mean has been taken from, so nothing cancels.
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/layer_norm.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/refuse_internal.hpp>

namespace gradloom::inline v0 {

namespace {

// Only for messages: the operands' names and the rule.
const OpDef layer_norm_signature{.name = "layer_norm",
                                 .inputs = {"x", "gain", "bias"},
                                 .rule = "layer_norm needs x [..., n], gain [n] and bias [n] of one graph"};

void check(const Operand& x, const Tensor& gain, const Tensor& bias) {
  const Tensor& value = x.tensor();
  const Tensor operands[] = {value, gain, bias};
  const auto fail = [&](size_t shown, const std::string& problem) {
    refuse(layer_norm_signature, std::span(operands, shown), problem, x.location());
  };
  for (const Tensor* scale : {&gain, &bias}) {
    if (!scale->valid() || &scale->graph() != &value.graph()) {
      fail(1, std::string(scale == &gain ? "gain" : "bias") + " is an empty Tensor or of another graph");
    }
  }
  if (value.rank() < 1) fail(3, "x is a scalar");
  // Anything else that broadcasts, such as a [1] or a [batch, 1], would be a mistake.
  const Shape wanted{value.dim(-1)};
  if (gain.shape() != wanted || bias.shape() != wanted) {
    fail(3, "gain and bias are not of shape " + wanted.to_string());
  }
}

}  // namespace

Tensor layer_norm(const Operand& x, const Tensor& gain, const Tensor& bias, double epsilon) {
  check(x, gain, bias);
  const SourceScope scope(x, "layer_norm");
  const ReduceOptions last{.axes = {-1}, .keepdims = true};
  const Tensor value = as_float(x);
  const Tensor centred = value - mean(value, last);
  return centred * rsqrt(mean(square(centred), last) + epsilon) * gain + bias;
}

}  // namespace gradloom::inline v0
