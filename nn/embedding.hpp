#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/nn/initializers.hpp>

#include <cstdint>
#include <string>

namespace gradloom::inline v0::nn {

struct EmbeddingOptions {
  Initializer table = normal();
  DType dtype = DType::f32;
  bool trainable = true;  ///< false freezes the layer: optimisers leave it alone
  std::string name{};     ///< the scope of its parameter; empty: "embedding_1", "embedding_2", ...
};

/// A learned vector for each of `count` things, words for instance: indices [...] -> [..., width]. The first call makes
/// the parameter "embedding_1/table" [count, width] in the graph of the indices and the scopes open then. Every call
/// uses the same one; its gradient is the sum of what each use of a row asks for, in the order of the indices.
///
///     nn::Embedding words(10000, 64);
///     Tensor x = words(text);  // i32 [batch, time] -> f32 [batch, time, 64]
class GRADLOOM_API Embedding {
 public:
  /// Throws Error if a size is not positive.
  Embedding(int64_t count, int64_t width, EmbeddingOptions options = {},
            SourceLocation location = SourceLocation::current());

  /// Throws Error for indices that are not i32 or i64, and for a Tensor of another graph than in the first call. A run
  /// throws if an index is negative or not below `count`.
  Tensor operator()(const Operand& indices);

  /// [count, width]. An empty Tensor before the first call.
  [[nodiscard]] const Tensor& table() const { return table_; }

 private:
  int64_t count_, width_;
  EmbeddingOptions options_;
  Tensor table_;
};

/// A fresh layer applied to indices: [...] -> [..., width]. Errors as those of Embedding.
[[nodiscard]] GRADLOOM_API Tensor embedding(const Operand& indices, int64_t count, int64_t width,
                                            EmbeddingOptions options = {});

}  // namespace gradloom::inline v0::nn
