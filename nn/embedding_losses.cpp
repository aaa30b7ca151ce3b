#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/embedding_losses.hpp>
#include <gradloom/nn/loss_internal.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/cosine_similarity.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0::nn {

namespace {

constexpr std::string_view embedding_rule =
    "embeddings need one shape, [..., n], and one graph; losses do not broadcast";

void check_embedding(std::string_view loss, const Operand& a, std::string_view a_name, const Tensor& b,
                     std::string_view b_name) {
  if (!b.valid()) refuse(loss, a, fmt::format("{} is an empty Tensor", b_name), {}, embedding_rule);
  require_same_shape(loss, a, {a_name, a.tensor()}, {b_name, b}, embedding_rule);
  if (b.rank() < 1) refuse(loss, a, fmt::format("{} is a scalar", a_name), {}, embedding_rule);
}

}  // namespace

Tensor cosine_embedding(const Operand& a, const Tensor& b, const Tensor& target,
                        const CosineEmbeddingOptions& options) {
  constexpr std::string_view name = "cosine_embedding";
  const SourceScope scope(a, name);
  check_embedding(name, a, "a", b, "b");
  if (!(options.margin >= -1 && options.margin <= 1)) {
    refuse(name, a, fmt::format("margin is {}", options.margin), {}, "margin is in [-1, 1]");
  }
  const Tensor similarity = cosine_similarity(a.tensor(), b);
  if (!target.valid()) refuse(name, a, "the target is an empty Tensor", {}, "cosine_embedding needs targets [...]");
  require_same_shape(name, a, {"the similarity", similarity}, {"target", target},
                     "cosine_embedding needs embeddings [..., n] and targets [...]");
  const Tensor losses = where(target > 0, 1 - similarity, maximum(similarity - options.margin, 0));
  return reduce_losses(name, a, losses, {options.reduction, options.sample_weight});
}

Tensor triplet_margin(const Operand& anchor, const Tensor& positive, const Tensor& negative,
                      const TripletMarginOptions& options) {
  constexpr std::string_view name = "triplet_margin";
  const SourceScope scope(anchor, name);
  check_embedding(name, anchor, "anchor", positive, "positive");
  check_embedding(name, anchor, "anchor", negative, "negative");
  require_positive(name, anchor, "margin", options.margin);
  const auto distance = [](const Tensor& x, const Tensor& y) { return norm(x - y, {.axes = {-1}}); };
  Tensor apart = distance(anchor.tensor(), negative);
  if (options.swap) apart = minimum(apart, distance(positive, negative));
  const Tensor losses = maximum(distance(anchor.tensor(), positive) - apart + options.margin, 0);
  return reduce_losses(name, anchor, losses, {options.reduction, options.sample_weight});
}

}  // namespace gradloom::inline v0::nn
