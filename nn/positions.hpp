// Where in a sequence a thing stands, told to a network that would not know otherwise: added to the embeddings
// (sinusoidal, learned), or turned into the angle between queries and keys (rotary).
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/nn/initializers.hpp>

#include <cstdint>
#include <string>

namespace gradloom::inline v0::nn {

/// Positions start, start + 1, ...: i64 [length]. `start` is an i64 scalar, or empty for 0.
[[nodiscard]] GRADLOOM_API Tensor positions(Graph& graph, const Dim& length, const Tensor& start = {},
                                            SourceLocation location = SourceLocation::current());

/// Column 2 i is sin(position / 10000^(2 i / width)) and column 2 i + 1 the cosine of that: positions [...] ->
/// [..., width] of a float dtype, to be added to embeddings. (Vaswani et al. 2017, Attention is all you need, 3.5.)
/// Throws Error if width is not positive, and for a dtype that is no float.
[[nodiscard]] GRADLOOM_API Tensor sinusoidal_positions(const Operand& positions, int64_t width,
                                                       DType dtype = DType::f32);

struct RotaryOptions {
  double base = 10000;
  Tensor positions{};  ///< integers [length]; empty: 0, 1, 2, ...
};

/// x [..., length, heads, depth] with elements c and c + depth / 2 of each vector turned, as a point of the plane, by
/// the angle position / base^(2 c / depth): the product of a query and a key then depends on how far apart they stand,
/// and not on where. (Su et al. 2021, RoFormer, eq. 34, whose pairs are neighbours: the same up to a fixed order of the
/// elements.) Throws Error if x has fewer than three axes, and unless depth is a number and even.
[[nodiscard]] GRADLOOM_API Tensor rotary(const Operand& x, const RotaryOptions& options = {});

struct LearnedPositionsOptions {
  Initializer table = normal(0, 0.02);
  bool trainable = true;
  std::string name{};  ///< the scope of its parameter; empty: "positions_1", "positions_2", ...
};

/// A learned vector for each position, added to x: [..., length, width] -> the same. The first call makes
/// "positions_1/table" [most, width]; every call uses the same one.
class GRADLOOM_API LearnedPositions {
 public:
  /// For sequences of up to `most`. Throws Error if that is not positive.
  explicit LearnedPositions(int64_t most, LearnedPositionsOptions options = {},
                            SourceLocation location = SourceLocation::current());

  /// `positions`: integers [length]; empty: 0, 1, 2, ... Throws Error if x has fewer than two axes or a last one of
  /// unknown size, if it is longer than `most`, and for a Tensor of another graph.
  Tensor operator()(const Operand& x, const Tensor& positions = {});

  /// [most, width]. An empty Tensor before the first call.
  [[nodiscard]] const Tensor& table() const { return table_; }

 private:
  int64_t most_;
  LearnedPositionsOptions options_;
  Tensor table_;
};

}  // namespace gradloom::inline v0::nn
