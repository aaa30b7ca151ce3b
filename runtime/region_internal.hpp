// A fused region: pointwise nodes over one iteration space, run as one kernel, with what joins them there: broadcasts
// of its inputs, reductions of their results, a matrix product they follow. Its body is a Subgraph, so it prints,
// parses and verifies like any graph.
#pragma once

#include <gradloom/graph/op_def.hpp>
#include <gradloom/graph/subgraph.hpp>
#include <gradloom/ops/kernel.hpp>

#include <optional>

namespace gradloom::inline v0 {

/// Attribute "body"; as many inputs and outputs as the body has.
extern const OpDef region_def;

[[nodiscard]] inline bool is_region(const Node& node) { return node.op == &region_def; }
[[nodiscard]] const Subgraph& body_of(const Node& region);

/// f32 or f64: the dtype that most of the body's numbers have, which decides how many fit a register.
[[nodiscard]] DType lane_type(const Graph& body);

/// A region of pointwise nodes alone, all of one shape, and of sums over their rows where these are short.
[[nodiscard]] KernelPlan plan_flat_region(const KernelRequest& request, const Subgraph& body);
/// A product, pointwise nodes of its shape, and sums over all axes but the last.
[[nodiscard]] KernelPlan plan_product_region(const KernelRequest& request, const Subgraph& body);

/// Pointwise nodes along rows, reductions of rows, what is computed from those, and sums over the rows.
[[nodiscard]] KernelPlan plan_row_region(const KernelRequest& request, const Subgraph& body);

/// A tensor seen as rows that are reduced, or summed: the last axes are the row.
struct RowSpace {
  Shape shape;
  int64_t rows = 0, length = 0;
  bool along_rows = true;  ///< the node reduces rows; else it sums over them

  /// Rows that are summed element by element, and so short (as the channels of an image often are) that a program along
  /// many of them at once is faster than one along each.
  [[nodiscard]] bool sums_short_rows() const { return !along_rows && length > 1 && length <= 256; }
};

inline constexpr int most_row_reductions = 8;  ///< of a region

/// How a reduction of a tensor of shape `from` sees it; nothing if as no rows.
[[nodiscard]] std::optional<RowSpace> row_space(const Node& reduction, const Shape& from);
[[nodiscard]] std::optional<RowSpace> row_space(const Subgraph& body);
/// Does a node reduce the rows of a space to a number each?
[[nodiscard]] bool reduces_rows(const Node& node, const RowSpace& space);
/// Is a tensor of shape `from`, broadcast to the space, the same in every row? Or one number for each row?
[[nodiscard]] bool repeats_rows(const Shape& from, const RowSpace& space);
[[nodiscard]] bool repeats_columns(const Shape& from, const RowSpace& space);
/// Does a tensor of shape `from`, broadcast to `to`, have a number for each row of the last axis?
[[nodiscard]] bool has_number_for_each_row(const Shape& from, const Shape& to);

}  // namespace gradloom::inline v0
