// Runs a region with reductions along its rows. A group of rows goes through all phases while it is in the cache: a
// phase is a fused program along each of them; the reductions at its end make the numbers that the next phase reads.
// While the last numbers of one row are still being made, the processor is already at the next row.
#include <gradloom/runtime/row_region_internal.hpp>

#include <algorithm>
#include <cstring>
#include <span>

namespace gradloom::inline v0 {

namespace {

/// The first step's chunks begin with a leaf of the column sums.
int64_t rows_of_a_unit(const RowRegion& region) { return region.sums.empty() ? 1 : reduce_leaf_lines; }

std::byte* slot_of(const RowRegion& region, const ColumnSum& sum, void* shared, int64_t slot) {
  return static_cast<std::byte*>(shared) + sum.leaves + static_cast<size_t>(slot * region.padded) * region.element_size;
}

class RowRun {
 public:
  RowRun(const RowRegion& region, const KernelCall& call, int64_t begin)
      : region_(region),
        call_(call),
        first_leaf_(begin / reduce_leaf_lines),
        first_slot_(region.sums.empty() ? 0 : region.leaves.first_slot(call.chunk)),
        scratch_(static_cast<std::byte*>(call.scratch)),
        kernels_(*region.program.kernels),
        whole_(region.length / kernels_.block * kernels_.block),
        frame_(region.program, region.layout, call.scratch, {.whole = whole_ > 0, .tail = whole_ < region.length}) {
    for (const int place : region.program.input_streams)
      frame_.set(place, call.inputs[region.program.place(place).index]);
    for (const int place : region.program.output_streams)
      frame_.set(place, call.outputs[region.program.place(place).index]);
    for (const RowOperand& operand : region.operands) {
      const auto* const input = static_cast<const std::byte*>(call.inputs[operand.input]);
      if (operand.kind == RowOperand::Kind::uniform)
        kernels_.fill_block(input, 1, frame_.block(operand.place), operand.element_size);
      if (operand.kind == RowOperand::Kind::by_column) {
        std::memcpy(scratch_ + operand.offset, input, static_cast<size_t>(region.length) * operand.element_size);
        frame_.set(operand.place, scratch_ + operand.offset);
      }
    }
    // In lanes that no row has, functions find a number that they are meant for.
    for (const int place : region.numbers) {
      kernels_.reset(FusedReduce::prod, frame_.block(place));
      kernels_.fill_block(frame_.block(place), 1, frame_.block(place), region.element_size);
    }
    for (const auto& [place, offset] : region.buffers) frame_.set(place, scratch_ + offset);
    frame_.bind();
    frame_.choose_stores(call);
    for (const RowReduction& reduction : region.reductions) {
      Reducing& r = reducing_[reducing_count_++];
      r = {.reduce = reduction.reduce, .accumulator = frame_.block(reduction.accumulator), .result = reduction.result};
      kernels_.reset(r.reduce, r.accumulator);
      std::memcpy(r.identity, r.accumulator, widest_vector);
    }
  }
  ~RowRun() { frame_.finish_stores(); }
  RowRun(const RowRun&) = delete;
  RowRun& operator=(const RowRun&) = delete;

  void run_group(int64_t first, int64_t count) {
    for (const RowOperand& operand : region_.operands) {
      if (operand.kind != RowOperand::Kind::by_row) continue;
      const size_t size = operand.element_size;
      const auto* const numbers =
          static_cast<const std::byte*>(call_.inputs[operand.input]) + static_cast<size_t>(first) * size;
      kernels_.fill_block(numbers, count, frame_.block(operand.place), size);
    }
    if (first % reduce_leaf_lines == 0) begin_leaf();
    int segment = 0;
    for (const RowPhase& phase : region_.phases) {
      if (phase.computes_once) frame_.run_once(segment);
      for (int64_t i = 0; i < count; ++i) {
        begin_row(phase, first + i, i);
        run_along(phase, segment + 1, first + i, i);
      }
      segment += 2;
    }
    for (const RowOutput& output : region_.outputs) write_numbers(output, first, count);
    const int64_t end = first + count;
    if (end % reduce_leaf_lines == 0 || end == region_.rows) end_leaf((end - 1) / reduce_leaf_lines);
  }

