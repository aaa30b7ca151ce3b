#include <gradloom/graph/node.hpp>
#include <gradloom/ops/pointwise_table.hpp>
#include <gradloom/runtime/fused_builder_internal.hpp>

#include <algorithm>
#include <cassert>
#include <cstring>

namespace gradloom::inline v0 {

namespace {

const FusedKernels& kernels_for(DType lane, Isa isa) {
  const bool f32 = lane == DType::f32;
  switch (isa) {
    case Isa::avx512:
      return f32 ? avx512::fused_f32_kernels : avx512::fused_f64_kernels;
    case Isa::avx2:
      return f32 ? avx2::fused_f32_kernels : avx2::fused_f64_kernels;
    case Isa::baseline:
      break;
  }
  return f32 ? baseline::fused_f32_kernels : baseline::fused_f64_kernels;
}

constexpr size_t block_bytes = 512;  // the largest block: eight vectors of 512 bits
constexpr size_t widest_element = 8;

template <size_t element_size>
void copy_elements(const void* const* from, void* to, int64_t n) {
  std::memcpy(to, from[0], static_cast<size_t>(n) * element_size);
}

PointwiseLoop copy_loop(size_t element_size) {
  return element_size == 8   ? copy_elements<8>
         : element_size == 4 ? copy_elements<4>
         : element_size == 2 ? copy_elements<2>
                             : copy_elements<1>;
}

}  // namespace

FusedBuilder::FusedBuilder(const Graph& body, DType lane, Isa isa, bool rows)
    : body_(body), lane_(lane), isa_(isa), rows_(rows) {
  program_.kernels = &kernels_for(lane, isa);
  homes_.resize(static_cast<size_t>(body.node_count()));
  uses_left_.resize(static_cast<size_t>(body.node_count()));
}

int FusedBuilder::add_place(FusedPlace place) {
  program_.places.push_back(place);
  return static_cast<int>(program_.places.size()) - 1;
}

int FusedBuilder::add_block(bool uniform, bool narrow) {
  // Wide enough for a block of any dtype: a program of f32 may hold values of f64.
  const size_t bytes = static_cast<size_t>(program_.kernels->block) * widest_element;
  const size_t offset = program_.scratch_bytes;
  program_.scratch_bytes += std::max(bytes, block_bytes);
  return add_place({FusedPlace::Kind::block, 0, size_of(lane_), offset, uniform, false, narrow});
}

void FusedBuilder::define(int node, int place) {
  const bool at_once = dtype_of(node) == lane_ && !(rows_ && program_.place(place).kind != FusedPlace::Kind::block);
  home(node) = {at_once ? place : none, place};
}

void FusedBuilder::define_lanes(int node, int place) { home(node) = {place, dtype_of(node) == lane_ ? place : none}; }

// ---- nodes

// Those that run a node in registers; null if it is a call.
const FusedHandlers* FusedBuilder::handlers_of(const Node& node) const {
  const PointwiseKernels* const kernels = node.op->pointwise->isa[static_cast<int>(isa_)];
  const DType last = dtype_of(node.inputs.back().node);
  if (kernels == nullptr || !is_lane_type(last)) return nullptr;
  const FusedHandlers& fused = last == DType::bf16 ? kernels->fused_bf16 : kernels->fused[lane_ == DType::f32 ? 0 : 1];
  return fused.handlers != nullptr && fused.of_masks == (last == DType::boolean) ? &fused : nullptr;
}

bool FusedBuilder::runs_in_registers(const Node& node) const {
  if (handlers_of(node) == nullptr || !is_lane_type(node.outputs[0].dtype)) return false;
  return std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](const Value& value) { return is_lane_type(dtype_of(value.node)); });
}

// An op of a user's own may lack an instruction set; the loops of a lower one serve.
const PointwiseKernels& FusedBuilder::kernels_of(const Node& node) const {
  const size_t dtype = static_cast<size_t>(dtype_of(node.inputs.back().node));
  for (int isa = static_cast<int>(isa_); isa >= 0; --isa) {
    const PointwiseKernels* const kernels = node.op->pointwise->isa[isa];
    if (kernels != nullptr && kernels->loops[dtype] != nullptr) return *kernels;
  }
  assert(false && "the shape rule lets a dtype pass for which there is no kernel");
  return *node.op->pointwise->isa[0];
}

