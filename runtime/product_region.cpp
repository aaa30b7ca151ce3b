// A matrix product or convolution with the pointwise nodes that follow it: a fused program runs over each part of the
// result while that is in the first-level cache (the epilogue), and sums of its columns are taken there too. The
// product itself is stored only if somebody else reads it. Several products of one shape, as those of the gates of a
// recurrent cell, are made block by block: all but the last into scratch, and the last with the epilogue, for which the
// others are operands.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/fusible_product_internal.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/runtime/column_sums_internal.hpp>
#include <gradloom/runtime/fused_frame_internal.hpp>
#include <gradloom/runtime/region_internal.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <map>
#include <set>
#include <span>

namespace gradloom::inline v0 {

namespace {

constexpr size_t largest_part = size_t{16} << 10;  // bytes of C that an epilogue gets at once

/// An operand that is the same in every row: written into a block for each of the columns of blocks at hand.
struct RowOperand {
  int input = 0, place = 0;
  size_t element_size = 4;
  bool uniform = false;  // in every column too
  size_t offset = 0;     // of the first block in scratch, if not
};

/// An operand with a number for each row: those of a part are written into a strip as wide as a block.
struct ColumnOperand {
  int input = 0, place = 0;
  size_t element_size = 4;
};

/// A product whose blocks are made before those of the one that has the epilogue.
template <class T>
struct BesideProduct {
  std::shared_ptr<const FusibleProduct<T>> product;
  int a = 0, b = 0;  // inputs
  int place = 0;
  bool reads_a = true;  // no other of the region's products has
  size_t offset = 0;    // of the block in scratch
};

/// Columns of blocks whose operands are at hand at once.
constexpr int64_t most_groups = 16;

template <class T>
struct ProductRegion {
  ProductRegion(std::shared_ptr<const FusibleProduct<T>> planned, FusedProgram made)
      : product(std::move(planned)), program(std::move(made)), layout(program) {}

  std::shared_ptr<const FusibleProduct<T>> product;
  FusedProgram program;
  FusedFrameLayout layout;
  int a = 0, b = 0;  // inputs
  int64_t rows = 0, columns = 0;
  std::vector<BesideProduct<T>> beside;
  int64_t beside_stride = 0;  // elements from one row of their blocks to the next
  int tile = 0;               // place of the product's part
  std::vector<int> places;    // of streams, the tile and strips: what the program walks through row by row
  std::vector<RowOperand> operands;
  std::vector<ColumnOperand> column_operands;
  /// How far what a cell refers to moves from one column of blocks to the next.
  struct Step {
    int cell;
    size_t bytes;
  };
  std::vector<Step> steps;
  ColumnSums sums;  // their places are those of the values: outputs, or strips of scratch
  int64_t read_per_element = 0, written_per_element = 0;  // bytes, besides the product's operands
  /// Are they more than the second-level cache holds? What is there anyhow costs more to ask for than it gains.
  bool asks_for_streams = false;
  /// Where the product keeps partial sums: in an output's memory, or in shared memory.
  int partial_output = -1;
  int64_t partial_offset = -1;
  // Scratch: the product's workspace, the frame, then by place a strip, and a block for the ragged edges.
  size_t frame_offset = 0;
  std::vector<size_t> strip_offsets, edge_offsets;

  [[nodiscard]] const BesideProduct<T>* beside_at(int place) const {
    for (const BesideProduct<T>& other : beside) {
      if (other.place == place) return &other;
    }
    return nullptr;
  }

  [[nodiscard]] bool is_column_operand(int place) const {
    return std::any_of(column_operands.begin(), column_operands.end(),
                       [&](const ColumnOperand& operand) { return operand.place == place; });
  }

  /// Is a place filled before the program runs, by a product or with an operand?
  [[nodiscard]] bool is_made(int place) const {
    return place == tile || beside_at(place) != nullptr || is_column_operand(place);
  }

