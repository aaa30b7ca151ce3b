// Runs a region tile by tile: a tile's intermediate values stay in the first-level cache, and each instruction is a
// call of its op's loop over the tile. Broadcast operands are spread out into a tile first (once per chunk where every
// tile sees the same values), so that every loop walks dense memory. Tiles do not change bits: pointwise loops are
// lane-wise.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/pointwise_table.hpp>
#include <gradloom/ops/strided_copy.hpp>
#include <gradloom/runtime/node_plan_internal.hpp>
#include <gradloom/runtime/region_internal.hpp>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <map>

namespace gradloom::inline v0 {

namespace {

/// Where an instruction's operand lies: a scratch tile, or memory that moves along with the tile.
struct Location {
  enum class Kind : uint8_t { scratch, input, output };
  Kind kind = Kind::scratch;
  int index = 0;      // of the input or output
  size_t offset = 0;  // of the scratch tile, in bytes
  size_t element_size = 4;
};

struct Instruction {
  PointwiseLoop loop = nullptr;
  int inputs[3] = {};  // locations
  int output = 0;
};

/// A broadcast input, spread out into a scratch tile. Strides are in elements of the input, 0 along repeated axes.
struct Spread {
  int input = 0;
  int location = 0;
  size_t element_size = 4;
  std::vector<int64_t> sizes, strides;
  bool same_in_every_tile = false;
};

struct Region {
  int64_t count = 0;  // elements of the iteration space
  int64_t tile = 0;   // elements
  std::vector<Location> locations;
  std::vector<Spread> spreads;
  std::vector<Instruction> instructions;
};

constexpr int64_t largest_tile = 2048;
constexpr size_t tile_budget =
    size_t{24} * 1024;  // bytes of scratch: half of a first-level cache, the rest is for operands

template <class T>
void spread(const Spread& s, const void* from, void* to, int64_t begin, int64_t count) {
  const T* const source = static_cast<const T*>(from);
  T* out = static_cast<T*>(to);
  const size_t inner = s.sizes.size() - 1;
  const int64_t row = s.sizes[inner], stride = s.strides[inner];
  int64_t column = begin % row, index = begin / row;
  while (count > 0) {
    int64_t at = 0, rest = index;
    for (size_t axis = inner; axis-- > 0;) {
      at += rest % s.sizes[axis] * s.strides[axis];
      rest /= s.sizes[axis];
    }
    const int64_t n = std::min(row - column, count);
    const T* const base = source + at + column * stride;
    if (stride == 1) {
      std::memcpy(out, base, static_cast<size_t>(n) * sizeof(T));
    } else {
      for (int64_t i = 0; i < n; ++i) out[i] = base[i * stride];
    }
    out += n;
    count -= n;
    column = 0;
    ++index;
  }
}

void spread(const Spread& s, const void* from, void* to, int64_t begin, int64_t count) {
  switch (s.element_size) {
    case 1:
      return spread<uint8_t>(s, from, to, begin, count);
    case 4:
      return spread<uint32_t>(s, from, to, begin, count);
    default:
      return spread<uint64_t>(s, from, to, begin, count);
  }
}

void run_region(const KernelCall& call) {
  const auto& region = *static_cast<const Region*>(call.params);
  std::byte* const scratch = static_cast<std::byte*>(call.scratch);
  void** const at = static_cast<void**>(call.scratch);  // the first bytes of the scratch: where each location is now
  const int64_t tiles = (region.count + region.tile - 1) / region.tile;
  const int64_t first = chunk_begin(tiles, call.chunks, call.chunk),
                last = chunk_begin(tiles, call.chunks, call.chunk + 1);

  for (size_t i = 0; i < region.locations.size(); ++i) {
    const Location& location = region.locations[i];
    if (location.kind == Location::Kind::scratch) at[i] = scratch + location.offset;
  }
  for (const Spread& s : region.spreads) {
    if (s.same_in_every_tile) spread(s, call.inputs[s.input], at[s.location], 0, std::min(region.tile, region.count));
  }
  for (int64_t tile = first; tile < last; ++tile) {
    const int64_t begin = tile * region.tile, n = std::min(region.tile, region.count - begin);
    for (size_t i = 0; i < region.locations.size(); ++i) {
      const Location& location = region.locations[i];
      const size_t shift = static_cast<size_t>(begin) * location.element_size;
      if (location.kind == Location::Kind::input) {
        // Instructions only read through it; the loops' signature has no room to say so.
        at[i] = const_cast<std::byte*>(static_cast<const std::byte*>(call.inputs[location.index])) + shift;
      } else if (location.kind == Location::Kind::output) {
        at[i] = static_cast<std::byte*>(call.outputs[location.index]) + shift;
      }
    }
    for (const Spread& s : region.spreads) {
      if (!s.same_in_every_tile) spread(s, call.inputs[s.input], at[s.location], begin, n);
    }
    for (const Instruction& instruction : region.instructions) {
      const void* const inputs[3] = {at[instruction.inputs[0]], at[instruction.inputs[1]], at[instruction.inputs[2]]};
      instruction.loop(inputs, at[instruction.output], n);
    }
  }
}

/// Builds the Region of a body: places every value and translates the nodes.
class RegionPlanner {
 public:
  RegionPlanner(const KernelRequest& request, const Subgraph& body)
      : request_(request), graph_(body.graph), outputs_(body.outputs) {}

