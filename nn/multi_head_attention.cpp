#include <gradloom/nn/multi_head_attention.hpp>
#include <gradloom/nn/positions.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/movement.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0::nn {

namespace {

constexpr std::string_view name = "multi_head_attention";
constexpr std::string_view rule =
    "multi_head_attention needs x [..., queries, width], width a number, and a context [..., keys, any width] in every "
    "call or in none";
constexpr std::string_view cache_rule =
    "a cache needs a capacity, the position as an i64 scalar, and x [..., tokens, width] of known sizes without a "
    "context";

/// x with its last axis as [heads, depth].
Tensor heads_of(const Tensor& x, int64_t heads, int64_t depth) {
  std::vector<Dim> dims(x.shape().begin(), x.shape().end() - 1);
  dims.insert(dims.end(), {heads, depth});
  return reshape(x, Shape(std::move(dims)));
}

Tensor joined(const Tensor& x) {
  std::vector<Dim> dims(x.shape().begin(), x.shape().end() - 2);
  dims.push_back(x.dim(-2) * x.dim(-1));
  return reshape(x, Shape(std::move(dims)));
}

}  // namespace

MultiHeadAttention::MultiHeadAttention(MultiHeadAttentionOptions options, SourceLocation location)
    : options_(std::move(options)) {
  const auto fail = [&](std::string problem, std::string_view what) {
    refuse(name, Operand(options_.heads, location), std::move(problem), {}, what);
  };
  if (options_.kv_heads == 0) options_.kv_heads = options_.heads;
  if (options_.heads < 1 || options_.kv_heads < 1 || options_.heads % options_.kv_heads != 0)
    fail(fmt::format("{} heads, {} kv_heads", options_.heads, options_.kv_heads),
         "heads and kv_heads are positive, and heads is a multiple of kv_heads");
  if (options_.depth < 0) fail(fmt::format("the depth is {}", options_.depth), "the depth is positive, or 0");
  if (!(options_.dropout >= 0 && options_.dropout < 1))
    fail(fmt::format("dropout is {}", options_.dropout), "a rate is at least 0 and less than 1");
}

void MultiHeadAttention::make_layers(const Operand& x, bool of_context) {
  const Tensor& input = x.tensor();
  const auto fail = [&](std::string problem) { refuse(name, x, std::move(problem), {{"x", input}}, rule); };
  if (!input.dim(-1).known()) fail(fmt::format("the width {} is not known", input.dim(-1).to_string()));
  const int64_t width = input.dim(-1).value();
  if (options_.depth == 0 && width % options_.heads != 0)
    fail(fmt::format("the width {} is no multiple of {} heads", width, options_.heads));
  depth_ = options_.depth == 0 ? width / options_.heads : options_.depth;
  const auto layer = [&](int64_t units, std::string layer_name) {
    layers_.emplace_back(units,
                         DenseOptions{.bias = options_.bias,
                                      .weight = options_.weight,
                                      .trainable = options_.trainable,
                                      .name = std::move(layer_name)},
                         x.location());
  };
  const int64_t of_q = options_.heads * depth_, of_kv = 2 * options_.kv_heads * depth_;
  if (of_context) {
    layer(of_q, "q");
    layer(of_kv, "kv");
  } else {
    layer(of_q + of_kv, "qkv");
  }
  layer(width, "out");
}

MultiHeadAttention::Parts MultiHeadAttention::project(const Operand& x, const Tensor& context) {
  const int64_t of_q = options_.heads * depth_, of_kv = options_.kv_heads * depth_;
  std::vector<Tensor> parts;
  if (context.valid()) {
    parts.push_back(layers_[0](x));
    for (Tensor& part : split(layers_[1]({context, x.location()}), 2, -1)) parts.push_back(std::move(part));
  } else {
    parts = split_sizes(layers_[0](x), {of_q, of_kv, of_kv}, -1);
  }
  return {heads_of(parts[0], options_.heads, depth_), heads_of(parts[1], options_.kv_heads, depth_),
          heads_of(parts[2], options_.kv_heads, depth_)};
}

MultiHeadAttention::Cached MultiHeadAttention::cached(const Operand& x, const KeyValueCache& cache) const {
  Graph& graph = x.tensor().graph();
  std::vector<Dim> dims(x.tensor().shape().begin(), x.tensor().shape().end() - 2);
  dims.insert(dims.end(), {cache.capacity, options_.kv_heads, depth_});
  const Scope scope = graph.scope(cache.name);
  const auto made = [&](const char* which) {
    return graph.parameter(fmt::format("{}/{}", path_, which), Shape(dims), zeros(),
                           {.dtype = promote(x.tensor().dtype(), DType::f32), .trainable = false}, x.location());
  };
  return {made("k"), made("v")};
}