  void count_traffic(const KernelCall& call) const {
    if (call.traffic == nullptr) return;
    const ProductTraffic moved = product->traffic(call.chunk);
    int64_t read = moved.read;
    for (const BesideProduct<T>& other : beside) {
      const ProductTraffic more = other.product->traffic(call.chunk);
      read += more.read - (other.reads_a ? 0 : more.read_a);
    }
    constexpr int64_t size = sizeof(T);
    call.count(read * size + moved.made * read_per_element, moved.made * written_per_element);
  }
};

/// What an epilogue works with: one chunk's view of the region.
template <class T>
class Epilogue {
 public:
  Epilogue(const ProductRegion<T>& region, const KernelCall& call)
      : region_(region),
        call_(call),
        scratch_(static_cast<std::byte*>(call.scratch)),
        block_(region.product->block(call.chunk)),
        frame_(region.program, region.layout, scratch_ + region.frame_offset, {}),
        rows_per_block_(region.program.kernels->rows_per_block),
        width_(region.program.kernels->block / rows_per_block_) {
    frame_.bind();
    for (const RowOperand& operand : region.operands) {
      if (operand.uniform)
        region.program.kernels->fill_block(call.inputs[operand.input], 1, frame_.block(operand.place),
                                           operand.element_size);
    }
    if (region.asks_for_streams) {
      for (const int place : region.program.input_streams) add_stream(place, call.inputs);
      for (const int place : region.program.output_streams) add_stream(place, call.outputs);
    }
  }

  /// What the product calls and prepares for.
  [[nodiscard]] GemmEpilogue<T> hook() { return {run, this, std::span(streams_).first(stream_count_)}; }

 private:
  static void run(void* self, T* tile, int64_t stride, int64_t row, int64_t col, int64_t rows, int64_t cols) noexcept {
    static_cast<Epilogue*>(self)->run_part(tile, stride, row, col, rows, cols);
  }

  template <class Pointers>
  void add_stream(int place, const Pointers& memory) {
    const FusedPlace& p = region_.program.place(place);
    const auto* const begin = static_cast<const std::byte*>(memory[p.index]);
    const auto end = streams_.begin() + static_cast<std::ptrdiff_t>(stream_count_);
    const auto is_known = [&](const GemmStream& stream) { return stream.begin == begin; };  // written in place
    if (end == streams_.end() || std::any_of(streams_.begin(), end, is_known)) return;
    const auto size = static_cast<int64_t>(p.element_size);
    streams_[stream_count_++] = {begin, region_.columns * size, size};
  }

  // Blocks side by side follow each other. Of blocks on top of each other, with rows a page apart, the loads of one
  // wait for the stores of the other: all that the processor compares at first is where in a page they are.
  void run_part(T* tile, int64_t stride, int64_t row, int64_t col, int64_t rows, int64_t cols) {
    fill_column_operands(row, rows);
    for (int64_t j = 0; j < cols; j += most_groups * width_) {
      const int64_t columns = std::min(most_groups * width_, cols - j), groups = columns / width_;
      fill_operands(col + j, columns);
      for (int64_t i = 0; i < rows;) {
        const int64_t left = rows - i, in_block = std::min(left, rows_per_block_);
        const int64_t whole = left - left % rows_per_block_;
        const int64_t count = columns == width_ && whole > 0 ? whole : in_block;  // a single column: all of it
        const int64_t full = count % rows_per_block_ == 0 ? groups : 0;
        if (full > 0) run_blocks({tile, stride, row, col, j}, i, count, full);
        for (int64_t group = full; group * width_ < columns; ++group) {
          const int64_t at = group * width_;
          run_edge({tile, stride, row, col, j + at}, i, count, std::min(width_, columns - at), group);
        }
        i += count;
      }
    }
    for (const ColumnSum& sum : region_.sums.sums) add_rows(sum, {tile, stride, row, col, 0}, rows, cols);
  }

  struct Part {
    T* tile;
    int64_t stride, row, col;
    int64_t j;  // columns to the left in the tile
  };

  struct Memory {
    std::byte* begin;
    int64_t stride;  // elements
  };