  KernelPlan plan() {
    const std::vector<int64_t> sizes = outputs_[0].shape().sizes();
    region_->count = outputs_[0].shape().element_count().value();
    find_last_uses();
    place_inputs_and_outputs();
    int64_t row = 1;  // the tile is a multiple of it where it fits, so that a row vector is the same in every tile
    for (int id = 0; id < graph_.node_count(); ++id) {
      const Node& node = graph_.node(id);
      if (node.op->pointwise == nullptr && !is_input(node)) row = std::max(row, add_spread(node, sizes));
    }
    for (int id = 0; id < graph_.node_count(); ++id) {
      const Node& node = graph_.node(id);
      if (node.op->pointwise != nullptr) translate(node);
    }
    return finish(row);
  }

 private:
  void find_last_uses() {
    last_use_.assign(static_cast<size_t>(graph_.node_count()), -1);
    for (int id = 0; id < graph_.node_count(); ++id) {
      for (const Value& value : graph_.node(id).inputs) last_use_[static_cast<size_t>(value.node)] = id;
    }
  }

  int add_location(Location location) {
    region_->locations.push_back(location);
    return static_cast<int>(region_->locations.size()) - 1;
  }

  void place_inputs_and_outputs() {
    const std::vector<Tensor> inputs = graph_.inputs();
    for (size_t i = 0; i < inputs.size(); ++i) {
      input_of_[inputs[i].node_id()] = static_cast<int>(i);
      location_of_[inputs[i].node_id()] =
          add_location({Location::Kind::input, static_cast<int>(i), 0, size_of(inputs[i].dtype())});
    }
    for (size_t i = 0; i < outputs_.size(); ++i) {
      location_of_[outputs_[i].node_id()] =
          add_location({Location::Kind::output, static_cast<int>(i), 0, size_of(outputs_[i].dtype())});
    }
  }

  // A scratch tile of that element size, an old one whose value is no longer needed if there is one.
  int scratch_location(size_t element_size) {
    std::vector<int>& free = free_[element_size];
    if (!free.empty()) {
      const int location = free.back();
      free.pop_back();
      return location;
    }
    scratch_elements_ += element_size;
    return add_location({Location::Kind::scratch, 0, 0, element_size});
  }

  // Returns the length of the row that repeats, if it does.
  int64_t add_spread(const Node& node, const std::vector<int64_t>& sizes) {
    const Node& input = graph_.node(node.inputs[0].node);
    assert(is_input(input) && "a region broadcasts its inputs only");
    const std::vector<int64_t> from = input.outputs[0].shape.sizes();
    const std::vector<int64_t> own = row_major_strides(from);
    Spread s;
    s.input = input_of_.at(input.id);
    s.element_size = size_of(node.outputs[0].dtype);
    s.location = scratch_location(s.element_size);
    for (size_t axis = 0; axis < sizes.size(); ++axis) {
      if (sizes[axis] == 1) continue;
      const size_t missing = sizes.size() - from.size();
      const int64_t stride = axis < missing || from[axis - missing] == 1 ? 0 : own[axis - missing];
      if (!s.sizes.empty() && s.strides.back() == stride * sizes[axis]) {
        s.sizes.back() *= sizes[axis];
        s.strides.back() = stride;
      } else {
        s.sizes.push_back(sizes[axis]);
        s.strides.push_back(stride);
      }
    }
    if (s.sizes.empty()) {
      s.sizes = {1};
      s.strides = {0};
    }
    location_of_[node.id] = s.location;
    pinned_.push_back(s.location);
    // Repeats with the period of all axes after the outermost repeated ones.
    int64_t period = 1;
    size_t first = 0;
    while (first < s.sizes.size() && s.strides[first] == 0) ++first;
    for (size_t axis = first; axis < s.sizes.size(); ++axis) period *= std::max<int64_t>(s.sizes[axis], 1);
    periods_.push_back(period);
    region_->spreads.push_back(std::move(s));
    return period <= largest_tile ? period : 1;
  }

