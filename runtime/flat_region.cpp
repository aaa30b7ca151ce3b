// A region of pointwise nodes of one shape: a fused program along the elements. Broadcast operands are spread out into
// tiles first (once per chunk where every tile sees the same values). Tiles and chunks do not change bits: pointwise
// handlers are lane-wise, and where rows are summed, a tile is a number of leaves of their sums.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/runtime/column_sums_internal.hpp>
#include <gradloom/runtime/fused_frame_internal.hpp>
#include <gradloom/runtime/node_plan_internal.hpp>
#include <gradloom/runtime/region_internal.hpp>
#include <gradloom/runtime/spread_internal.hpp>

#include <algorithm>
#include <cassert>
#include <numeric>

namespace gradloom::inline v0 {

namespace {

constexpr int64_t largest_tile = 4096;   // elements: some operands spread out fit the first-level cache
constexpr int64_t fetched_ahead = 2048;  // bytes
/// A broadcast input.
struct SpreadOperand {
  Spread spread;
  int input = 0, place = 0;
  bool uniform = false;             // fills a block, once
  bool same_in_every_tile = false;  // else written for each tile
  size_t offset = 0;                // of the spread-out tile in scratch
};

struct FlatRegion {
  explicit FlatRegion(FusedProgram made) : program(std::move(made)), layout(program) {}