  // Where a place has row `i` of a part.
  Memory memory(int place, const Part& part, int64_t i) const {
    const FusedPlace& p = region_.program.place(place);
    if (place == region_.tile) return {reinterpret_cast<std::byte*>(part.tile + i * part.stride + part.j), part.stride};
    if (p.kind == FusedPlace::Kind::buffer) {
      if (const BesideProduct<T>* const other = region_.beside_at(place)) {
        const int64_t element = (part.row + i - block_.row) * region_.beside_stride + part.col + part.j - block_.col;
        return {scratch_ + other->offset + static_cast<size_t>(element) * sizeof(T), region_.beside_stride};
      }
      std::byte* const strip = strip_of(place);
      if (region_.is_column_operand(place)) return {strip + static_cast<size_t>(i * width_) * p.element_size, width_};
      return {strip + static_cast<size_t>(i * part.stride + part.j) * sizeof(T), part.stride};
    }
    const void* const stream = p.kind == FusedPlace::Kind::input ? call_.inputs[p.index] : call_.outputs[p.index];
    const int64_t element = (part.row + i) * region_.columns + part.col + part.j;
    return {static_cast<std::byte*>(const_cast<void*>(stream)) + static_cast<size_t>(element) * p.element_size,
            region_.columns};
  }

  [[nodiscard]] std::byte* strip_of(int place) const {
    return scratch_ + region_.strip_offsets[static_cast<size_t>(place)];
  }

  void point(int place, Memory at) {
    for (const int cell : region_.program.cells_of[static_cast<size_t>(place)]) {
      frame_.cells()[cell].base = at.begin;
      frame_.cells()[cell].stride = at.stride;
    }
  }

  void point_operands(int64_t group) {
    for (const RowOperand& operand : region_.operands) {
      if (operand.uniform) continue;
      for (const int cell : region_.program.cells_of[static_cast<size_t>(operand.place)])
        frame_.cells()[cell].base = block_of(operand, group);
    }
  }

  void run_blocks(const Part& part, int64_t i, int64_t rows, int64_t groups) {
    for (const int place : region_.places) point(place, memory(place, part, i));
    point_operands(0);
    for (int64_t group = 0; group < groups; ++group) {
      if (group > 0) {
        for (const auto& [cell, bytes] : region_.steps) {
          void*& base = frame_.cells()[cell].base;
          base = static_cast<std::byte*>(base) + bytes;
        }
      }
      region_.program.kernels->run(frame_.cells(), 0, rows, rows_per_block_);
    }
  }

  // A block that is not full: through copies that are.
  void run_edge(const Part& part, int64_t row, int64_t rows, int64_t columns, int64_t group) {
    const auto copy = [&](int place, bool back) {
      const size_t size = region_.program.place(place).element_size;
      const Memory outside = memory(place, part, row);
      std::byte* const block = scratch_ + region_.edge_offsets[static_cast<size_t>(place)];
      for (int64_t i = 0; i < rows; ++i) {
        std::byte* const there = outside.begin + static_cast<size_t>(i * outside.stride) * size;
        std::byte* const here = block + static_cast<size_t>(i * width_) * size;
        std::memcpy(back ? there : here, back ? here : there, static_cast<size_t>(columns) * size);
      }
    };
    for (const int place : region_.places) {
      const FusedPlace::Kind kind = region_.program.place(place).kind;
      if (kind == FusedPlace::Kind::input || region_.is_made(place)) copy(place, false);
      point(place, {scratch_ + region_.edge_offsets[static_cast<size_t>(place)], width_});
    }
    point_operands(group);
    region_.program.kernels->run(frame_.cells(), 0, 1, 1);
    for (const int place : region_.places) {
      const FusedPlace::Kind kind = region_.program.place(place).kind;
      if (kind != FusedPlace::Kind::input && !region_.is_made(place)) copy(place, true);
    }
  }

  [[nodiscard]] std::byte* block_of(const RowOperand& operand, int64_t group) const {
    return scratch_ + operand.offset +
           static_cast<size_t>(group * region_.program.kernels->block) * operand.element_size;
  }

