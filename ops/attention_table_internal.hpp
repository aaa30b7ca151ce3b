// What the kernels of attention, compiled per instruction set, and the definitions of its ops agree on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gradloom::inline v0 {

/// What is added to the scores before their softmax.
enum class AttentionBias : uint8_t {
  none,
  mask,   ///< booleans: where false, the score is -inf
  added,  ///< floats
};

/// Sizes of one attention: q [batch, queries, heads, depth], k and v [batch, keys, kv_heads, depth or value_depth],
/// dense. Query head h meets head h / (heads / kv_heads) of k and v.
struct AttentionForm {
  int64_t batch, queries, keys, heads, kv_heads, depth, value_depth;
  double scale;
  bool causal;  ///< query i sees keys up to i + keys - queries
  double dropout = 0;
  AttentionBias bias = AttentionBias::none;
  const int64_t* bias_batch = nullptr;  ///< where the bias of a batch begins, in elements
  int64_t bias_head = 0, bias_query = 0, bias_key = 0;

  [[nodiscard]] int64_t group() const { return heads / kv_heads; }
  /// How many keys query i sees: the first ones.
  [[nodiscard]] int64_t seen_by(int64_t query) const {
    if (!causal) return keys;
    const int64_t seen = query + 1 + keys - queries;
    return seen < 0 ? 0 : seen;
  }
  /// The row of a query in the matrices of scores of all heads, one after the other.
  [[nodiscard]] int64_t row_of(int64_t batch_number, int64_t head, int64_t query) const {
    return (batch_number * heads + head) * queries + query;
  }
  /// The first query that sees a key.
  [[nodiscard]] int64_t first_to_see(int64_t key) const {
    if (!causal) return 0;
    const int64_t first = key - (keys - queries);
    return first < 0 ? 0 : first;
  }
};

/// Rows of scores that one forward chunk owns, and columns that are in work at once. Sizes only decide; results depend
/// on the second and not on the first.
inline constexpr int64_t attention_query_block = 256;
inline constexpr int64_t attention_key_block = 128;

[[nodiscard]] constexpr int64_t attention_key_blocks(const AttentionForm& form) {
  return (form.keys + attention_key_block - 1) / attention_key_block;
}

/// So few queries, as in generation, wait for keys and values: these are read where they lie, those of several heads
/// side by side.
inline constexpr int64_t attention_few_queries = 4;
/// How many heads one forward chunk of few queries has, of tensors of such elements: as many as have 1 KiB of a row of
/// keys or more, and no more rows than other chunks.
[[nodiscard]] inline int64_t attention_heads_together(const AttentionForm& form, int64_t element_bytes) {
  constexpr int64_t wanted = 1024, most = attention_query_block / attention_few_queries;
  const int64_t row = form.depth * element_bytes, kv_heads = row == 0 ? 1 : (wanted + row - 1) / row;
  return form.group() * kv_heads < most ? form.group() * kv_heads : most;
}

/// The forward pass of queries begin .. end - 1 of a head; if they are few, of heads up to last_head - 1. Pointers are
/// those of whole tensors.
struct AttentionCall {
  const void *q, *k, *v, *bias;
  int64_t key;   ///< of the dropout
  void* output;  ///< [batch, queries, heads, value_depth]
  void* lse;     ///< [batch, queries, heads]
  int64_t batch, head, last_head, begin, end;
  void* scratch;
};

/// The gradients of every `blocks`-th block of keys of one head of k and v, from block `first` on. What they add to dq
/// is added to `dq`, which this call sets to zero first; of dk and dv it writes its blocks of keys.
struct AttentionGradientCall {
  const void *q, *k, *v, *bias, *lse, *delta, *dout;
  int64_t key;
  void *dq, *dk, *dv;
  int64_t batch, kv_head, first, blocks;
  void* scratch;
};

/// By dtype: f32, f64.
struct AttentionKernels {
  void (*forward[2])(const AttentionForm&, const AttentionCall&) noexcept;
  void (*gradient[2])(const AttentionForm&, const AttentionGradientCall&) noexcept;
  /// to[i] = from[0][i] + from[1][i] + ..., `parts` arrays that are `stride` elements apart.
  void (*add_parts[2])(const void* from, int64_t parts, int64_t stride, int64_t n, void* to) noexcept;
  /// Bytes of scratch that each needs.
  size_t (*forward_scratch[2])(const AttentionForm&) noexcept;
  size_t (*gradient_scratch[2])(const AttentionForm&) noexcept;
};

/// By dtype: writes rows begin .. end - 1 of the matrix of factors.
struct AttentionDropoutKernels {
  void (*factors[2])(double rate, int64_t key, int64_t keys, int64_t begin, int64_t end, void* output);
};

}  // namespace gradloom::inline v0
