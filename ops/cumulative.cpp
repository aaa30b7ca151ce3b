// Both are linear recurrences: y' = 1 y + x and y' = x y + 0. exclusive_recurrence has the kernel and the gradient.
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/cumulative.hpp>
#include <gradloom/ops/recurrence.hpp>

namespace gradloom::inline v0 {

namespace {

Tensor numbers(const Operand& x) {
  const Tensor value = as_computed(x);
  return is_float(value.dtype()) ? value : cast(value, DType::i64);
}

}  // namespace

Tensor cumsum(const Operand& x, const CumulativeOptions& options) {
  const SourceScope scope(x, "cumsum");
  const Tensor value = numbers(x);
  const Tensor before =
      exclusive_recurrence(ones_like(value), value, {.axes = {options.axis}, .reverse = options.reverse});
  return options.exclusive ? before : before + value;
}

Tensor cumprod(const Operand& x, const CumulativeOptions& options) {
  const SourceScope scope(x, "cumprod");
  const Tensor value = numbers(x);
  const Tensor before =
      exclusive_recurrence(value, zeros_like(value), {.axes = {options.axis}, .reverse = options.reverse, .start = 1});
  return options.exclusive ? before : before * value;
}

}  // namespace gradloom::inline v0