  void fill_column_operands(int64_t row, int64_t rows) {
    if (region_.column_operands.empty() || (row == filled_row_ && rows <= filled_rows_)) return;
    filled_row_ = row;
    filled_rows_ = rows;
    for (const ColumnOperand& operand : region_.column_operands) {
      const void* const from = call_.inputs[operand.input];
      std::byte* const to = strip_of(operand.place);
      if (operand.element_size == sizeof(T)) {
        spread(static_cast<const T*>(from) + row, rows, reinterpret_cast<T*>(to));
      } else {
        spread(static_cast<const std::byte*>(from) + row, rows, to);  // a mask
      }
    }
  }

  template <class E>
  void spread(const E* from, int64_t rows, E* to) const {
    constexpr int64_t vector = 8;  // which width_ is a multiple of, or less
    if (width_ < vector) {
      for (int64_t i = 0; i < rows; ++i, to += width_) std::fill_n(to, width_, from[i]);
      return;
    }
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < width_; j += vector, to += vector) std::fill_n(to, vector, from[i]);
    }
  }

  void fill_operands(int64_t column, int64_t columns) {
    if (column == filled_ && columns <= filled_columns_) return;
    filled_ = column;
    filled_columns_ = columns;
    for (const RowOperand& operand : region_.operands) {
      if (operand.uniform) continue;
      const size_t size = operand.element_size, row_bytes = static_cast<size_t>(width_) * size;
      const auto* from =
          static_cast<const std::byte*>(call_.inputs[operand.input]) + static_cast<size_t>(column) * size;
      for (int64_t group = 0; group * width_ < columns; ++group, from += row_bytes) {
        std::byte* const block = block_of(operand, group);
        const int64_t count = std::min(width_, columns - group * width_);
        std::memcpy(block, from, static_cast<size_t>(count) * size);
        for (int64_t j = count; j < width_; ++j)
          std::memcpy(block + static_cast<size_t>(j) * size, from + static_cast<size_t>(count - 1) * size, size);
        for (int64_t i = 1; i < rows_per_block_; ++i)
          std::memcpy(block + static_cast<size_t>(i) * row_bytes, block, row_bytes);
      }
    }
  }

  void add_rows(const ColumnSum& sum, const Part& part, int64_t rows, int64_t cols) {
    T* const leaves = reinterpret_cast<T*>(static_cast<std::byte*>(call_.shared) + sum.leaves);
    for (int64_t i = 0; i < rows;) {
      const int64_t row = part.row + i, in_leaf = row % reduce_leaf_lines;
      const int64_t count = std::min(reduce_leaf_lines - in_leaf, rows - i);
      const Memory from = memory(sum.place, part, i);
      region_.program.kernels->sum_rows(from.begin, from.stride, count, cols,
                                        leaves + row / reduce_leaf_lines * region_.columns + part.col, in_leaf != 0);
      i += count;
    }
  }

  const ProductRegion<T>& region_;
  const KernelCall& call_;
  std::byte* const scratch_;
  const ProductBlock block_;
  FusedFrame frame_;
  const int64_t rows_per_block_, width_;
  std::array<GemmStream, 8> streams_;  // what comes on top of that is not asked for
  size_t stream_count_ = 0;
  int64_t filled_ = -1, filled_columns_ = 0;   // the columns that the operands' blocks are of
  int64_t filled_row_ = -1, filled_rows_ = 0;  // the rows that the strips of numbers for rows are of
};

template <class T>
ProductMemory<T> memory_of(const ProductRegion<T>& region, const KernelCall& call) {
  return {.a = static_cast<const T*>(call.inputs[region.a]),
          .b = static_cast<const T*>(call.inputs[region.b]),
          .scratch = call.scratch,
          .shared = call.shared,
          .continues = call.continues};
}

template <class T>
void prepare_product(const KernelCall& call) {
  const auto& region = *static_cast<const ProductRegion<T>*>(call.params);
  region.product->prepare(call.chunk, memory_of(region, call));
}

