#include <gradloom/nn/embedding.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/gather.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0::nn {

namespace {

constexpr std::string_view rule = "embedding needs indices that are i32 or i64, of the graph of its first call";

}  // namespace

Embedding::Embedding(int64_t count, int64_t width, EmbeddingOptions options, SourceLocation location)
    : count_(count), width_(width), options_(std::move(options)) {
  if (count > 0 && width > 0) return;
  refuse("embedding", Operand(count, location), fmt::format("a table of {} x {} was asked for", count, width), {},
         "a table has at least one row and one column");
}

Tensor Embedding::operator()(const Operand& indices) {
  if (indices.is_number()) refuse("embedding", indices, "the indices are a number or an empty Tensor", {}, rule);
  const Tensor& tensor = indices.tensor();
  if (!table_.valid()) {
    Graph& graph = tensor.graph();
    const Scope scope = options_.name.empty() ? graph.numbered_scope("embedding") : graph.scope(options_.name);
    table_ = graph.parameter("table", {count_, width_}, options_.table,
                             {.dtype = options_.dtype, .trainable = options_.trainable}, indices.location());
  }
  if (&table_.graph() != &tensor.graph()) {
    refuse("embedding", indices, "its table belongs to another graph, that of the first call", {{"indices", tensor}},
           rule);
  }
  return gather({table_, indices.location()}, tensor);
}

Tensor embedding(const Operand& indices, int64_t count, int64_t width, EmbeddingOptions options) {
  return Embedding(count, width, std::move(options), indices.location())(indices);
}

}  // namespace gradloom::inline v0::nn
