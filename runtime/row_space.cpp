// A tensor seen as rows.
#include <gradloom/ops/fused_program.hpp>
#include <gradloom/runtime/region_internal.hpp>
#include <gradloom/runtime/spread_internal.hpp>

namespace gradloom::inline v0 {

bool repeats_rows(const Shape& from, const RowSpace& space) {
  const Spread spread(from.sizes(), space.shape.sizes(), 4);
  if (space.rows == 1) return spread.strides == std::vector<int64_t>{1};
  return spread.sizes == std::vector<int64_t>{space.rows, space.length} && spread.strides == std::vector<int64_t>{0, 1};
}

bool has_number_for_each_row(const Shape& from, const Shape& to) {
  if (from.rank() != to.rank() || from.rank() < 2 || from[-1] != Dim(1)) return false;
  for (int axis = 0; axis + 1 < to.rank(); ++axis) {
    if (from[axis] != to[axis]) return false;
  }
  return true;
}

bool repeats_columns(const Shape& from, const RowSpace& space) {
  const Spread spread(from.sizes(), space.shape.sizes(), 4);
  return spread.sizes == std::vector<int64_t>{space.rows, space.length} && spread.strides == std::vector<int64_t>{1, 0};
}

bool reduces_rows(const Node& node, const RowSpace& space) {
  const auto& axes = node.attributes.get<std::vector<int64_t>>("axes");
  return node.op->fused_reduce >= 0 && !axes.empty() && axes.back() == space.shape.rank() - 1 &&
         node.outputs[0].shape.element_count().value() == space.rows;
}

std::optional<RowSpace> row_space(const Node& reduction, const Shape& from) {
  if (reduction.op->fused_reduce < 0) return {};
  const auto& axes = reduction.attributes.get<std::vector<int64_t>>("axes");
  const int64_t rank = from.rank(), count = static_cast<int64_t>(axes.size());
  if (count == 0 || axes.back() - axes.front() != count - 1) return {};  // they must be neighbours
  const int64_t all = from.element_count().value(), kept = reduction.outputs[0].shape.element_count().value();
  if (all == 0) return {};
  if (axes.back() == rank - 1 && count < rank) return RowSpace{from, kept, all / kept, true};
  if (axes.front() == 0 && count < rank && reduction.op->fused_reduce == static_cast<int>(FusedReduce::sum))
    return RowSpace{from, all / kept, kept, false};
  return {};
}

std::optional<RowSpace> row_space(const Subgraph& body) {
  for (int id = 0; id < body.graph.node_count(); ++id) {
    const Node& node = body.graph.node(id);
    if (node.op->fused_reduce < 0) continue;
    return row_space(node, body.graph.node(node.inputs[0].node).outputs[0].shape);
  }
  return {};
}

}  // namespace gradloom::inline v0
