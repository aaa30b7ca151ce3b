#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/nn/transformer.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/dropout.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0::nn {

namespace {

constexpr std::string_view name = "transformer_block";

LayerNormOptions norm_options(const TransformerOptions& options, std::string layer_name) {
  return {.epsilon = options.epsilon, .trainable = options.trainable, .name = std::move(layer_name)};
}

MultiHeadAttentionOptions attention_options(const TransformerOptions& options, bool cross) {
  return {.heads = options.heads,
          .kv_heads = options.kv_heads,
          .causal = options.causal && !cross,
          .rotary = options.rotary && !cross,
          .bias = options.bias,
          .dropout = options.dropout,
          .weight = options.weight,
          .trainable = options.trainable,
          .name = cross ? "cross" : "attention"};
}

}  // namespace

TransformerBlock::TransformerBlock(TransformerOptions options, SourceLocation location)
    : options_(std::move(options)),
      norm_1_(norm_options(options_, "norm_1")),
      norm_2_(norm_options(options_, "norm_2")),
      norm_3_(norm_options(options_, "norm_3")),
      attention_(attention_options(options_, false), location),
      cross_(attention_options(options_, true), location) {
  if (options_.hidden >= 0) return;
  refuse(name, Operand(options_.hidden, location), fmt::format("hidden is {}", options_.hidden), {},
         "hidden is positive, or 0 for four times the width");
}

template <class Layer>
Tensor TransformerBlock::add(const Operand& x, LayerNorm& norm, Layer layer) const {
  const auto at = [&](const Tensor& tensor) { return Operand(tensor, x.location()); };
  const bool first = options_.norm == NormPlace::first;
  const Tensor y = layer(at(first ? norm(x) : x.tensor()));
  const Tensor sum = x + dropout(at(y), options_.dropout);
  return first ? sum : norm(at(sum));
}

Tensor TransformerBlock::run(const Operand& x, const TransformerCallOptions& call) {
  const auto at = [&](const Tensor& tensor) { return Operand(tensor, x.location()); };
  Tensor y = add(x, norm_1_, [&](const Operand& z) { return attention_(z, {.mask = call.mask, .cache = call.cache}); });
  if (options_.cross) {
    y = add(at(y), norm_2_,
            [&](const Operand& z) { return cross_(z, {.context = call.context, .mask = call.context_mask}); });
  }
  return add(at(y), options_.cross ? norm_3_ : norm_2_, [&](const Operand& z) {
    if (dense_.empty()) {
      const int64_t width = z.tensor().dim(-1).value();
      const auto layer = [&](int64_t units, std::string layer_name) {
        dense_.emplace_back(units,
                            DenseOptions{.bias = options_.bias,
                                         .weight = options_.weight,
                                         .trainable = options_.trainable,
                                         .name = std::move(layer_name)},
                            x.location());
      };
      layer(options_.hidden == 0 ? 4 * width : options_.hidden, "up");
      layer(width, "down");
    }
    return dense_[1](at(options_.activation(dense_[0](z))));
  });
}

Tensor TransformerBlock::operator()(const Operand& x, const TransformerCallOptions& call) {
  constexpr std::string_view rule =
      "transformer_block needs x [..., length, width], and a context if it was made with `cross`";
  if (x.is_number()) refuse(name, x, "x is a number or an empty Tensor", {}, rule);
  if (options_.cross != call.context.valid()) {
    refuse(name, x, options_.cross ? "there is no context" : "there is a context", {{"x", x.tensor()}}, rule);
  }
  if (!dense_.empty()) return run(x, call);
  Graph& graph = x.tensor().graph();
  const Scope scope = options_.name.empty() ? graph.numbered_scope("block") : graph.scope(options_.name);
  return run(x, call);
}

Tensor transformer_block(const Operand& x, TransformerOptions options, const TransformerCallOptions& call) {
  return TransformerBlock(std::move(options), x.location())(x, call);
}

}  // namespace gradloom::inline v0::nn