void FusedBuilder::emit_node(const Node& node) {
  ++program_.instructions;
  if (runs_in_registers(node)) {
    emit_in_registers(node);
  } else {
    emit_call(node);
  }
}

void FusedBuilder::emit_in_registers(const Node& node) {
  const int count = static_cast<int>(node.inputs.size());
  const auto input = [&](int i) { return node.inputs[static_cast<size_t>(i)].node; };
  // The input that comes in registers: what is there, unless another one must be loaded first to be of use.
  int chosen = none;
  for (int i = 0; i < count; ++i) {
    if (input(i) != in_registers_ && home(input(i)).lanes == none) {
      if (chosen == none) {
        chosen = i;
      } else if (input(i) != input(chosen)) {
        make_lanes(input(i));
      }
    }
  }
  for (int i = 0; i < count && chosen == none; ++i) {
    if (input(i) == in_registers_) chosen = i;
  }
  // One number is best left in memory: its handlers load it once.
  for (int i = 0; i < count && chosen == none; ++i) {
    if (!program_.place(home(input(i)).lanes).uniform) chosen = i;
  }
  if (chosen == none) chosen = 0;
  const int value = input(chosen);
  for (int i = 0; i < count; ++i) {
    if (i != chosen) make_lanes(input(i));
  }
  if (in_registers_ != value) load(value);
  consume(value);
  spill_if_needed();

  const FusedHandlers& fused = *handlers_of(node);
  bool first = true;
  int uniform = 0, bit = 1;
  for (int i = 0; i < count; ++i) {
    if (i == chosen) continue;
    if (program_.place(home(input(i)).lanes).uniform) uniform |= bit;
    bit *= 2;
  }
  const FusedHandler handler = program_.kernels->op(fused, chosen, uniform, FusedAlong::nothing);
  ops_.push_back({static_cast<int>(program_.cells.size()), std::max(1, count - 1), &fused, {}, chosen, uniform});
  if (count == 1) emit(handler);
  for (int i = 0; i < count; ++i) {
    if (i == chosen) continue;
    emit(first ? handler : nullptr, home(input(i)).lanes, false);
    first = false;
  }
  for (int i = 0; i < count; ++i) {
    if (i != chosen) consume(input(i));
  }
  in_registers_ = node.id;
  emit_stores(node.id);
}

void FusedBuilder::emit_with_product(const Node& node, const Node& product, FusedWithProduct step, int a, int b) {
  program_.instructions += 2;
  consume(in_registers_);
  spill_if_needed();
  const bool uniform = program_.place(home(b).lanes).uniform;
  ops_.push_back({static_cast<int>(program_.cells.size()), 2, nullptr, step, 0, uniform ? 1 : 0});
  emit(program_.kernels->with_product(step, uniform, FusedAlong::nothing), home(a).lanes, false);
  emit(nullptr, home(b).lanes, false);
  consume(a);
  consume(b);
  for (const int id : {product.id, node.id}) {
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), id));
    made_[static_cast<size_t>(id)] = true;
  }
  in_registers_ = node.id;
  emit_stores(node.id);
}

