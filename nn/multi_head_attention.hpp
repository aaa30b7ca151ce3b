#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/nn/dense.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace gradloom::inline v0::nn {

/// The keys and values of the tokens so far, so that the next one costs a row and not the whole sequence again. A layer
/// that is called with a cache keeps them in frozen parameters "cache/LAYER/k" and ".../v" [batch, capacity, kv_heads,
/// depth], at first 0, and adds to `updates` what the Program is to write there.
///
///     nn::KeyValueCache cache{.capacity = 128, .position = g.input("position", {}, DType::i64)};
///     Tensor next = attend(x, {.cache = &cache});  // x [batch, tokens, width], at position, position + 1, ...
///     Program step = compile({.outputs = {next}, .updates = cache.updates});
struct KeyValueCache {
  int64_t capacity = 0;
  /// i64 scalar: how many tokens came before. What the cache holds from there on does not matter. A run throws Error if
  /// it is negative or leaves the call's tokens too little of the capacity.
  Tensor position{};
  std::vector<Update> updates{};
  std::string name = "cache";  ///< the scope of its parameters
};

struct MultiHeadAttentionOptions {
  int64_t heads = 1;
  int64_t kv_heads = 0;  ///< fewer than heads: grouped-query attention; 0: as many
  int64_t depth = 0;     ///< of a head; 0: width / heads
  bool causal = false;
  bool rotary = false;  ///< queries and keys are turned by their positions
  bool bias = true;
  double dropout = 0;  ///< of the weights
  Initializer weight = glorot();
  bool trainable = true;
  std::string name{};  ///< the scope of its layers; empty: "attention_1", "attention_2", ...
};

/// What one call of the layer looks at.
struct AttentionCallOptions {
  Tensor context{};  ///< [..., keys, any width]; empty: x itself
  Tensor mask{};     ///< booleans that broadcast to [..., heads, queries, keys]: true where a query may look
  KeyValueCache* cache = nullptr;
};

/// Multi-head attention (Vaswani et al. 2017, 3.2.2): x [..., queries, width] -> the same. Layers "qkv" (or "q" and
/// "kv" for a context) make queries, keys and values of every head, attention() of the ops joins them, the layer "out"
/// goes back to the width. The columns of "qkv" are those of all queries, head by head, then keys, then values, as in
/// PyTorch.
class GRADLOOM_API MultiHeadAttention {
 public:
  /// Throws Error if heads is not positive or no multiple of kv_heads, or if dropout is no rate.
  explicit MultiHeadAttention(MultiHeadAttentionOptions options, SourceLocation location = SourceLocation::current());

  /// Throws Error if x has fewer than two axes, if its width is not known or, without a depth, no multiple of heads, as
  /// Dense does, for a context in some calls and not in others, and for a cache with a context, without a capacity (for
  /// all tokens of x) or a position, or with sizes of x that are not known.
  Tensor operator()(const Operand& x, const AttentionCallOptions& call = {});

 private:
  struct Parts {
    Tensor q, k, v;
  };
  void make_layers(const Operand& x, bool of_context);
  /// The frozen parameters of a cache.
  struct Cached {
    Tensor k, v;
  };
  Tensor attend(const Operand& x, const AttentionCallOptions& call, const Cached& cached);
  Parts project(const Operand& x, const Tensor& context);
  [[nodiscard]] Cached cached(const Operand& x, const KeyValueCache& cache) const;
  /// All keys and values so far; adds the updates of the cache.
  Parts with_cached(const Operand& x, const Parts& parts, const Cached& cached, KeyValueCache& cache) const;
  /// What queries see of a cache: [queries, capacity].
  Tensor seen(const Tensor& x, const KeyValueCache& cache) const;

  MultiHeadAttentionOptions options_;
  std::string path_;           // of its scope
  std::vector<Dense> layers_;  // qkv, out; or q, kv, out; none before the first call
  int64_t depth_ = 0;
};

}  // namespace gradloom::inline v0::nn
