// mean, variance and norm: compositions.
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/dim_size.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/reduce_shape_internal.hpp>
#include <gradloom/ops/where.hpp>

namespace gradloom::inline v0 {

namespace {

// How many elements of x are reduced to one, as a divisor: a number if the sizes are known, else a Tensor.
Operand reduced_count(const Tensor& x, const std::vector<int64_t>& axes) {
  Dim known = 1;
  Tensor symbolic;
  for (const int64_t axis : axes) {
    const int i = static_cast<int>(axis);
    if (x.dim(i).known()) {
      known = known * x.dim(i);
    } else {
      symbolic = symbolic.valid() ? symbolic * dim_size(x, i) : dim_size(x, i);
    }
  }
  if (!symbolic.valid()) return static_cast<double>(known.value());
  return cast(symbolic * known.value(), x.dtype());
}

Tensor mean_of(const Tensor& x, const ReduceOptions& options) {
  const Tensor total = sum(x, options);  // complains about the axes
  return total / reduced_count(x, normal_axes(options.axes, x.rank()));
}

}  // namespace

Tensor mean(const Operand& x, const ReduceOptions& options) {
  const SourceScope scope(x, "mean");
  return mean_of(as_float(x), options);
}

Tensor variance(const Operand& x, const ReduceOptions& options) {
  const SourceScope scope(x, "variance");
  const Tensor value = as_float(x);
  return mean_of(square(value - mean_of(value, {.axes = options.axes, .keepdims = true})), options);
}

// sqrt has no derivative at 0, so that element takes a way of its own, through neither sqrt nor x.
Tensor norm(const Operand& x, const ReduceOptions& options) {
  const SourceScope scope(x, "norm");
  const Tensor total = sum(square(as_float(x)), options);
  const Tensor zero = equal(total, 0);
  return where(zero, 0, sqrt(where(zero, 1, total)));
}

}  // namespace gradloom::inline v0