void FusedBuilder::emit_call(const Node& node) {
  for (const Value& value : node.inputs) make_natural(value.node);
  spill_if_needed();
  in_registers_ = none;
  const PointwiseKernels& kernels = kernels_of(node);
  FusedCell& call = emit(program_.kernels->step(FusedStep::call));
  call.base = reinterpret_cast<void*>(kernels.loops[static_cast<size_t>(dtype_of(node.inputs.back().node))]);
  call.moves = static_cast<int64_t>(node.inputs.size());
  for (const Value& value : node.inputs) {
    read_whole(home(value.node).natural);
    emit(nullptr, home(value.node).natural, false).stride = static_cast<int64_t>(size_of(dtype_of(value.node)));
  }
  const DType dtype = node.outputs[0].dtype;
  // The result may take the block of an operand that ends here, unless it would overtake the reads of narrower
  // elements.
  const bool in_step = std::all_of(node.inputs.begin(), node.inputs.end(),
                                   [&](const Value& value) { return size_of(dtype_of(value.node)) == size_of(dtype); });
  const int apart = in_step ? none : take_block();
  for (const Value& value : node.inputs) consume(value.node);
  const int result = in_step ? take_block() : apart;
  emit(nullptr, result, true).stride = static_cast<int64_t>(size_of(dtype));
  home(node.id) = {dtype == lane_ ? result : none, result};
  if (!stores_.contains(node.id)) return;
  if (is_lane_type(dtype)) {
    load(node.id);
    emit_stores(node.id);
    return;
  }
  for (const int place : stores_.at(node.id)) {  // other dtypes never come into registers
    FusedCell& copy = emit(program_.kernels->step(FusedStep::call));
    copy.base = reinterpret_cast<void*>(copy_loop(size_of(dtype)));
    copy.moves = 1;
    emit(nullptr, result, false).stride = static_cast<int64_t>(size_of(dtype));
    emit(nullptr, place, true).stride = static_cast<int64_t>(size_of(dtype));
  }
}

// Stores what is in the registers, the value of `node`, to all places that want it.
void FusedBuilder::emit_stores(int node) {
  const auto wanted = stores_.find(node);
  if (wanted == stores_.end()) return;
  for (const int place : wanted->second) {
    const bool is_block = program_.place(place).kind == FusedPlace::Kind::block;
    store_registers(place, is_block);
    // It can be read back from there: as numbers or lanes from a block, and numbers from contiguous memory too.
    const bool numbers = dtype_of(node) == lane_;
    if (is_block || (numbers && !rows_)) home(node).lanes = place;
    if (!is_block || numbers) home(node).natural = place;
  }
}

void FusedBuilder::consume(int node) {
  int& left = uses_left_[static_cast<size_t>(node)];
  assert(left > 0);
  if (--left > 0 || stores_.contains(node)) return;
  for (const int place : {home(node).lanes, home(node).natural}) {
    if (place != none) free_block(place);
  }
}

// ---- registers and memory

void FusedBuilder::load(int node) {
  spill_if_needed();
  const Home& from = home(node);
  const DType dtype = dtype_of(node);
  if (from.lanes != none) {
    const FusedPlace& place = program_.place(from.lanes);
    emit_step(place.uniform                   ? FusedStep::load_uniform
              : fetches_.contains(from.lanes) ? FusedStep::load_stream
                                              : FusedStep::load,
              from.lanes);
    ask_ahead(from.lanes);
  } else {
    assert(from.natural != none);
    read_whole(from.natural);
    const bool rows = rows_ && program_.place(from.natural).kind != FusedPlace::Kind::block;
    emit_step(dtype == DType::boolean ? (rows ? FusedStep::load_mask_rows : FusedStep::load_mask)
              : dtype == DType::bf16  ? (rows ? FusedStep::load_bf16_rows : FusedStep::load_bf16)
                                      : (rows ? FusedStep::load_rows : FusedStep::load),
              from.natural);
    ask_ahead(from.natural);
  }
  in_registers_ = node;
}

// By the cell just emitted, which loads the stream at `place`.
void FusedBuilder::ask_ahead(int place) {
  const auto fetch = fetches_.find(place);
  if (fetch == fetches_.end()) return;
  program_.cells.back().stride = fetch->second;
  fetches_.erase(fetch);
}

// Before the registers are overwritten: is their value still to be read, and nowhere else?
void FusedBuilder::spill_if_needed() {
  if (in_registers_ == none || uses_left_[static_cast<size_t>(in_registers_)] == 0) return;
  Home& at = home(in_registers_);
  if (at.lanes != none || at.natural != none) return;
  at.lanes = take_block();
  if (dtype_of(in_registers_) == lane_) at.natural = at.lanes;
  store_registers(at.lanes, true);
}

void FusedBuilder::make_lanes(int node) {
  if (home(node).lanes != none) return;
  if (in_registers_ != node) load(node);
  const int block = take_block();
  store_registers(block, true);
  home(node).lanes = block;
}