template <class T>
void finish_product(const KernelCall& call) {
  const auto& region = *static_cast<const ProductRegion<T>*>(call.params);
  int last_a = -1;
  for (const BesideProduct<T>& other : region.beside) {
    other.product->finish(call.chunk,
                          {.a = static_cast<const T*>(call.inputs[other.a]),
                           .b = static_cast<const T*>(call.inputs[other.b]),
                           .result = reinterpret_cast<T*>(static_cast<std::byte*>(call.scratch) + other.offset),
                           .block_row = region.beside_stride,
                           .scratch = call.scratch,
                           .shared = call.shared,
                           .scratch_has_a = other.a == last_a});
    last_a = other.a;
  }
  Epilogue<T> epilogue(region, call);
  const GemmEpilogue<T> hook = epilogue.hook();
  region.count_traffic(call);
  ProductMemory<T> memory = memory_of(region, call);
  memory.epilogue = &hook;
  memory.scratch_has_a = region.a == last_a;
  if (region.partial_output >= 0) memory.result = static_cast<T*>(call.outputs[region.partial_output]);
  if (region.partial_offset >= 0)
    memory.result = reinterpret_cast<T*>(static_cast<std::byte*>(call.shared) + region.partial_offset);
  region.product->finish(call.chunk, memory);
}

template <class T>
void combine_sums(const KernelCall& call) {
  const auto& region = *static_cast<const ProductRegion<T>*>(call.params);
  region.sums.combine_chunk(call, region.rows, region.columns, region.columns);
}