  void translate(const Node& node) {
    Instruction instruction;
    const PointwiseTable& table = *node.op->pointwise;
    const Value last = node.inputs.back();
    const DType dtype = graph_.node(last.node).outputs[0].dtype;
    for (int isa = static_cast<int>(request_.isa()); isa >= 0 && instruction.loop == nullptr; --isa) {
      if (table.isa[isa] != nullptr) instruction.loop = table.isa[isa]->loops[static_cast<size_t>(dtype)];
    }
    assert(instruction.loop != nullptr);
    for (size_t i = 0; i < node.inputs.size(); ++i) instruction.inputs[i] = location_of_.at(node.inputs[i].node);
    for (const Value& value : node.inputs) release(value.node, node.id);
    const auto placed = location_of_.find(node.id);
    if (placed == location_of_.end()) {
      location_of_[node.id] = instruction.output = scratch_location(size_of(node.outputs[0].dtype));
    } else {
      instruction.output = placed->second;
      written_at_[region_->locations[static_cast<size_t>(instruction.output)].index] = node.id;
    }
    region_->instructions.push_back(instruction);
  }

  // Frees the scratch tile of a value whose last reader is `reader`. The reader's own result may take it: loops allow
  // an output that is one of the inputs, and only tiles of one element size are exchanged.
  void release(int node, int reader) {
    if (last_use_[static_cast<size_t>(node)] != reader) return;
    const int location = location_of_.at(node);
    if (region_->locations[static_cast<size_t>(location)].kind != Location::Kind::scratch) return;
    if (std::find(pinned_.begin(), pinned_.end(), location) != pinned_.end()) return;
    std::vector<int>& free = free_[region_->locations[static_cast<size_t>(location)].element_size];
    if (std::find(free.begin(), free.end(), location) == free.end()) free.push_back(location);
  }

  KernelPlan finish(int64_t row) {
    // Tiles are multiples of 64 elements, so that every tile but the last is whole vectors; or of the row.
    int64_t tile = std::clamp<int64_t>(static_cast<int64_t>(tile_budget / std::max<size_t>(scratch_elements_, 4)), 256,
                                       largest_tile);
    tile = std::min(tile / 64 * 64, (std::max<int64_t>(region_->count, 1) + 63) / 64 * 64);
    if (row > 1 && row <= 2 * tile) tile = std::max(tile / row, int64_t{1}) * row;
    region_->tile = tile;
    size_t bytes = (region_->locations.size() * sizeof(void*) + 63) / 64 * 64;
    for (Location& location : region_->locations) {
      if (location.kind != Location::Kind::scratch) continue;
      location.offset = bytes;
      bytes += (static_cast<size_t>(tile) * location.element_size + 63) / 64 * 64;
    }
    for (size_t i = 0; i < region_->spreads.size(); ++i)
      region_->spreads[i].same_in_every_tile = tile % periods_[i] == 0;

    KernelPlan plan;
    const int64_t tiles = (region_->count + tile - 1) / tile;
    if (region_->count > 0) plan.steps = {{run_region, std::min(tiles, chunk_count(region_->count, pointwise_grain))}};
    plan.scratch_bytes = bytes;
    plan.nanoseconds =
        20 + (5.0 + 0.15 * static_cast<double>(region_->count)) * static_cast<double>(region_->instructions.size());
    // An output may take the buffer of an input that is read as a whole tensor, and not after the output was written.
    for (const auto& [node, input] : input_of_) {
      const Node& declared = graph_.node(node);
      if (declared.outputs[0].shape != outputs_[0].shape()) continue;
      for (size_t o = 0; o < outputs_.size(); ++o) {
        if (size_of(declared.outputs[0].dtype) == size_of(outputs_[o].dtype()) &&
            last_use_[static_cast<size_t>(node)] <= written_at_.at(static_cast<int>(o))) {
          plan.in_place.emplace_back(input, static_cast<int>(o));
        }
      }
    }
    plan.params = region_;
    return plan;
  }

  const KernelRequest& request_;
  const Graph& graph_;
  const std::vector<Tensor>& outputs_;
  std::shared_ptr<Region> region_ = std::make_shared<Region>();
  std::vector<int> last_use_;
  std::map<int, int> input_of_;     // body input node -> input
  std::map<int, int> location_of_;  // node -> location
  std::map<int, int> written_at_;   // output -> node
  std::map<size_t, std::vector<int>> free_;
  std::vector<int> pinned_;  // hold spread operands through all tiles
  std::vector<int64_t> periods_;
  size_t scratch_elements_ = 0;  // bytes of one element of every scratch tile
};

std::vector<TensorType> shape(const ShapeContext& context) {
  std::vector<TensorType> types;
  for (const Tensor& output : context.attributes().get<std::shared_ptr<const Subgraph>>("body")->outputs) {
    types.push_back({output.dtype(), output.shape()});
  }
  return types;
}

}  // namespace

const OpDef region_def{
    .name = "region",
    .inputs = {"operand"},
    .variadic = true,
    .rule = "a region's operands fit its body",
    .shape = shape,
    .no_gradient = "regions are made after differentiation",
    .plan = [](const KernelRequest& request) { return RegionPlanner(request, body_of(request.node())).plan(); }};

const Subgraph& body_of(const Node& region) { return *region.attributes.get<std::shared_ptr<const Subgraph>>("body"); }

}  // namespace gradloom::inline v0