  FusedProgram program;
  FusedFrameLayout layout;
  int64_t count = 0;  // elements of the iteration space
  int64_t tile = 0;   // elements, whole blocks
  int64_t tiles = 0;
  std::vector<SpreadOperand> operands;
  /// Over the rows, of `columns` elements: of values that the program leaves in scratch, at these offsets.
  ColumnSums sums;
  std::vector<size_t> summed;
  int64_t columns = 0;
  int64_t read_per_element = 0, written_per_element = 0;  // bytes; broadcast operands are as good as nothing
};

// The leaves of sums over the rows of a tile.
void sum_tile(const FlatRegion& region, const KernelCall& call, int64_t begin, int64_t end) {
  const int64_t columns = region.columns, rows = (end - begin) / columns;
  const size_t row_bytes = static_cast<size_t>(columns) * size_of(region.sums.dtype);
  for (size_t i = 0; i < region.summed.size(); ++i) {
    const std::byte* from = static_cast<std::byte*>(call.scratch) + region.summed[i];
    std::byte* leaf = static_cast<std::byte*>(call.shared) + region.sums.sums[i].leaves +
                      static_cast<size_t>(begin / columns / reduce_leaf_lines) * row_bytes;
    for (int64_t row = 0; row < rows; row += reduce_leaf_lines) {
      const int64_t lines = std::min(reduce_leaf_lines, rows - row);
      region.program.kernels->sum_rows(from, columns, lines, columns, leaf, false);
      from += static_cast<size_t>(lines) * row_bytes;
      leaf += row_bytes;
    }
  }
}

void combine_sums(const KernelCall& call) {
  const auto& region = *static_cast<const FlatRegion*>(call.params);
  region.sums.combine_chunk(call, region.count / region.columns, region.columns, region.columns);
}

void run_flat(const KernelCall& call) {
  const auto& region = *static_cast<const FlatRegion*>(call.params);
  std::byte* const scratch = static_cast<std::byte*>(call.scratch);
  int64_t first = 0, last = region.tiles;
  if (call.chunks > 1) {  // spares small tensors the divisions
    first = chunk_begin(region.tiles, call.chunks, call.chunk);
    last = chunk_begin(region.tiles, call.chunks, call.chunk + 1);
  }
  const int64_t block = region.program.kernels->block;
  const int64_t chunk_end = std::min(last * region.tile, region.count);  // tiles are whole blocks
  FusedFrame frame(region.program, region.layout, scratch,
                   {.whole = chunk_end - first * region.tile >= block, .tail = (chunk_end & (block - 1)) != 0});
  bool has_tiles = !region.summed.empty();
  for (const int place : region.program.input_streams) frame.set(place, call.inputs[region.program.place(place).index]);
  for (const int place : region.program.output_streams)
    frame.set(place, call.outputs[region.program.place(place).index]);
  for (const SpreadOperand& operand : region.operands) {
    const void* const input = call.inputs[operand.input];
    if (operand.uniform) {
      region.program.kernels->fill_block(input, 1, frame.block(operand.place), operand.spread.element_size);
    } else {
      has_tiles = true;
      if (operand.same_in_every_tile)
        operand.spread.write(input, scratch + operand.offset, 0, std::min(region.tile, region.count));
    }
  }
  frame.bind();
  frame.choose_stores(call);

  const auto run = [&](int64_t begin, int64_t end) {
    const int64_t whole = begin + ((end - begin) & -block);  // a block is a power of two
    frame.run(0, begin, whole);
    if (whole == end) return;
    frame.run_tail(0, whole, end - whole, [](int) { return size_t{0}; });
  };
  if (!has_tiles) {
    run(first * region.tile, chunk_end);
  } else {
    for (int64_t tile = first; tile < last; ++tile) {
      const int64_t begin = tile * region.tile, end = std::min(begin + region.tile, region.count);
      for (const SpreadOperand& operand : region.operands) {
        if (operand.uniform) continue;
        std::byte* const spread = scratch + operand.offset;
        if (!operand.same_in_every_tile) operand.spread.write(call.inputs[operand.input], spread, begin, end - begin);
        frame.rebind(operand.place, spread - static_cast<size_t>(begin) * operand.spread.element_size);
      }
      for (size_t i = 0; i < region.summed.size(); ++i) {
        frame.rebind(region.sums.sums[i].place,
                     scratch + region.summed[i] - static_cast<size_t>(begin) * size_of(region.sums.dtype));
      }
      run(begin, end);
      if (!region.summed.empty()) sum_tile(region, call, begin, end);
    }
  }
  frame.finish_stores();
  const int64_t done = chunk_end - first * region.tile;
  call.count(done * region.read_per_element, done * region.written_per_element);
}

}  // namespace

DType lane_type(const Graph& body) {
  for (int id = 0; id < body.node_count(); ++id) {
    if (body.node(id).op->pointwise != nullptr && body.node(id).outputs[0].dtype == DType::f64) return DType::f64;
  }
  for (const Tensor& input : body.inputs()) {
    if (input.dtype() == DType::f64) return DType::f64;
  }
  return DType::f32;
}

KernelPlan plan_flat_region(const KernelRequest& request, const Subgraph& body) {
  const Graph& graph = body.graph;
  int space = 0;  // a node of the shape of all
  while (graph.node(space).op->pointwise == nullptr) ++space;
  const Shape& shape = graph.node(space).outputs[0].shape;
  const std::vector<int64_t> sizes = shape.sizes();
  const int64_t count = shape.element_count().value();
  FusedBuilder builder(graph, lane_type(graph), request.isa(), false);

  // Places of inputs: those of the full shape are streams.
  std::map<int, int> input_of, stream_of;  // body node -> input, place
  const std::vector<Tensor> inputs = graph.inputs();
  for (size_t i = 0; i < inputs.size(); ++i) input_of[inputs[i].node_id()] = static_cast<int>(i);
  const auto stream = [&](int node) {
    if (const auto known = stream_of.find(node); known != stream_of.end()) return known->second;
    const int place = builder.add_place({.kind = FusedPlace::Kind::input,
                                         .index = input_of.at(node),
                                         .element_size = size_of(graph.node(node).outputs[0].dtype)});
    builder.define(node, place);
    return stream_of[node] = place;
  };
  std::vector<SpreadOperand> operands;
  std::vector<int> nodes;
  for (int id = 0; id < graph.node_count(); ++id) {
    const Node& node = graph.node(id);
    if (is_input(node) || node.op->fused_reduce >= 0) continue;
    if (node.op->pointwise != nullptr) {
      nodes.push_back(id);
      for (const Value& value : node.inputs) {
        if (input_of.contains(value.node)) stream(value.node);
      }
      continue;
    }
    const TensorType& from = graph.node(node.inputs[0].node).outputs[0];
    SpreadOperand operand{.spread = Spread(from.shape.sizes(), sizes, size_of(from.dtype)),
                          .input = input_of.at(node.inputs[0].node)};
    operand.uniform = operand.spread.is_uniform();
    operand.place = operand.uniform ? builder.add_block(true)
                                    : builder.add_place({FusedPlace::Kind::buffer, 0, operand.spread.element_size});
    builder.define(id, operand.place);
    operands.push_back(std::move(operand));
  }
  std::vector<std::pair<int, int>> stores;
  std::vector<int> output_places(body.outputs.size(), -1), streaming;
  ColumnSums sums{.dtype = lane_type(graph)};
  for (size_t i = 0; i < body.outputs.size(); ++i) {
    const Tensor& output = body.outputs[i];
    const Node& node = graph.node(output.node_id());
    if (node.op->fused_reduce >= 0) {
      const int place = builder.add_place({FusedPlace::Kind::buffer, 0, size_of(output.dtype())});
      stores.emplace_back(node.inputs[0].node, place);
      sums.sums.push_back({place, static_cast<int>(i), 0});
      continue;
    }
    output_places[i] = builder.add_place({FusedPlace::Kind::output, static_cast<int>(i), size_of(output.dtype())});
    stores.emplace_back(output.node_id(), output_places[i]);
    if (static_cast<size_t>(count) * size_of(output.dtype()) > streaming_bytes)
      streaming.push_back(static_cast<int>(i));
  }
  std::vector<FusedFetch> fetches;
  for (const auto& [node, place] : stream_of) {
    const size_t element_size = size_of(graph.node(node).outputs[0].dtype);
    fetches.push_back({place, fetched_ahead / static_cast<int64_t>(element_size)});
  }
  builder.add_segment(nodes, stores, {}, fetches);

  KernelPlan plan;
  // An output may take the buffer of an input that is read as a stream, and not after the output was written.
  for (const auto& [node, place] : stream_of) {
    for (size_t o = 0; o < body.outputs.size(); ++o) {
      if (output_places[o] >= 0 && size_of(graph.node(node).outputs[0].dtype) == size_of(body.outputs[o].dtype()) &&
          builder.last_read(place) <= builder.first_write(output_places[o])) {
        plan.in_place.emplace_back(input_of.at(node), static_cast<int>(o));
      }
    }
  }
  auto region = std::make_shared<FlatRegion>(builder.finish(streaming));
  const FusedProgram& program = region->program;
  for (const int place : program.input_streams)
    region->read_per_element += static_cast<int64_t>(program.place(place).element_size);
  for (const int place : program.output_streams)
    region->written_per_element += static_cast<int64_t>(program.place(place).element_size);
  region->count = count;

  // Of whole leaves, where there are sums; and a tile that all repeated operands fit a whole number of times, if that
  // is not too long.
  int64_t tile = program.kernels->block;
  if (!sums.sums.empty()) {
    region->columns = sizes.back();
    tile = std::lcm(tile, reduce_leaf_lines * region->columns);
  }
  for (const SpreadOperand& operand : operands) {
    const int64_t both = std::lcm(tile, operand.spread.period());
    if (both <= largest_tile) tile = both;
  }
  tile *= std::max<int64_t>(1, largest_tile / 2 / tile);
  region->tile = tile;
  size_t bytes = region->layout.end;
  for (SpreadOperand& operand : operands) {
    if (operand.uniform) continue;
    operand.same_in_every_tile = tile % operand.spread.period() == 0;
    operand.offset = bytes;
    bytes += (static_cast<size_t>(tile) * operand.spread.element_size + 63) / 64 * 64;
  }
  region->operands = std::move(operands);
  for (size_t i = 0; i < sums.sums.size(); ++i) {
    region->summed.push_back(bytes);
    bytes += cache_aligned(static_cast<size_t>(tile) * size_of(sums.dtype));
  }
  region->sums = std::move(sums);
  if (region->columns > 0)
    plan.shared_bytes = region->sums.place_leaves(request, count / region->columns, region->columns, 0);

  region->tiles = (count + tile - 1) / tile;
  plan.nanoseconds =
      50 + static_cast<double>(count) *
               (0.05 * program.instructions + 0.05 * static_cast<double>(stream_of.size() + body.outputs.size()));
  if (count > 0) {
    // Long programs are worth a hand-over sooner, as long as that makes few chunks: many short ones from memory take
    // longer.
    constexpr double grain_ns = 4000;
    constexpr int64_t enough = 16;
    const int64_t usual = chunk_count(count, pointwise_grain);
    const int64_t by_time = std::min(enough, static_cast<int64_t>(plan.nanoseconds / grain_ns));
    plan.steps = {{run_flat, std::min(region->tiles, std::max(usual, by_time))}};
    ChunkShare& share = plan.steps[0].share = {.elements = count, .line = tile};
    for (const auto& [node, place] : stream_of) share.add_input(input_of.at(node));
    for (const SpreadOperand& operand : region->operands) share.remove_input(operand.input);
  }
  if (count > 0 && region->columns > 0) plan.steps.push_back({combine_sums, ColumnSums::chunks(region->columns)});
  plan.scratch_bytes = bytes;
  plan.params = std::move(region);
  return plan;
}

}  // namespace gradloom::inline v0