 private:
  static constexpr size_t most_levels = 8, widest_vector = 64;

  [[nodiscard]] void* moved(const RowMove& move, int64_t rows) const {
    return static_cast<std::byte*>(const_cast<void*>(frame_.base(move.place))) +
           static_cast<size_t>(rows) * move.stride;
  }

  void begin_row(const RowPhase& phase, int64_t row, int64_t in_group) {
    if (whole_ > 0) {  // else they are all tail, for which blocks stand in
      for (const RowMove& move : phase.stream_moves) frame_.point_stream(move.cell, moved(move, row));
    }
    for (const RowMove& move : phase.group_moves) frame_.point(move.cell, moved(move, in_group));
    for (const RowNumber& number : phase.spread) {
      kernels_.fill_block(frame_.block(number.lanes) + static_cast<size_t>(in_group) * number.element_size, 1,
                          frame_.block(number.uniform), number.element_size);
    }
  }

  void write_numbers(const RowOutput& output, int64_t first, int64_t count) const {
    const std::byte* const numbers = frame_.block(output.place);
    const size_t size = output.element_size;
    std::byte* const to = static_cast<std::byte*>(call_.outputs[output.output]) + static_cast<size_t>(first) * size;
    if (output.stride == size) {
      std::memcpy(to, numbers, static_cast<size_t>(count) * size);
    } else {  // booleans, which are lanes of ones or zeros here
      for (int64_t i = 0; i < count; ++i)
        to[i] = static_cast<std::byte>(numbers[static_cast<size_t>(i) * output.stride] != std::byte{0});
    }
  }

  [[nodiscard]] std::byte* slot(const ColumnSum& sum, int64_t depth) const {
    return slot_of(region_, sum, call_.shared, first_slot_ + depth);
  }

  // Sums over rows go on in the slot on top of the stack.
  void begin_leaf() {
    const size_t bytes = static_cast<size_t>(region_.padded) * region_.element_size;
    for (const ColumnSum& sum : region_.sums) {
      std::byte* const sums = slot(sum, waiting_);
      kernels_.reset(FusedReduce::sum, sums);
      const size_t vector = static_cast<size_t>(kernels_.block / fused_registers) * region_.element_size;
      for (size_t filled = vector; filled < bytes; filled *= 2)
        std::memcpy(sums + filled, sums, std::min(filled, bytes - filled));
      frame_.rebind(sum.place, sums);
    }
  }

  void end_leaf(int64_t leaf) {
    if (region_.sums.empty()) return;
    ++waiting_;
    for (int64_t merges = LeafTree::merges_after(leaf, first_leaf_); merges > 0; --merges) {
      --waiting_;
      for (const ColumnSum& sum : region_.sums)
        kernels_.sum_rows(slot(sum, waiting_), 0, 1, region_.padded, slot(sum, waiting_ - 1), true);
    }
  }

  struct Reducing {
    FusedReduce reduce = FusedReduce::sum;
    std::byte* accumulator = nullptr;
    int result = 0;  // place
    /// Results of leaves that wait for their partner: one for each power of two of leaves, as in a binary counter.
    alignas(8) std::byte waiting[most_levels][8] = {};
    int64_t leaves = 0;
    alignas(64) std::byte identity[widest_vector] = {};
  };

