#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/reduce_shape_internal.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/stable_product_internal.hpp>
#include <gradloom/ops/tanh_log1p.hpp>
#include <gradloom/ops/where.hpp>

#include <algorithm>
#include <vector>

namespace gradloom::inline v0 {

namespace {

using Axes = std::vector<int64_t>;

/// The factors of a formula that a person writes and of its gradient lie near each other.
constexpr int deepest_factor = 8;

const Axes& axes_of(const Tensor& reduction) { return axes_of(reduction.node().attributes); }

bool is_alias(const Tensor& x) { return x.node().op->properties.alias; }

/// Does `reduced` broadcast to z as z's own reduction over the axes, with the axes kept?
bool broadcasts_over(const Shape& reduced, const Shape& z, const Axes& axes) {
  const int added = z.rank() - reduced.rank();
  for (int axis = 0; axis < z.rank(); ++axis) {
    const bool is_reduced = std::find(axes.begin(), axes.end(), axis) != axes.end();
    const Dim size = axis < added ? Dim(1) : reduced[axis - added];
    if (size != (is_reduced ? Dim(1) : z[axis])) return false;
  }
  return true;
}

/// If d is sum(exp(z)) in z's shape, or in the shape of the sum with or without the axes kept: the sum, else empty.
Tensor sum_of_exponentials(const Tensor& z, const Tensor& d) {
  Tensor total = made_by(d, broadcast_def) ? input_of(d) : d;
  const Shape shape = total.shape();
  while (is_alias(total)) total = input_of(total);
  if (!made_by(total, sum_def) || !made_by(input_of(total), exp_def)) return {};
  if (!equal_values(input_of(input_of(total)), z)) return {};
  const bool aligned = broadcasts_over(shape, z.shape(), axes_of(total));
  return aligned || (!made_by(d, broadcast_def) && shape == total.shape()) ? total : Tensor();
}

Tensor softmax_over(const Tensor& z, const Axes& axes) {
  const Tensor exponential = exp(z - max(z, {.axes = axes, .keepdims = true}));
  return exponential / sum(exponential, {.axes = axes, .keepdims = true});
}

/// Is p = exp(z) / d, in the form in which it was written or in the stable one?
bool is_softmax(const Tensor& p, const Tensor& z, const Tensor& d) {
  if (!made_by(p, div_def) || !made_by(input_of(p), exp_def)) return false;
  const Tensor exponent = input_of(input_of(p));
  if (equal_values(exponent, z)) return equal_values(input_of(p, 1), d);
  if (!made_by(exponent, sub_def) || !equal_values(input_of(exponent), z) || !is_shifted_by_maximum(exponent))
    return false;
  const Tensor total = sum_of_exponentials(exponent, input_of(p, 1)), other = sum_of_exponentials(z, d);
  return total.valid() && other.valid() && axes_of(total) == axes_of(other);
}

/// t without a division by the sum of exp(z) over the axes, or empty if there is none. t may have that sum's shape,
/// since the division by it can be done before or after a sum over the same axes.
Tensor without_sum(const Tensor& t, const Tensor& z, const Axes& axes, int depth) {
  if (depth == 0) return {};
  const auto inside = [&](int i) { return without_sum(input_of(t, i), z, axes, depth - 1); };
  if (made_by(t, div_def)) {
    const Tensor total = sum_of_exponentials(z, input_of(t, 1));
    if (total.valid() && axes_of(total) == axes) return input_of(t);
    const Tensor rest = inside(0);
    return rest.valid() ? rest / input_of(t, 1) : Tensor();
  }
  if (made_by(t, mul_def)) {
    if (const Tensor rest = inside(0); rest.valid()) return rest * input_of(t, 1);
    const Tensor rest = inside(1);
    return rest.valid() ? input_of(t) * rest : Tensor();
  }
  if (made_by(t, add_def) || made_by(t, sub_def)) {
    const Tensor a = inside(0), b = inside(1);
    if (!a.valid() || !b.valid()) return {};
    return made_by(t, add_def) ? a + b : a - b;
  }
  const bool sums = made_by(t, sum_def) && input_of(t).shape() == z.shape() && axes_of(t) == axes;
  const bool repeats = made_by(t, broadcast_def) && broadcasts_over(input_of(t).shape(), z.shape(), axes);
  // Between the sum's two shapes, which differ in axes of size 1.
  const bool reshapes = is_alias(t) && (broadcasts_over(t.shape(), z.shape(), axes) ||
                                        broadcasts_over(input_of(t).shape(), z.shape(), axes));
  if (!made_by(t, neg_def) && !sums && !repeats && !reshapes) return {};
  const Tensor rest = inside(0);
  return rest.valid() ? t.graph().add_copy(t.node(), {&rest, 1}, t.node().attributes) : Tensor();
}

/// The axes along which a broadcast to z's shape repeats its input.
Axes repeated_axes(const Tensor& broadcast) {
  const Shape &from = input_of(broadcast).shape(), &to = broadcast.shape();
  const int added = to.rank() - from.rank();
  Axes axes;
  for (int axis = 0; axis < to.rank(); ++axis) {
    if (axis < added || (from[axis - added] == Dim(1) && to[axis] != Dim(1))) axes.push_back(axis);
  }
  return axes;
}

/// Never 0 in exact arithmetic: what is divided by it and multiplied by it again is unchanged.
bool is_positive(const Tensor& f) {
  if (made_by(f, exp_def) || made_by(f, sigmoid_def)) return true;
  if (made_by(f, div_def)) return made_by(input_of(f), exp_def);
  return made_by(f, sub_def) && is_uniform(input_of(f), 1) && made_by(input_of(f, 1), sigmoid_def);
}

/// The derivative of y = tanh(softplus(x)), (1 - y^2) * sigmoid(x), from the factors a and b; else empty.
Tensor tanh_softplus_derivative(const Tensor& a, const Tensor& b) {
  if (!made_by(b, sigmoid_def) || !made_by(a, sub_def) || !is_uniform(input_of(a), 1)) return {};
  const Tensor squared = input_of(a, 1);
  if (!made_by(squared, square_def) || !made_by(input_of(squared), tanh_log1p_def)) return {};
  const Tensor v = input_of(input_of(squared));
  return made_by(v, exp_def) && equal_values(input_of(v), input_of(b)) ? tanh_log1p_slope(v) : Tensor();
}

/// t * f with f cancelled against a factor or divisor of t, or empty if it meets none.
Tensor absorb(const Tensor& t, const Tensor& f, int depth) {
  if (depth == 0) return {};
  const auto inside = [&](int i) { return absorb(input_of(t, i), f, depth - 1); };
  // exp(z) * sigmoid(-z) = sigmoid(z)
  const bool is_exp = made_by(f, exp_def);
  if (is_exp && made_by(t, sigmoid_def) && are_opposite(input_of(t), input_of(f))) return sigmoid(input_of(f));
  if (made_by(t, exp_def) && made_by(f, sigmoid_def) && are_opposite(input_of(t), input_of(f)))
    return sigmoid(input_of(t));
  if (const Tensor slope = tanh_softplus_derivative(t, f); slope.valid()) return slope;

  if (made_by(t, div_def)) {
    const Tensor n = input_of(t), d = input_of(t, 1);
    if (equal_values(d, f)) return n;
    if (is_exp) {
      const Tensor z = input_of(f);
      // The gradient of log(p) with p = exp(z) / d is ((g / p) / d) * exp(z).
      if (made_by(n, div_def) && is_softmax(input_of(n, 1), z, d)) return input_of(n);
      if (const Tensor p = stable_softmax(z, d); p.valid()) return n * p;
    }
    const Tensor rest = inside(0);
    return rest.valid() ? rest / d : Tensor();
  }
  if (made_by(t, mul_def)) {
    if (const Tensor rest = inside(0); rest.valid()) return rest * input_of(t, 1);
    const Tensor rest = inside(1);
    return rest.valid() ? input_of(t) * rest : Tensor();
  }
  if (made_by(t, square_def)) {
    const Tensor rest = inside(0);
    return rest.valid() ? rest * input_of(t) : Tensor();
  }
  if (made_by(t, neg_def)) {
    const Tensor rest = inside(0);
    return rest.valid() ? -rest : Tensor();
  }
  if (made_by(t, add_def) || made_by(t, sub_def)) {
    const Tensor a = inside(0), b = inside(1);
    if (!a.valid() && !b.valid()) return {};
    const Tensor left = a.valid() ? a : input_of(t, 0) * f, right = b.valid() ? b : input_of(t, 1) * f;
    return made_by(t, add_def) ? left + right : left - right;
  }
  if (made_by(t, broadcast_def) && is_exp && !is_shifted_by_maximum(input_of(f))) {
    const Tensor z = input_of(f);
    const Axes axes = repeated_axes(t);
    const Tensor rest = without_sum(input_of(t), z, axes, deepest_factor);
    return rest.valid() ? broadcast(rest, z.shape()) * softmax_over(z, axes) : Tensor();
  }
  return {};
}

/// t * product with one factor of the product absorbed by t, or empty.
Tensor absorb_a_factor(const Tensor& t, const Tensor& product, int depth) {
  if (depth == 0) return {};
  if (is_positive(product)) return absorb(t, product, deepest_factor);
  if (made_by(product, neg_def)) {
    const Tensor rest = absorb_a_factor(t, input_of(product), depth - 1);
    return rest.valid() ? -rest : Tensor();
  }
  if (!made_by(product, mul_def)) return {};
  for (const int i : {0, 1}) {
    const Tensor rest = absorb_a_factor(t, input_of(product, i), depth - 1);
    if (rest.valid()) return rest * input_of(product, 1 - i);
  }
  return {};
}

}  // namespace

bool is_shifted_by_maximum(const Tensor& z) {
  if (made_by(z, where_def)) {  // logsumexp's own, which minds infinities
    return is_shifted_by_maximum(input_of(z, 1)) && uniform_value(input_of(z, 2)).has_value();
  }
  if (!made_by(z, sub_def)) return false;
  Tensor shift = input_of(z, 1);
  while (made_by(shift, broadcast_def) || is_alias(shift)) shift = input_of(shift);
  return made_by(shift, max_def) && equal_values(input_of(shift), input_of(z));
}

Tensor stable_softmax(const Tensor& z, const Tensor& d) {
  if (d.shape() != z.shape() || is_shifted_by_maximum(z)) return {};
  const Tensor total = sum_of_exponentials(z, d);
  return total.valid() ? softmax_over(z, axes_of(total)) : Tensor();
}

Tensor stable_product(const Tensor& a, const Tensor& b) {
  Tensor product = absorb_a_factor(a, b, deepest_factor);
  if (!product.valid()) product = absorb_a_factor(b, a, deepest_factor);
  if (!product.valid() || !made_by(product, mul_def)) return product;
  // The sigmoid that exp(z) * sigmoid(-z) has become may meet its own partner. Each round leaves a factor less.
  const Tensor simpler = stable_product(input_of(product), input_of(product, 1));
  return simpler.valid() ? simpler : product;
}

}  // namespace gradloom::inline v0
