// sum, prod, max, min over any axes: their definitions. The kernels are in reduce_kernel.cpp.
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/fused_program.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/recurrence.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/reduce_plan_internal.hpp>
#include <gradloom/ops/reduce_shape_internal.hpp>
#include <gradloom/ops/sample.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> accumulating_shape(const ShapeContext& context) {
  const DType dtype = context.dtype(0);
  if (!is_float(dtype) && dtype != DType::i64)
    context.fail(fmt::format("it takes i64, f32, f64, not {}", to_string(dtype)));
  return reduced_shape(context);
}

std::vector<TensorType> comparing_shape(const ShapeContext& context) {
  require_elements(context);
  return reduced_shape(context);
}

Tensor accumulate(const OpDef& op, const Operand& x, const ReduceOptions& options) {
  const SourceScope scope(x, op.name);
  const Tensor value = as_computed(x);
  return reduce(op, Operand(is_float(value.dtype()) ? value : cast(value, DType::i64), x.location()), options);
}

Tensor compare(const OpDef& op, const Operand& x, const ReduceOptions& options) {
  const SourceScope scope(x, op.name);
  return reduce(op, x, options);
}

Gradients sum_vjp(const Vjp& v) { return {unreduce(v, v.cotangent())}; }

// d prod / dx_i is the product of all before i times the product of all after it: prod / x_i would be nan at 0.
Gradients prod_vjp(const Vjp& v) {
  const Tensor x = v.input(0), zero = zeros_like(x);
  const std::vector<int64_t>& axes = axes_of(v.attributes());
  const Tensor before = exclusive_recurrence(x, zero, {.axes = axes, .start = 1});
  const Tensor after = exclusive_recurrence(x, zero, {.axes = axes, .reverse = true, .start = 1});
  return {unreduce(v, v.cotangent()) * (before * after)};
}

// One of the subgradients, and the one that treats equals as equals.
Gradients extremum_vjp(const Vjp& v) {
  const Tensor ties = equal(v.input(0), unreduce(v, v.output()));
  const Tensor count = sum(cast(ties, v.output().dtype()),
                           {.axes = axes_of(v.attributes()), .keepdims = v.attributes().get<bool>("keepdims")});
  return {where(ties, unreduce(v, v.cotangent() / count), 0)};
}

// Of single elements nothing is left to do.
Tensor simplify(Graph&, const Node& node, std::span<const Tensor> inputs) {
  for (const int64_t axis : axes_of(node.attributes)) {
    if (inputs[0].dim(static_cast<int>(axis)) != Dim(1)) return {};
  }
  return reshape(inputs[0], node.outputs[0].shape);
}

/// The factor b, if it is broadcast and the same wherever the sum adds, as one number for each sum; else empty.
Tensor one_for_each_sum(const Tensor& b, const Node& sum) {
  if (!made_by(b, broadcast_def)) return {};
  const Tensor source = input_of(b);
  const std::vector<int64_t>& axes = axes_of(sum.attributes);
  const int missing = b.rank() - source.rank();
  std::vector<Dim> kept;
  for (int axis = 0; axis < b.rank(); ++axis) {
    const Dim dim = axis < missing ? Dim(1) : source.dim(axis - missing);
    const bool added = std::find(axes.begin(), axes.end(), axis) != axes.end();
    if (added && dim != Dim(1)) return {};
    if (!added || sum.attributes.get<bool>("keepdims")) kept.push_back(dim);
  }
  return broadcast(reshape(source, Shape(kept)), sum.outputs[0].shape);
}

/// The sum of x = -a, a b or a / b, with the minus or the factor b applied once, to the sum; else empty.
Tensor with_factor_outside(const Tensor& x, const Node& node) {
  const auto sum_of = [&](const Tensor& a) {
    return sum(a, {.axes = axes_of(node.attributes), .keepdims = node.attributes.get<bool>("keepdims")});
  };
  if (made_by(x, neg_def)) return -sum_of(input_of(x));
  if (made_by(x, mul_def)) {
    for (const int i : {0, 1}) {
      if (const Tensor b = one_for_each_sum(input_of(x, i), node); b.valid()) return sum_of(input_of(x, 1 - i)) * b;
    }
  }
  if (made_by(x, div_def)) {
    if (const Tensor b = one_for_each_sum(input_of(x, 1), node); b.valid()) return sum_of(input_of(x)) / b;
  }
  return {};
}

/// What `seen`, of x's shape, repeats along the axes: one number for each sum of x over them, in the order of these
/// sums. An empty Tensor if it repeats along others, say a row of the sums of rows.
Tensor number_of_each_sum(const Tensor& seen, const Tensor& x, const std::vector<int64_t>& axes) {
  std::vector<Dim> kept = x.shape().dims();
  for (const int64_t axis : axes) kept[static_cast<size_t>(axis)] = 1;
  const Shape columns(std::move(kept));
  Tensor number = made_by(seen, broadcast_def) ? input_of(seen) : seen;
  std::vector<Dim> aligned(static_cast<size_t>(x.rank() - number.rank()), Dim(1));
  aligned.insert(aligned.end(), number.shape().begin(), number.shape().end());
  if (Shape(std::move(aligned)) != columns) return {};
  // What only adds or drops axes of size 1 keeps the numbers in order.
  while ((made_by(number, broadcast_def) || made_by(number, reshape_def)) &&
         input_of(number).shape().element_count() == number.shape().element_count()) {
    number = input_of(number);
  }
  return number;
}

