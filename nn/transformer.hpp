#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/nn/dense.hpp>
#include <gradloom/nn/layer_norm.hpp>
#include <gradloom/nn/multi_head_attention.hpp>
#include <gradloom/ops/activations.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace gradloom::inline v0::nn {

/// Where a transformer block normalises.
enum class NormPlace : uint8_t {
  first,  ///< x + f(norm(x)): trains without a warm-up (Xiong et al. 2020, On layer normalization in the transformer)
  last,   ///< norm(x + f(x)), as in the first transformer
};

struct TransformerOptions {
  int64_t heads = 1;
  int64_t kv_heads = 0;  ///< 0: as many as heads
  int64_t hidden = 0;    ///< units between the two dense layers; 0: four times the width
  Tensor (*activation)(const Tensor&) = [](const Tensor& x) { return gelu(x); };
  NormPlace norm = NormPlace::first;
  bool causal = false;  ///< a token sees itself and what came before
  bool cross = false;   ///< attends to a context as well: the decoder of an encoder-decoder network
  bool rotary = false;
  bool bias = true;    ///< of the dense layers
  double dropout = 0;  ///< of the attention's weights and of what is added to x
  double epsilon = 1e-5;
  Initializer weight = glorot();
  bool trainable = true;
  std::string name{};  ///< the scope of its layers; empty: "block_1", "block_2", ...
};

struct TransformerCallOptions {
  Tensor mask{};          ///< as in AttentionCallOptions
  Tensor context{};       ///< [..., keys, any width]; for `cross`
  Tensor context_mask{};  ///< what may be seen of it
  KeyValueCache* cache = nullptr;
};

/// One block of a transformer (Vaswani et al. 2017): attention, attention to a context for `cross`, and two dense
/// layers with an activation between them, each with a normalisation and added to its input. x [..., length, width] ->
/// the same. Layers "norm_1", "attention", ("norm_2", "cross",) "norm_2" or "norm_3", "up", "down", in the order in
/// which they run.
///
/// An encoder is a row of these, a language model (decoder only) a row of causal ones:
///
///     for (int i = 0; i < 4; ++i) x = nn::transformer_block(x, {.heads = 4, .causal = true});
class GRADLOOM_API TransformerBlock {
 public:
  /// Throws Error as MultiHeadAttention does, and if `hidden` is negative.
  explicit TransformerBlock(TransformerOptions options, SourceLocation location = SourceLocation::current());

  /// Throws Error as the layers do, for a context without `cross`, and for `cross` without one.
  Tensor operator()(const Operand& x, const TransformerCallOptions& call = {});

 private:
  Tensor run(const Operand& x, const TransformerCallOptions& call);
  template <class Layer>
  Tensor add(const Operand& x, LayerNorm& norm, Layer layer) const;

  TransformerOptions options_;
  LayerNorm norm_1_, norm_2_, norm_3_;
  MultiHeadAttention attention_, cross_;
  std::vector<Dense> dense_;  // up, down; none before the first call
};

/// A fresh block applied to x. Errors as those of TransformerBlock.
[[nodiscard]] GRADLOOM_API Tensor transformer_block(const Operand& x, TransformerOptions options = {},
                                                    const TransformerCallOptions& call = {});

}  // namespace gradloom::inline v0::nn
