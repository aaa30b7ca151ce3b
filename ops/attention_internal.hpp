// Attention as formulas of whole matrices of scores, for what the blocked kernels do not do; and what the ops share.
#pragma once

#include <gradloom/graph/tensor.hpp>
#include <gradloom/ops/attention_table_internal.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/sample.hpp>

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace gradloom::inline v0 {

inline constexpr std::string_view attention_rule =
    "attention needs floats q [..., queries, heads, depth], k [..., keys, kv_heads, depth] and "
    "v [..., keys, kv_heads, value_depth], with heads a multiple of kv_heads";
inline constexpr std::string_view biased_attention_rule =
    "attention needs floats q [..., queries, heads, depth], k [..., keys, kv_heads, depth] and "
    "v [..., keys, kv_heads, value_depth], with heads a multiple of kv_heads, and a bias or mask "
    "[..., heads, queries, keys], whose axes may be 1";
inline constexpr std::string_view dropped_attention_rule =
    "attention needs floats q [..., queries, heads, depth], k [..., keys, kv_heads, depth] and "
    "v [..., keys, kv_heads, value_depth], with heads a multiple of kv_heads, a bias or mask "
    "[..., heads, queries, keys], whose axes may be 1, and a key, i64, with 0 <= rate < 1";

/// Checks q, k, v and the bias and the key of a dropout, the inputs of these numbers (-1: there is none).
void check_attention(const ShapeContext& context, int bias, int key);

/// For an op with a bias and then a key as its last inputs: if the key is known to drop nothing, the same by `biased`,
/// or by `plain` if the bias is a mask that hides nothing; else an empty Tensor.
Tensor without_attention_dropout(Graph& graph, const Node& node, std::span<const Tensor> inputs, const OpDef& plain,
                                 const OpDef& biased);

/// The samples of such an op, from those of the one without a key.
std::vector<Sample> with_attention_dropout(std::vector<Sample> biased);

/// The tensors of an attention with an axis for the matrices of each head: [..., kv_heads, group, rows, columns], where
/// group is 1 for what heads share.
class AttentionMatrices {
 public:
  AttentionMatrices(const Tensor& q, const Tensor& k, const Attributes& attributes);

  [[nodiscard]] Tensor of_heads(const Tensor& x) const;     ///< from [..., queries, heads, size]
  [[nodiscard]] Tensor of_kv_heads(const Tensor& x) const;  ///< from [..., keys, kv_heads, size]
  [[nodiscard]] Tensor of_rows(const Tensor& x) const;      ///< from [..., queries, heads], columns = 1
  /// Back; what heads share is summed over them.
  [[nodiscard]] Tensor to_heads(const Tensor& x) const;
  [[nodiscard]] Tensor to_kv_heads(const Tensor& x) const;
  [[nodiscard]] Tensor to_rows(const Tensor& x) const;
  /// From and to the shape of scores; the gradient is summed over what was broadcast.
  [[nodiscard]] Tensor of_bias(const Tensor& bias) const;
  [[nodiscard]] Tensor to_bias(const Tensor& x, const Shape& shape) const;

  /// scale q k^T + bias, -inf where a mask or the causal order says so. `bias` may be empty.
  [[nodiscard]] Tensor scores(const Tensor& bias) const;
  /// exp(scores - lse), 0 in rows that see nothing.
  [[nodiscard]] Tensor probabilities(const Tensor& bias, const Tensor& lse) const;

  /// Probabilities, or their cotangents, after the dropout of that key; x itself, if the key is an empty Tensor.
  [[nodiscard]] Tensor dropped(const Tensor& x, const Tensor& key) const;

  [[nodiscard]] const Tensor& q() const { return q_; }
  [[nodiscard]] const Tensor& k() const { return k_; }
  [[nodiscard]] double scale() const { return scale_; }

 private:
  int rank_;
  Dim kv_heads_, group_;
  double scale_, rate_;
  bool causal_;
  Tensor q_, k_;
};

/// Params of a planned attention.
struct AttentionPlan {
  AttentionForm form{};
  std::vector<int64_t> bias_batch;
  AttentionKernels kernels{};
  int type = 0;  ///< 0: f32, 1: f64
  int64_t element_bytes = 4;
  int64_t splits = 1;  ///< of the keys, in the gradient
};

/// `bias`: the number of that input, or -1.
[[nodiscard]] std::shared_ptr<AttentionPlan> plan_attention(const KernelRequest& request, int bias);

}  // namespace gradloom::inline v0
