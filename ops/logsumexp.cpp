// logsumexp: m + log(sum(exp(x - m))) with m = max(x), so that the largest exponential is 1. m is a constant to
// gradients: its part of them cancels. Where m is not finite (an element is inf or nan, or all are -inf) it is the
// result itself, and the formula, which would be nan, gets 0 in place of x - m.
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/classify.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/reduce_shape_internal.hpp>
#include <gradloom/ops/stop_gradient.hpp>
#include <gradloom/ops/where.hpp>

namespace gradloom::inline v0 {

Tensor logsumexp(const Operand& x, const ReduceOptions& options) {
  const SourceScope scope(x, "logsumexp");
  const Tensor value = as_float(x);
  const Tensor m = stop_gradient(max(value, {.axes = options.axes, .keepdims = true}));
  const Tensor finite = is_finite(m);
  const Tensor total = sum(exp(where(finite, value - m, 0)), {.axes = options.axes, .keepdims = true});
  const Tensor result = where(finite, m + log(total), m);
  return options.keepdims ? result
                          : reshape(result, without_axes(value.shape(), normal_axes(options.axes, value.rank())));
}

}  // namespace gradloom::inline v0
