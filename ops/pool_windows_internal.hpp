// What pooling ops share on the graph's side: attributes, shape rules, and tables for the kernels.
#pragma once

#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/pool_table_internal.hpp>

#include <vector>

namespace gradloom::inline v0 {

/// The attributes of a window, one number for each spatial axis.
struct PoolWindows {
  std::vector<int64_t> window, strides, dilations, low, high;

  explicit PoolWindows(const Attributes& attributes);
  /// How many elements a window spans.
  [[nodiscard]] int64_t extent(size_t axis) const { return (window[axis] - 1) * dilations[axis] + 1; }
};

/// The shape of x [batch, spatial..., channels] after pooling. Fails if windows and shape do not fit each other.
[[nodiscard]] Shape pooled_shape(const ShapeContext& context, const Shape& x);
/// The shape of y [batch, pooled..., channels] before pooling: the attribute "sizes" has the spatial axes. Fails if
/// pooling does not lead back.
[[nodiscard]] Shape unpooled_shape(const ShapeContext& context, const Shape& y);

/// A PoolTable with the memory that it points into.
class PoolPlan {
 public:
  /// From a request whose output 0 is pooled from the spatial sizes `from` (spreads: true), or the other way round.
  PoolPlan(const KernelRequest& request, bool spreads);
  PoolPlan(const PoolPlan&) = delete;
  PoolPlan& operator=(const PoolPlan&) = delete;
  ~PoolPlan() = default;

  PoolTable table;
  double visits = 0;  ///< sources of all elements of the result

 private:
  std::vector<std::vector<int64_t>> storage_;
};

/// Chunks of rows for about the same time each.
[[nodiscard]] int64_t pool_chunks(const PoolPlan& plan);

}  // namespace gradloom::inline v0