  // Rows longer than a leaf of the reductions' tree are folded leaf by leaf.
  void run_along(const RowPhase& phase, int segment, int64_t row, int64_t in_group) {
    const int64_t end = region_.length;
    const std::span<Reducing> reducing =
        std::span(reducing_).subspan(phase.first_reduction, phase.last_reduction - phase.first_reduction);
    for (int64_t leaf = 0; leaf < end; leaf += reduce_leaf_elements) {
      const int64_t leaf_end = std::min(leaf + reduce_leaf_elements, end);
      for (Reducing& r : reducing) std::memcpy(r.accumulator, r.identity, widest_vector);
      frame_.run(segment, leaf, std::min(leaf_end, whole_));
      if (leaf_end == end && whole_ < end) {
        frame_.run_tail(segment, whole_, end - whole_, [&](int place) {
          return static_cast<size_t>(row * end) * region_.program.place(place).element_size;
        });
      }
      if (end <= reduce_leaf_elements) {
        for (const Reducing& r : reducing) kernels_.fold(r.reduce, r.accumulator, number_of(r, in_group));
      } else {
        for (Reducing& r : reducing) fold_leaf(r);
      }
    }
    if (end > reduce_leaf_elements) {
      for (Reducing& r : reducing) combine_leaves(r, in_group);
    }
  }

  [[nodiscard]] std::byte* number_of(const Reducing& r, int64_t in_group) const {
    return frame_.block(r.result) + static_cast<size_t>(in_group) * region_.element_size;
  }

  void fold_leaf(Reducing& r) const {
    alignas(8) std::byte value[8];
    kernels_.fold(r.reduce, r.accumulator, value);
    size_t level = 0;
    for (; (r.leaves >> level & 1) != 0; ++level) kernels_.merge(r.reduce, r.waiting[level], value, value);
    std::memcpy(r.waiting[level], value, sizeof value);
    ++r.leaves;
  }

  void combine_leaves(Reducing& r, int64_t in_group) const {
    alignas(8) std::byte value[8];
    bool any = false;
    for (size_t level = 0; level < most_levels; ++level) {
      if ((r.leaves >> level & 1) == 0) continue;
      if (any) {
        kernels_.merge(r.reduce, r.waiting[level], value, value);
      } else {
        std::memcpy(value, r.waiting[level], sizeof value);
      }
      any = true;
    }
    r.leaves = 0;
    std::memcpy(number_of(r, in_group), value, region_.element_size);
  }

  const RowRegion& region_;
  const KernelCall& call_;
  const int64_t first_leaf_, first_slot_;  // of the chunk
  std::byte* const scratch_;
  const FusedKernels& kernels_;
  const int64_t whole_;
  FusedFrame frame_;
  Reducing reducing_[most_row_reductions];
  size_t reducing_count_ = 0;
  int64_t waiting_ = 0;  // partial sums on the chunk's stack
};

}  // namespace

void run_rows(const KernelCall& call) {
  const auto& region = *static_cast<const RowRegion*>(call.params);
  const int64_t unit = rows_of_a_unit(region), units = (region.rows + unit - 1) / unit;
  const int64_t begin = chunk_begin(units, call.chunks, call.chunk) * unit,
                end = std::min(chunk_begin(units, call.chunks, call.chunk + 1) * unit, region.rows);
  RowRun run(region, call, begin);
  for (int64_t row = begin; row < end; row += region.group) run.run_group(row, std::min(region.group, end - row));
  call.count((end - begin) * region.read_per_row, (end - begin) * region.written_per_row);
}

void combine_row_sums(const KernelCall& call) {
  const auto& region = *static_cast<const RowRegion*>(call.params);
  const FusedKernels& kernels = *region.program.kernels;
  const int64_t begin = chunk_begin(region.length, call.chunks, call.chunk),
                end = chunk_begin(region.length, call.chunks, call.chunk + 1);
  const size_t before = static_cast<size_t>(begin) * region.element_size,
               bytes = static_cast<size_t>(end - begin) * region.element_size;
  for (const ColumnSum& sum : region.sums) {
    const auto at = [&](int64_t slot) { return slot_of(region, sum, call.shared, slot) + before; };
    for (const auto& [into, from] : region.leaves.merges())
      kernels.sum_rows(at(from), 0, 1, end - begin, at(into), true);
    std::memcpy(static_cast<std::byte*>(call.outputs[sum.output]) + before, at(0), bytes);
  }
  call.count(0, static_cast<int64_t>(region.sums.size() * bytes));
}

}  // namespace gradloom::inline v0
