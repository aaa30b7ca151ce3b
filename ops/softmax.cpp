#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/softmax.hpp>
#include <gradloom/ops/stop_gradient.hpp>

namespace gradloom::inline v0 {

namespace {

// x - max(x) <= 0. Both functions are the same for any shift, so gradients need not pass through the maximum.
Tensor shifted(const Tensor& x, int axis) { return x - stop_gradient(max(x, {.axes = {axis}, .keepdims = true})); }

}  // namespace

Tensor softmax(const Operand& x, int axis) {
  const SourceScope scope(x, "softmax");
  const Tensor e = exp(shifted(as_float(x), axis));
  return e / sum(e, {.axes = {axis}, .keepdims = true});
}

Tensor log_softmax(const Operand& x, int axis) {
  const SourceScope scope(x, "log_softmax");
  const Tensor d = shifted(as_float(x), axis);
  return d - log(sum(exp(d), {.axes = {axis}, .keepdims = true}));
}

}  // namespace gradloom::inline v0