template <class T>
KernelPlan plan_region(const KernelRequest& request, const Subgraph& body, const std::vector<const Node*>& products) {
  const Graph& graph = body.graph;
  const Node& product = *products.back();
  const TensorType& type = product.outputs[0];
  const auto sharing = static_cast<int>(products.size());
  FusedBuilder builder(graph, type.dtype, request.isa(), true);

  std::map<int, int> input_of, stream_of;
  const std::vector<Tensor> inputs = graph.inputs();
  for (size_t i = 0; i < inputs.size(); ++i) input_of[inputs[i].node_id()] = static_cast<int>(i);
  std::vector<int> places;
  const auto add_rows_of = [&](FusedPlace place) {
    places.push_back(builder.add_place(place));
    return places.back();
  };
  std::map<int, int> made_at;  // product -> place
  for (const Node* node : products) {
    made_at[node->id] = add_rows_of({FusedPlace::Kind::buffer, 0, sizeof(T)});
    builder.define(node->id, made_at[node->id]);
  }
  std::vector<RowOperand> operands;
  std::vector<ColumnOperand> column_operands;
  std::vector<int> nodes;
  for (int id = 0; id < graph.node_count(); ++id) {
    const Node& node = graph.node(id);
    if (node.op->pointwise != nullptr) {
      nodes.push_back(id);
      for (const Value& value : node.inputs) {
        if (!input_of.contains(value.node) || stream_of.contains(value.node)) continue;
        stream_of[value.node] = add_rows_of(
            {FusedPlace::Kind::input, input_of.at(value.node), size_of(graph.node(value.node).outputs[0].dtype)});
        builder.define(value.node, stream_of[value.node]);
      }
    } else if (node.op == &broadcast_def) {
      const TensorType& from = graph.node(node.inputs[0].node).outputs[0];
      const bool uniform = from.shape.element_count().value() == 1;
      if (!uniform && has_number_for_each_row(from.shape, type.shape)) {
        const size_t size = size_of(from.dtype);
        column_operands.push_back(
            {input_of.at(node.inputs[0].node), add_rows_of({FusedPlace::Kind::buffer, 0, size}), size});
        builder.define(id, column_operands.back().place);
        continue;
      }
      operands.push_back({input_of.at(node.inputs[0].node), builder.add_block(uniform), size_of(from.dtype), uniform});
      builder.define(id, operands.back().place);
    }
  }
  std::vector<std::pair<int, int>> stores;
  std::map<int, int> stored;  // node -> place
  std::vector<int> output_places(body.outputs.size(), -1);
  for (size_t i = 0; i < body.outputs.size(); ++i) {
    const Node& node = graph.node(body.outputs[i].node_id());
    if (node.op->pointwise == nullptr && !made_at.contains(node.id)) continue;
    output_places[i] = add_rows_of({FusedPlace::Kind::output, static_cast<int>(i), size_of(node.outputs[0].dtype)});
    stores.emplace_back(node.id, output_places[i]);
    stored.try_emplace(node.id, output_places[i]);
  }
  std::vector<ColumnSum> sums;
  for (size_t i = 0; i < body.outputs.size(); ++i) {
    if (output_places[i] >= 0) continue;
    const int value = graph.node(body.outputs[i].node_id()).inputs[0].node;
    if (const auto made = made_at.find(value); made != made_at.end()) stored.try_emplace(value, made->second);
    if (!stored.contains(value)) {
      stored[value] = add_rows_of({FusedPlace::Kind::buffer, 0, sizeof(T)});
      stores.emplace_back(value, stored[value]);
    }
    sums.push_back({stored[value], static_cast<int>(i), 0});
  }
  builder.add_segment(nodes, stores, {});

  KernelPlan plan;
  const auto planned = [&](const Node& node) {
    const void* const constant = constant_input(request, input_of.at(node.inputs[1].node));
    return fusible_product<T>({graph, node, request.isa()}, constant, sharing);
  };
  auto last = planned(product);
  if (last->chunks == 0) return plan;
  auto region = std::make_shared<ProductRegion<T>>(std::move(last), builder.finish());
  region->a = input_of.at(product.inputs[0].node);
  region->b = input_of.at(product.inputs[1].node);
  std::set<int> whole = {region->a, region->b};  // inputs that no output may overwrite
  std::set<int> left = {region->a};
  for (const Node* node : std::span(products).first(products.size() - 1)) {
    BesideProduct<T> other{.product = planned(*node),
                           .a = input_of.at(node->inputs[0].node),
                           .b = input_of.at(node->inputs[1].node),
                           .place = made_at[node->id]};
    other.reads_a = left.insert(other.a).second;
    whole.insert({other.a, other.b});
    region->beside.push_back(std::move(other));
  }
  for (const int place : region->program.input_streams)
    region->read_per_element += static_cast<int64_t>(region->program.place(place).element_size);
  for (const int place : region->program.output_streams)
    region->written_per_element += static_cast<int64_t>(region->program.place(place).element_size);
  plan.remark = region->product->remark;
  region->columns = region->product->columns;
  region->rows = region->product->rows;
  constexpr int64_t asked_for = int64_t{2} << 20;
  // What is written is mostly what was read, in place.
  const int64_t per_element = std::max(region->read_per_element, region->written_per_element);
  region->asks_for_streams = region->rows * region->columns * per_element * request.calls() >= asked_for;
  region->tile = made_at[product.id];
  region->places = places;
  region->operands = std::move(operands);
  region->column_operands = std::move(column_operands);

  // An output may take the buffer of an operand that is read in step with it, before it is written.
  for (const auto& [node, place] : stream_of) {
    const int input = input_of.at(node);
    if (whole.contains(input)) continue;
    for (size_t o = 0; o < body.outputs.size(); ++o) {
      if (output_places[o] >= 0 && size_of(graph.node(node).outputs[0].dtype) == size_of(body.outputs[o].dtype()) &&
          builder.last_read(place) <= builder.first_write(output_places[o])) {
        plan.in_place.emplace_back(input, static_cast<int>(o));
      }
    }
  }

  // The product's partial sums: in an output of its dtype, if nothing is read from its memory meanwhile, or in memory
  // of their own.
  plan.shared_bytes = cache_aligned(region->product->shared_bytes);
  const bool needs_partials = region->product->needs_partials;
  for (size_t o = 0; o < body.outputs.size() && needs_partials && region->partial_output < 0; ++o) {
    const bool is_free = std::none_of(plan.in_place.begin(), plan.in_place.end(),
                                      [&](const auto& pair) { return pair.second == static_cast<int>(o); });
    if (output_places[o] >= 0 && body.outputs[o].dtype() == type.dtype && is_free)
      region->partial_output = static_cast<int>(o);
  }
  if (needs_partials && region->partial_output < 0) {
    region->partial_offset = static_cast<int64_t>(plan.shared_bytes);
    plan.shared_bytes += cache_aligned(static_cast<size_t>(region->rows * region->columns) * sizeof(T));
  }
  region->sums = {.sums = std::move(sums), .dtype = type.dtype};
  plan.shared_bytes = region->sums.place_leaves(request, region->rows, region->columns, plan.shared_bytes);

  const FusedProgram& program = region->program;
  region->frame_offset = cache_aligned(region->product->scratch_bytes);
  for (const BesideProduct<T>& other : region->beside)
    region->frame_offset = std::max(region->frame_offset, cache_aligned(other.product->scratch_bytes));
  size_t bytes = region->frame_offset + cache_aligned(region->layout.end);
  region->strip_offsets.resize(program.places.size());
  region->edge_offsets.resize(program.places.size());
  for (const int place : places) {
    region->edge_offsets[static_cast<size_t>(place)] = bytes;
    bytes += cache_aligned(static_cast<size_t>(program.kernels->block) * program.place(place).element_size);
    const bool filled_by_product = region->is_made(place) && !region->is_column_operand(place);
    if (program.place(place).kind == FusedPlace::Kind::buffer && !filled_by_product) {
      region->strip_offsets[static_cast<size_t>(place)] = bytes;
      // A row of a part is a vector at least, of a block two at most.
      bytes += region->is_column_operand(place) ? 2 * largest_part : largest_part;
    }
  }
  const auto block = static_cast<size_t>(program.kernels->block),
             block_rows = static_cast<size_t>(program.kernels->rows_per_block);
  const auto add_steps = [&](int place, size_t step) {
    for (const int cell : program.cells_of[static_cast<size_t>(place)]) region->steps.push_back({cell, step});
  };
  for (const int place : places) {
    if (!region->is_column_operand(place)) add_steps(place, block / block_rows * program.place(place).element_size);
  }
  for (RowOperand& operand : region->operands) {
    if (operand.uniform) continue;
    operand.offset = bytes;
    bytes += cache_aligned(most_groups * block * operand.element_size);
    add_steps(operand.place, block * operand.element_size);
  }
  if (!region->beside.empty()) {
    int64_t most_rows = 0, most_columns = 0;
    for (int64_t chunk = 0; chunk < region->product->chunks; ++chunk) {
      const ProductBlock made = region->product->block(chunk);
      most_rows = std::max(most_rows, made.rows);
      most_columns = std::max(most_columns, made.cols);
    }
    constexpr auto line = static_cast<int64_t>(64 / sizeof(T));
    region->beside_stride = chunk_count(most_columns, line) * line;
    for (BesideProduct<T>& other : region->beside) {
      other.offset = bytes;
      bytes += static_cast<size_t>(most_rows * region->beside_stride) * sizeof(T);
    }
  }
  plan.scratch_bytes = bytes;
  if (region->product->prepare_chunks > 0) plan.steps.push_back({prepare_product<T>, region->product->prepare_chunks});
  plan.steps.push_back({finish_product<T>, region->product->chunks});
  if (!region->sums.sums.empty()) plan.steps.push_back({combine_sums<T>, ColumnSums::chunks(region->columns)});
  plan.nanoseconds = sharing * region->product->nanoseconds +
                     0.05 * program.instructions * static_cast<double>(region->rows * region->columns);
  plan.params = std::move(region);
  return plan;
}

}  // namespace

KernelPlan plan_product_region(const KernelRequest& request, const Subgraph& body) {
  std::vector<const Node*> products;
  for (int id = 0; id < body.graph.node_count(); ++id) {
    const Node& node = body.graph.node(id);
    if (is_fusible_product(body.graph, node)) products.push_back(&node);
  }
  assert(!products.empty() && "a region of a product has one");
  return products[0]->outputs[0].dtype == DType::f64 ? plan_region<double>(request, body, products)
                                                     : plan_region<float>(request, body, products);
}

}  // namespace gradloom::inline v0
