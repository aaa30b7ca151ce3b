#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/attention_internal.hpp>
#include <gradloom/ops/broadcast_internal.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/dim_size.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/where.hpp>

#include <limits>
#include <numeric>

namespace gradloom::inline v0 {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// x's shape with the axes from `axis` on (counted from the end) replaced.
Shape with_last(const Tensor& x, int count, std::initializer_list<Dim> dims) {
  std::vector<Dim> all(x.shape().begin(), x.shape().end() - count);
  all.insert(all.end(), dims);
  return Shape(std::move(all));
}

/// x with its last axes in another order; numbers count from the first of them.
Tensor with_axes(const Tensor& x, std::initializer_list<int64_t> order) {
  std::vector<int64_t> permutation(static_cast<size_t>(x.rank()));
  std::iota(permutation.begin(), permutation.end(), 0);
  const int64_t first = x.rank() - static_cast<int64_t>(order.size());
  size_t at = static_cast<size_t>(first);
  for (const int64_t axis : order) permutation[at++] = first + axis;
  return transpose(x, permutation);
}

}  // namespace

AttentionMatrices::AttentionMatrices(const Tensor& q, const Tensor& k, const Attributes& attributes)
    : rank_(q.rank()),
      kv_heads_(k.dim(-2)),
      group_(q.dim(-2) / k.dim(-2)),
      scale_(attributes.get<double>("scale")),
      rate_(attributes.get_or<double>("rate", 0)),
      causal_(attributes.get<bool>("causal")),
      q_(of_heads(q)),
      k_(of_kv_heads(k)) {}

Tensor AttentionMatrices::of_heads(const Tensor& x) const {
  return with_axes(reshape(x, with_last(x, 2, {kv_heads_, group_, x.dim(-1)})), {1, 2, 0, 3});
}

Tensor AttentionMatrices::of_kv_heads(const Tensor& x) const { return expand_dims(with_axes(x, {1, 0, 2}), -3); }

Tensor AttentionMatrices::of_rows(const Tensor& x) const { return of_heads(expand_dims(x, -1)); }

Tensor AttentionMatrices::to_heads(const Tensor& x) const {
  const Tensor turned = with_axes(x, {2, 0, 1, 3});
  return reshape(turned, with_last(turned, 3, {kv_heads_ * group_, x.dim(-1)}));
}

Tensor AttentionMatrices::to_kv_heads(const Tensor& x) const { return with_axes(sum(x, {.axes = {-3}}), {1, 0, 2}); }

Tensor AttentionMatrices::to_rows(const Tensor& x) const { return squeeze(to_heads(x), {-1}); }

Tensor AttentionMatrices::of_bias(const Tensor& bias) const {
  const bool shared = bias.dim(-3) == Dim(1);
  return reshape(
      bias, with_last(bias, 3, {shared ? Dim(1) : kv_heads_, shared ? Dim(1) : group_, bias.dim(-2), bias.dim(-1)}));
}

Tensor AttentionMatrices::to_bias(const Tensor& x, const Shape& shape) const {
  const Tensor of_heads = reshape(x, with_last(x, 4, {kv_heads_ * group_, x.dim(-2), x.dim(-1)}));
  return sum_to(of_heads, shape);
}

Tensor AttentionMatrices::scores(const Tensor& bias) const {
  Tensor z = scale_ * matmul(q_, k_, {.transpose_b = true});
  if (bias.valid()) {
    const Tensor of_scores = of_bias(bias);
    z = bias.dtype() == DType::boolean ? where(of_scores, z, -infinity) : z + of_scores;
  }
  if (!causal_) return z;
  Graph& graph = z.graph();
  const Tensor key = iota(graph, {1, k_.dim(-2)}, 1), query = iota(graph, {q_.dim(-2), 1}, 0);
  return where(key - query <= dim_size(k_, -2) - dim_size(q_, -2), z, -infinity);
}

Tensor AttentionMatrices::probabilities(const Tensor& bias, const Tensor& lse) const {
  // Where nothing is seen, both are -inf, and their difference would be nan.
  return exp(scores(bias) - maximum(of_rows(lse), -1e30));
}

Tensor AttentionMatrices::dropped(const Tensor& x, const Tensor& key) const {
  if (!key.valid()) return x;
  const Shape scores = with_last(q_, 1, {k_.dim(-2)});
  return x * key.graph().add(attention_dropout_def, {&key, 1},
                             {{"shape", scores}, {"rate", rate_}, {"dtype", q_.dtype()}}, {});
}

}  // namespace gradloom::inline v0