// As loops read it: numbers in contiguous memory, masks as bytes.
void FusedBuilder::make_natural(int node) {
  Home& at = home(node);
  const bool contiguous = at.natural != none && !(rows_ && program_.place(at.natural).kind != FusedPlace::Kind::block);
  if (contiguous) return;
  if (dtype_of(node) == lane_) {
    make_lanes(node);
    at.natural = at.lanes;
    return;
  }
  assert(is_lane_type(dtype_of(node)) && "over rows, values of other dtypes are no operands");
  if (in_registers_ != node) load(node);
  at.natural = take_block();
  emit_step(dtype_of(node) == DType::boolean ? FusedStep::store_mask : FusedStep::store_bf16, at.natural);
}

void FusedBuilder::store_registers(int place, bool as_lanes) {
  const DType dtype = as_lanes ? lane_ : dtype_of(in_registers_);
  const bool rows = rows_ && program_.place(place).kind != FusedPlace::Kind::block;
  emit_step(dtype == DType::boolean ? (rows ? FusedStep::store_mask_rows : FusedStep::store_mask)
            : dtype == DType::bf16  ? (rows ? FusedStep::store_bf16_rows : FusedStep::store_bf16)
                                    : (rows ? FusedStep::store_rows : FusedStep::store),
            place);
}

int FusedBuilder::take_block() {
  int block = none;
  if (free_blocks_.empty()) {
    block = add_block();
  } else {
    block = free_blocks_.back();
    free_blocks_.pop_back();
  }
  if (std::find(segment_blocks_.begin(), segment_blocks_.end(), block) == segment_blocks_.end())
    segment_blocks_.push_back(block);
  return block;
}

void FusedBuilder::free_block(int place) {
  const bool ours = std::find(segment_blocks_.begin(), segment_blocks_.end(), place) != segment_blocks_.end();
  const bool is_free = std::find(free_blocks_.begin(), free_blocks_.end(), place) != free_blocks_.end();
  if (ours && !is_free) free_blocks_.push_back(place);
}

// ---- cells

FusedCell& FusedBuilder::emit(FusedHandler run) {
  program_.cells.push_back({.run = run});
  return program_.cells.back();
}

FusedCell& FusedBuilder::emit(FusedHandler run, int place, bool writes) {
  assert(place != none);
  const int position = static_cast<int>(program_.cells.size());
  program_.uses.push_back({position, place});
  if (writes) {
    first_write_.try_emplace(place, position);
  } else {
    last_read_[place] = position;
  }
  if (program_.place(place).is_stream()) note_stream(place, writes);
  FusedCell& cell = emit(run);
  cell.moves = program_.place(place).kind == FusedPlace::Kind::block ? 0 : -1;
  return cell;
}

void FusedBuilder::note_stream(int place, bool writes) {
  FusedSegment& segment = program_.segments.back();
  const auto is_in = [place](const std::vector<int>& places) {
    return std::find(places.begin(), places.end(), place) != places.end();
  };
  if (is_in(segment.writes) || (!writes && is_in(segment.reads))) return;
  (writes ? segment.writes : segment.reads).push_back(place);
}

void FusedBuilder::read_whole(int place) { program_.places[static_cast<size_t>(place)].whole = true; }

void FusedBuilder::emit_step(FusedStep step, int place) {
  const bool writes = step >= FusedStep::store;
  emit(program_.kernels->step(step), place, writes);
}

int FusedBuilder::last_read(int place) const {
  const auto found = last_read_.find(place);
  return found == last_read_.end() ? none : found->second;
}

int FusedBuilder::first_write(int place) const {
  const auto found = first_write_.find(place);
  return found == first_write_.end() ? static_cast<int>(program_.cells.size()) : found->second;
}

