// Losses of embeddings: vectors that are to be near each other for things that are alike, and apart for others. Their
// reductions and sample weights are those of losses.hpp.
#pragma once

#include <gradloom/graph/tensor.hpp>
#include <gradloom/nn/losses.hpp>

namespace gradloom::inline v0::nn {

struct CosineEmbeddingOptions {
  double margin = 0;  ///< the similarity up to which two that differ are apart enough
  Reduction reduction = Reduction::mean;
  Tensor sample_weight{};
};

/// For s = cosine_similarity(a, b): 1 - s where the target is 1 (alike), max(0, s - margin) where it is -1. Embeddings
/// a and b [..., n], targets [...]. Throws Error if the shapes do not fit or the margin is not in [-1, 1].
[[nodiscard]] GRADLOOM_API Tensor cosine_embedding(const Operand& a, const Tensor& b, const Tensor& target,
                                                   const CosineEmbeddingOptions& options = {});

struct TripletMarginOptions {
  double margin = 1;
  bool swap = false;  ///< the negative's distance is from the nearer of anchor and positive (Balntas et al., 2016)
  Reduction reduction = Reduction::mean;
  Tensor sample_weight{};
};

/// max(0, |anchor - positive| - |anchor - negative| + margin) with Euclidean distances, for every row: all three
/// [..., n], the losses [...] (Schroff et al., 2015, "FaceNet", but for the squares; as in PyTorch). Throws Error if
/// the shapes differ or the margin is not positive.
[[nodiscard]] GRADLOOM_API Tensor triplet_margin(const Operand& anchor, const Tensor& positive, const Tensor& negative,
                                                 const TripletMarginOptions& options = {});

}  // namespace gradloom::inline v0::nn
