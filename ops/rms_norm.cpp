#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/norm_check_internal.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/rms_norm.hpp>

namespace gradloom::inline v0 {

namespace {

const OpDef signature{
    .name = "rms_norm", .inputs = {"x", "gain"}, .rule = "rms_norm needs x [..., n] and gain [n] of one graph"};

}  // namespace

Tensor rms_norm(const Operand& x, const Tensor& gain, double epsilon) {
  check_norm(signature, x, {gain}, 1);
  const SourceScope scope(x, "rms_norm");
  const Tensor value = as_float(x);
  return value * rsqrt(mean(square(value), {.axes = {-1}, .keepdims = true}) + epsilon) * gain;
}

}  // namespace gradloom::inline v0
