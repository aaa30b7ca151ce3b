#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/cosine_similarity.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/refuse_internal.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

Tensor cosine_similarity(const Operand& a, const Operand& b, const CosineSimilarityOptions& options) {
  constexpr std::string_view rule = "cosine_similarity needs vectors along an axis of both, and a positive epsilon";
  const SourceScope scope(a, "cosine_similarity");
  const Tensor x = as_float(a), y = as_float(b);
  if (!(options.epsilon > 0)) {
    refuse("cosine_similarity", rule, x, fmt::format("epsilon is {}", options.epsilon), a.location());
  }
  const ReduceOptions along{.axes = {options.axis}};
  const auto length = [&](const Tensor& v) { return maximum(norm(v, along), options.epsilon); };
  // Each is divided by its own length: their product would overflow, or be below epsilon, long before they are.
  return sum(x * y, along) / length(x) / length(y);
}

}  // namespace gradloom::inline v0
