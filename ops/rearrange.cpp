#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/index_check_internal.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/rearrange.hpp>
#include <gradloom/ops/refuse_internal.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

/// The axis counted from the front. Throws the function's Error if there is none.
int checked_axis(std::string_view function, std::string_view rule, const Operand& x, int64_t axis) {
  const int rank = x.tensor().rank();
  if (axis < -rank || axis >= rank) {
    refuse(function, rule, x.tensor(), fmt::format("there is no axis {} in a tensor of rank {}", axis, rank),
           x.location());
  }
  return static_cast<int>(from_front(axis, rank));
}

void require_matrices(std::string_view function, const Operand& x) {
  if (x.tensor().rank() >= 2) return;
  refuse(function, fmt::format("{} needs x [..., n, m]", function), x.tensor(),
         fmt::format("x has {} axes", x.tensor().rank()), x.location());
}

enum class Side : uint8_t { lower, upper };

Tensor triangle(const Operand& x, int64_t diagonal, Side side) {
  const Tensor& value = x.tensor();
  Graph& graph = value.graph();
  const Dim &rows = value.dim(-2), &columns = value.dim(-1);
  const Tensor row = iota(graph, {rows, 1}, 0, DType::i64, x.location()) + diagonal;
  const Tensor column = iota(graph, {1, columns}, 1, DType::i64, x.location());
  return where(side == Side::lower ? column <= row : column >= row, value, 0);
}

}  // namespace

Tensor flip(const Operand& x, const std::vector<int64_t>& axes) {
  const SourceScope scope(x, "flip");
  std::vector<Range> ranges(static_cast<size_t>(x.tensor().rank()), Range{.step = axes.empty() ? -1 : 1});
  for (const int64_t axis : axes) {
    const int at = checked_axis("flip", "flip needs axes of x", x, axis);
    ranges[static_cast<size_t>(at)].step = -1;
  }
  return slice(x, ranges);
}

Tensor roll(const Operand& x, int64_t shift, int axis) {
  const SourceScope scope(x, "roll");
  const int at = checked_axis("roll", "roll needs an axis of x", x, axis);
  const Dim& size = x.tensor().dim(at);
  if (size == Dim(0)) return x.tensor();
  if (size.known()) shift = (shift % size.value() + size.value()) % size.value();
  if (shift == 0) return x.tensor();
  const Dim first = shift > 0 ? size - shift : Dim(-shift);  // what comes to the front
  return concat({slice(x.tensor(), at, {first, size}), slice(x.tensor(), at, {0, first})}, at);
}

Tensor tile(const Operand& x, const std::vector<int64_t>& repetitions) {
  const SourceScope scope(x, "tile");
  const Tensor& value = x.tensor();
  for (const int64_t n : repetitions) {
    if (n < 0)
      refuse("tile", "tile needs numbers that are not negative", value, fmt::format("{} repetitions were asked for", n),
             x.location());
  }
  // Every axis [n] becomes [1, n], stretched to [times, n], and merged to [times * n].
  const size_t rank = static_cast<size_t>(value.rank()), all = std::max(rank, repetitions.size());
  std::vector<Dim> apart, stretched, merged;
  for (size_t axis = 0; axis < all; ++axis) {
    const Dim size = axis + rank >= all ? value.shape().dims()[axis + rank - all] : Dim(1);
    const int64_t times = axis + repetitions.size() >= all ? repetitions[axis + repetitions.size() - all] : 1;
    apart.insert(apart.end(), {Dim(1), size});
    stretched.insert(stretched.end(), {Dim(times), size});
    merged.push_back(times * size);
  }
  return reshape(broadcast(reshape(value, Shape(apart)), Shape(stretched)), Shape(merged));
}

Tensor repeat(const Operand& x, int64_t repetitions, int axis) {
  const SourceScope scope(x, "repeat");
  constexpr std::string_view rule = "repeat needs an axis of x and a number that is not negative";
  const auto at = static_cast<size_t>(checked_axis("repeat", rule, x, axis));
  if (repetitions < 0)
    refuse("repeat", rule, x.tensor(), fmt::format("{} repetitions were asked for", repetitions), x.location());
  std::vector<Dim> stretched = x.tensor().shape().dims(), merged = stretched;
  merged[at] = merged[at] * repetitions;
  stretched.insert(stretched.begin() + static_cast<std::ptrdiff_t>(at) + 1, repetitions);
  return reshape(broadcast(expand_dims(x.tensor(), static_cast<int>(at) + 1), Shape(stretched)), Shape(merged));
}

Tensor tril(const Operand& x, int64_t diagonal) {
  const SourceScope scope(x, "tril");
  require_matrices("tril", x);
  return triangle(x, diagonal, Side::lower);
}

Tensor triu(const Operand& x, int64_t diagonal) {
  const SourceScope scope(x, "triu");
  require_matrices("triu", x);
  return triangle(x, diagonal, Side::upper);
}

Tensor diagonal(const Operand& x) {
  const SourceScope scope(x, "diagonal");
  const Tensor& value = x.tensor();
  require_matrices("diagonal", x);
  const Dim& n = value.dim(-1);
  if (!n.known() || value.dim(-2) != n) {
    refuse("diagonal", "diagonal needs x [..., n, n] with n a number", value,
           fmt::format("the last two sizes are {} and {}", value.dim(-2).to_string(), n.to_string()), x.location());
  }
  // In the matrix as one row, its elements are n + 1 apart.
  std::vector<Dim> dims = value.shape().dims();
  dims.pop_back();
  dims.back() = n * n;
  return slice(reshape(value, Shape(dims)), -1, {.step = n.value() + 1});
}

}  // namespace gradloom::inline v0