MultiHeadAttention::Parts MultiHeadAttention::with_cached(const Operand& x, const Parts& parts, const Cached& cached,
                                                          KeyValueCache& cache) const {
  const auto joined_with = [&](const Tensor& fresh, const Tensor& kept) {
    Tensor all = update_slice({kept, x.location()}, fresh, cache.position, -3);
    cache.updates.push_back({kept, all});
    return all;
  };
  return {parts.q, joined_with(parts.k, cached.k), joined_with(parts.v, cached.v)};
}

Tensor MultiHeadAttention::seen(const Tensor& x, const KeyValueCache& cache) const {
  Graph& graph = x.graph();
  const Tensor slot = iota(graph, {1, cache.capacity}, 1);
  const Tensor token = options_.causal ? iota(graph, {x.dim(-2), 1}, 0)
                                       : constant(graph, static_cast<double>(x.dim(-2).value() - 1), DType::i64);
  return slot <= cache.position + token;
}

Tensor MultiHeadAttention::attend(const Operand& x, const AttentionCallOptions& call, const Cached& cached) {
  const SourceScope line(x.tensor().graph(), "", x.location());
  Parts parts = project(x, call.context);
  if (options_.rotary) {
    Graph& graph = x.tensor().graph();
    const Tensor before = call.cache == nullptr ? Tensor() : call.cache->position;
    const auto turned = [&](const Tensor& heads) {
      return rotary({heads, x.location()}, {.positions = positions(graph, heads.dim(-3), before)});
    };
    parts.q = turned(parts.q);
    parts.k = turned(parts.k);
  }
  AttentionOptions options{.causal = options_.causal, .mask = call.mask, .dropout = options_.dropout};
  if (call.cache != nullptr) {
    parts = with_cached(x, parts, cached, *call.cache);
    options.causal = false;  // the mask knows more
    const Tensor mask = seen(x.tensor(), *call.cache);
    options.mask = call.mask.valid() ? logical_and(call.mask, mask) : mask;
  }
  const Tensor mixed = attention({parts.q, x.location()}, parts.k, parts.v, options);
  return layers_.back()({joined(mixed), x.location()});
}

Tensor MultiHeadAttention::operator()(const Operand& x, const AttentionCallOptions& call) {
  if (x.is_number()) refuse(name, x, "x is a number or an empty Tensor", {}, rule);
  const Tensor& input = x.tensor();
  const auto fail = [&](std::string problem, std::string_view what) {
    refuse(name, x, std::move(problem), {{"x", input}}, what);
  };
  if (input.rank() < 2) fail("x has fewer than two axes", rule);
  const bool of_context = call.context.valid();
  if (const KeyValueCache* const cache = call.cache; cache != nullptr) {
    if (of_context) fail("there are a context and a cache", cache_rule);
    if (cache->capacity < 1) fail(fmt::format("the capacity is {}", cache->capacity), cache_rule);
    if (!cache->position.valid() || cache->position.rank() != 0 || cache->position.dtype() != DType::i64)
      fail("the position is no i64 scalar", cache_rule);
    if (!input.shape().known()) fail("a size of x is not known", cache_rule);
    if (input.dim(-2).value() > cache->capacity)
      fail(fmt::format("there are {} tokens for a capacity of {}", input.dim(-2).value(), cache->capacity), cache_rule);
  }
  if (!layers_.empty()) {
    if (of_context != (layers_.size() == 3))
      fail("the first call had a context and this one has none, or the reverse", rule);
    return attend(x, call, call.cache == nullptr ? Cached{} : cached(x, *call.cache));
  }
  make_layers(x, of_context);
  Graph& graph = input.graph();
  const size_t around = graph.path().empty() ? 0 : graph.path().size() + 1;
  {
    const Scope scope = options_.name.empty() ? graph.numbered_scope("attention") : graph.scope(options_.name);
    path_ = graph.path();
  }
  // The cache's parameters are beside the layer's scope, not in it.
  const Cached kept = call.cache == nullptr ? Cached{} : cached(x, *call.cache);
  const Scope scope = graph.scope(path_.substr(around));
  return attend(x, call, kept);
}

}  // namespace gradloom::inline v0::nn