/// Is x = y - mean(y), the mean taken over the axes that the node sums? The gradient of a variance sums that.
bool is_centred(const Tensor& x, const Node& node) {
  if (!made_by(x, sub_def) || !is_float(x.dtype())) return false;
  const Tensor mean = number_of_each_sum(input_of(x, 1), x, axes_of(node.attributes));
  if (!mean.valid()) return false;
  double count = 1;
  for (const int64_t axis : axes_of(node.attributes)) {
    const Dim& dim = x.dim(static_cast<int>(axis));
    if (!dim.known()) return false;
    count *= static_cast<double>(dim.value());
  }
  const auto is_total = [&](const Tensor& total) {
    if (!made_by(total, sum_def) || axes_of(total.node().attributes) != axes_of(node.attributes)) return false;
    const Tensor added = input_of(total), from = input_of(x);
    return added.node_id() == from.node_id() && added.output() == from.output();
  };
  const auto is_about = [](std::optional<double> value, double wanted) {
    return value && std::fabs(*value / wanted - 1) < 1e-6;  // the reciprocal is rounded
  };
  if (made_by(mean, div_def)) return is_total(input_of(mean)) && is_about(uniform_value(input_of(mean, 1)), count);
  if (!made_by(mean, mul_def)) return false;
  return (is_total(input_of(mean)) && is_about(uniform_value(input_of(mean, 1)), 1 / count)) ||
         (is_total(input_of(mean, 1)) && is_about(uniform_value(input_of(mean)), 1 / count));
}

// Along rows, what follows a sum waits for it: the gradients of softmax and of norms need one pass less if factors come
// last, and fewer multiplications. That changes bits, by some ULP.
Tensor simplify_sum(Graph& graph, const Node& node, std::span<const Tensor> inputs) {
  if (const Tensor single = simplify(graph, node, inputs); single.valid()) return single;
  const Tensor& x = inputs[0];
  // What is added up instead is rounding.
  if (is_centred(x, node)) return full(graph, node.outputs[0].shape, 0, x.dtype());
  const std::vector<int64_t>& axes = axes_of(node.attributes);
  if (!is_float(x.dtype()) || axes.back() != x.rank() - 1 || static_cast<int>(axes.size()) == x.rank()) return {};
  if (const Tensor sum = with_factor_outside(x, node); sum.valid()) return sum;
  if (!made_by(x, add_def) && !made_by(x, sub_def)) return {};
  const Tensor a = with_factor_outside(input_of(x), node), b = with_factor_outside(input_of(x, 1), node);
  if (!a.valid() || !b.valid()) return {};
  return made_by(x, add_def) ? a + b : a - b;
}

std::vector<Sample> samples() {
  const auto sample = [](std::vector<int64_t> sizes, std::vector<int64_t> axes, bool keepdims) {
    return Sample{.inputs = {{std::move(sizes)}}, .attributes = {{"axes", std::move(axes)}, {"keepdims", keepdims}}};
  };
  return {sample({7}, {0}, false),
          sample({7}, {0}, true),
          sample({3, 5}, {0}, false),
          sample({3, 5}, {1}, true),
          sample({3, 5}, {0, 1}, false),
          sample({2, 3, 4}, {1}, false),
          sample({2, 3, 4}, {0, 2}, true),
          sample({2, 3, 2, 3}, {0, 2}, false),
          sample({2, 3, 2, 3}, {1, 3}, false)};
}

}  // namespace

const OpDef sum_def{.name = "sum",
                    .inputs = {"x"},
                    .rule = "sum needs axes of x, each once",
                    .shape = accumulating_shape,
                    .vjp = sum_vjp,
                    .fused_reduce = static_cast<int>(FusedReduce::sum),
                    .plan =
                        [](const KernelRequest& request) {
                          return plan_reduce(
                              request, request.pick(baseline::sum_kernels, avx2::sum_kernels, avx512::sum_kernels));
                        },
                    .simplify = simplify_sum,
                    .samples = samples};

const OpDef prod_def{.name = "prod",
                     .inputs = {"x"},
                     .rule = "prod needs axes of x, each once",
                     .shape = accumulating_shape,
                     .vjp = prod_vjp,
                     .fused_reduce = static_cast<int>(FusedReduce::prod),
                     .plan =
                         [](const KernelRequest& request) {
                           return plan_reduce(
                               request, request.pick(baseline::prod_kernels, avx2::prod_kernels, avx512::prod_kernels));
                         },
                     .simplify = simplify,
                     .samples = samples};

const OpDef max_def{.name = "max",
                    .inputs = {"x"},
                    .rule = "max needs axes of x, each once and none of size 0",
                    .shape = comparing_shape,
                    .vjp = extremum_vjp,
                    .fused_reduce = static_cast<int>(FusedReduce::max),
                    .plan =
                        [](const KernelRequest& request) {
                          return plan_reduce(
                              request, request.pick(baseline::max_kernels, avx2::max_kernels, avx512::max_kernels));
                        },
                    .simplify = simplify,
                    .samples = samples};

const OpDef min_def{.name = "min",
                    .inputs = {"x"},
                    .rule = "min needs axes of x, each once and none of size 0",
                    .shape = comparing_shape,
                    .vjp = extremum_vjp,
                    .fused_reduce = static_cast<int>(FusedReduce::min),
                    .plan =
                        [](const KernelRequest& request) {
                          return plan_reduce(
                              request, request.pick(baseline::min_kernels, avx2::min_kernels, avx512::min_kernels));
                        },
                    .simplify = simplify,
                    .samples = samples};

Tensor sum(const Operand& x, const ReduceOptions& options) { return accumulate(sum_def, x, options); }
Tensor prod(const Operand& x, const ReduceOptions& options) { return accumulate(prod_def, x, options); }
Tensor max(const Operand& x, const ReduceOptions& options) { return compare(max_def, x, options); }
Tensor min(const Operand& x, const ReduceOptions& options) { return compare(min_def, x, options); }

}  // namespace gradloom::inline v0
