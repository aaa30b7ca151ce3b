#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

/// q, k, v; attributes scale and causal. Outputs: the result, and for each row log(sum(exp(scores))), [..., queries,
/// heads], which is -inf for a query that sees no key. The biased form has a fourth input, a mask (boolean) or what is
/// added to the scores (of q's dtype), whose axes are those of the scores [..., heads, queries, keys] or 1.
GRADLOOM_API extern const OpDef attention_def;
GRADLOOM_API extern const OpDef biased_attention_def;
/// The biased form with a fifth input, a key (i64), and an attribute rate: weights are multiplied with what the op
/// attention_dropout makes of that key.
GRADLOOM_API extern const OpDef dropped_attention_def;
/// What dropout multiplies the weights with, as a matrix: 0 with probability `rate`, else 1 / (1 - rate). Input: a key,
/// i64, which decides all of them; a negative one drops nothing. Attributes shape [..., queries, keys], rate, dtype. An
/// element is a function of the key, the row (counted over all axes before the last) and the column alone.
GRADLOOM_API extern const OpDef attention_dropout_def;
/// The gradients of q, k and v, in blocks: inputs q, k, v, lse, delta [..., queries, heads], dout (bias, key). With
/// P = exp(scores - lse) and dS = P (dout v^T - delta) they are scale dS k, scale dS^T q and P^T dout.
GRADLOOM_API extern const OpDef attention_gradient_def;
GRADLOOM_API extern const OpDef biased_attention_gradient_def;
GRADLOOM_API extern const OpDef dropped_attention_gradient_def;

struct AttentionOptions {
  /// Query i sees keys up to i + keys - queries only: the last query sees all.
  bool causal = false;
  /// Booleans, true where a query may look: [..., heads, queries, keys], or what broadcasts to it.
  Tensor mask{};
  /// Added to the scores; shaped as the mask.
  Tensor bias{};
  /// Scores are scale q k^T; 0 stands for 1 / sqrt(depth).
  double scale = 0;
  /// In training every weight is 0 with this probability, and scaled otherwise, as by dropout().
  double dropout = 0;
};

/// Scaled dot-product attention (Vaswani et al. 2017, Attention is all you need, eq. 1): every query's mean of the
/// values, weighted by softmax(scale q k^T + bias) over the keys.
///   q [..., queries, heads, depth], k [..., keys, kv_heads, depth], v [..., keys, kv_heads, value_depth]
///   -> [..., queries, heads, value_depth]
/// Heads are next to the depth, so that a dense layer's output is split into heads, and they are joined again, by
/// reshape alone. With fewer kv_heads, heads / kv_heads neighbouring heads share one (grouped-query attention, Ainslie
/// et al. 2023; one for all: multi-query, Shazeer 2019). A query that sees no key, by whatever mask, gives 0, and its
/// gradients are 0.
///
/// The scores are computed block by block, forward and backward, so memory grows with queries + keys and not with their
/// product; what lies beyond the diagonal of a causal attention is not computed. Two things need the whole matrix of
/// scores, and make it: the gradient of a bias, and gradients of second order. Floats only. Throws
/// Error if the shapes do not fit, if heads is no multiple of kv_heads (both must be numbers), if the depth is not
/// known and no scale is given, for a bias that is no float, a mask that is no boolean, and unless 0 <= dropout < 1.
[[nodiscard]] GRADLOOM_API Tensor attention(const Operand& q, const Tensor& k, const Tensor& v,
                                            const AttentionOptions& options = {});

}  // namespace gradloom::inline v0