// A jump costs as much as a cheap op's work, and so does going through a register's value twice. Loads and stores
// beside such an op are done by its handler, which then stands in the first of their cells.
void FusedBuilder::take_neighbours_along(std::vector<FusedCell>& cells, bool part) const {
  const FusedKernels& kernels = *program_.kernels;
  const FusedHandler loading = kernels.step(FusedStep::load), storing = kernels.step(FusedStep::store),
                     adding = kernels.step(FusedStep::add_to);
  const FusedHandler streaming = kernels.step(FusedStep::load_stream);
  const auto run = [&](int cell) -> FusedHandler& { return cells[static_cast<size_t>(cell)].run; };
  for (const OpCell& op : ops_) {
    const bool loads = op.cell > 0 && (run(op.cell - 1) == loading || run(op.cell - 1) == streaming),
               stores = run(op.cell + op.cells) == storing;
    if (op.handlers == nullptr) {
      if (stores) run(op.cell) = kernels.with_product(op.with_product, op.uniform != 0, FusedAlong::store);
      continue;
    }
    const auto along = static_cast<FusedAlong>((loads ? 1 : 0) + (stores ? 2 : 0));
    if (const FusedHandler both = kernels.op(*op.handlers, op.in_registers, op.uniform, along); both != nullptr)
      run(op.cell - (loads ? 1 : 0)) = both;
  }
  for (const ReduceCell& reduce : reduces_) {
    if (reduce.cell > 0 && run(reduce.cell - 1) == loading)
      run(reduce.cell - 1) = kernels.reduce(reduce.reduce, part, FusedAlong::load);
  }
  for (size_t i = 1; i < cells.size(); ++i) {
    if (cells[i].run == adding && (cells[i - 1].run == loading || cells[i - 1].run == streaming))
      cells[i - 1].run = kernels.step(FusedStep::load_add_to);
  }
}

FusedProgram FusedBuilder::finish(std::span<const int> streaming_outputs) {
  program_.cells_of.resize(program_.places.size());
  for (const auto& [cell, place] : program_.uses) program_.cells_of[static_cast<size_t>(place)].push_back(cell);
  for (size_t i = 0; i < program_.places.size(); ++i) {
    if (program_.places[i].kind == FusedPlace::Kind::input) program_.input_streams.push_back(static_cast<int>(i));
    if (program_.places[i].kind == FusedPlace::Kind::output) program_.output_streams.push_back(static_cast<int>(i));
  }
  if (rows_) {
    take_neighbours_along(program_.cells, false);
    return std::move(program_);
  }
  const FusedHandler store = program_.kernels->step(FusedStep::store);
  for (const auto& [cell, place] : program_.uses) {
    FusedHandler& run = program_.cells[static_cast<size_t>(cell)].run;
    if (program_.place(place).narrow && run == store) run = program_.kernels->step(FusedStep::store_uniform);
  }
  program_.tail = program_.cells;
  program_.tail_offsets.resize(program_.places.size());
  for (size_t i = 0; i < program_.places.size(); ++i) {
    if (!program_.places[i].is_stream()) continue;
    program_.tail_offsets[i] = program_.scratch_bytes;
    program_.scratch_bytes += std::max(static_cast<size_t>(program_.kernels->block) * widest_element, block_bytes);
  }
  for (const auto& [cell, place] : program_.uses) {
    if (program_.place(place).is_stream()) program_.tail[static_cast<size_t>(cell)].moves = 0;
  }
  for (const ReduceCell& reduce : reduces_) {
    program_.tail[static_cast<size_t>(reduce.cell)].run =
        program_.kernels->reduce(reduce.reduce, true, FusedAlong::nothing);
    program_.tail_counts.push_back(reduce.cell);
  }
  for (const auto& [cell, place] : program_.uses) {
    const FusedPlace& p = program_.place(place);
    if (p.kind != FusedPlace::Kind::output || program_.cells[static_cast<size_t>(cell)].run != store) continue;
    if (std::find(streaming_outputs.begin(), streaming_outputs.end(), p.index) == streaming_outputs.end()) continue;
    // What is read back is better kept in the caches.
    if (last_read(place) == none) {
      program_.cells[static_cast<size_t>(cell)].run = program_.kernels->step(FusedStep::store_streaming);
      program_.streaming.push_back({cell, place});
    }
  }
  take_neighbours_along(program_.cells, false);
  take_neighbours_along(program_.tail, true);
  return std::move(program_);
}

}  // namespace gradloom::inline v0
