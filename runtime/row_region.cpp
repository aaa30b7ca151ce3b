// Runs a region with reductions along its rows. A row goes through all phases while it is in the cache: a phase is a
// fused program along the row; the reductions at its end make the numbers that the next phase reads.
#include <gradloom/runtime/row_region_internal.hpp>
#include <gradloom/runtime/spread_internal.hpp>

#include <algorithm>
#include <cstring>

namespace gradloom::inline v0 {

namespace {

class RowRun {
 public:
  RowRun(const RowRegion& region, const KernelCall& call)
      : region_(region),
        call_(call),
        scratch_(static_cast<std::byte*>(call.scratch)),
        kernels_(*region.program.kernels),
        whole_(region.length / kernels_.block * kernels_.block),
        frame_(region.program, region.layout, call.scratch, {.whole = true, .tail = whole_ < region.length}) {
    for (const int place : region.program.input_streams)
      frame_.set(place, call.inputs[region.program.place(place).index]);
    for (const int place : region.program.output_streams)
      frame_.set(place, call.outputs[region.program.place(place).index]);
    for (const RowOperand& operand : region.operands) {
      const auto* const input = static_cast<const std::byte*>(call.inputs[operand.input]);
      if (operand.kind == RowOperand::Kind::uniform) set_number(operand.place, input, operand.element_size);
      if (operand.kind == RowOperand::Kind::by_column) {
        std::memcpy(scratch_ + operand.offset, input, static_cast<size_t>(region.length) * operand.element_size);
        frame_.set(operand.place, scratch_ + operand.offset);
      }
    }
    for (const auto& [place, offset] : region.buffers) frame_.set(place, scratch_ + offset);
    frame_.bind();
    frame_.choose_stores(call);
    for (const int place : region.program.input_streams)
      next_bytes_ += static_cast<size_t>(region.length) * region.program.place(place).element_size;
    pieces_ = region.phases * ((region.length + piece - 1) / piece);
  }
  ~RowRun() { frame_.finish_stores(); }
  RowRun(const RowRun&) = delete;
  RowRun& operator=(const RowRun&) = delete;

  void run(int64_t row) {
    const auto at_row = [&](const void* base, size_t element_size) {
      return static_cast<std::byte*>(const_cast<void*>(base)) +
             static_cast<size_t>(row * region_.length) * element_size;
    };
    for (const int place : region_.program.input_streams) {
      const FusedPlace& p = region_.program.place(place);
      frame_.rebind(place, at_row(call_.inputs[p.index], p.element_size));
    }
    for (const int place : region_.program.output_streams) {
      const FusedPlace& p = region_.program.place(place);
      frame_.rebind(place, at_row(call_.outputs[p.index], p.element_size));
    }
    for (const RowOperand& operand : region_.operands) {
      if (operand.kind != RowOperand::Kind::by_row) continue;
      set_number(
          operand.place,
          static_cast<const std::byte*>(call_.inputs[operand.input]) + static_cast<size_t>(row) * operand.element_size,
          operand.element_size);
    }
    if (row % reduce_leaf_lines == 0) begin_leaves(row / reduce_leaf_lines);

    next_ = row + 1 < region_.rows ? 0 : region_.program.input_streams.size();
    next_at_ = 0;
    if (whole_ < region_.length) frame_.load_tail(whole_, region_.length - whole_);
    for (int phase = 0; phase < region_.phases; ++phase) {
      if (region_.computes_once[static_cast<size_t>(phase)]) frame_.run(2 * phase, 0, 1);
      run_along(phase);
    }
    if (whole_ < region_.length) frame_.store_tail(whole_, region_.length - whole_);
    for (const RowOutput& output : region_.outputs) {
      std::memcpy(
          static_cast<std::byte*>(call_.outputs[output.output]) + static_cast<size_t>(row) * output.element_size,
          frame_.block(output.place), output.element_size);
    }
  }

 private:
  /// Elements of a row between two requests to memory.
  static constexpr int64_t piece = 256;

  void set_number(int place, const void* from, size_t element_size) {
    fill_elements(frame_.block(place), from, region_.program.place(place).whole ? kernels_.block : 1, element_size);
  }

  // Sums over rows go on in the row of partial sums that the leaf has.
  void begin_leaves(int64_t leaf) {
    for (const ColumnSum& sum : region_.sums.sums) {
      std::byte* const sums = static_cast<std::byte*>(call_.shared) + sum.leaves +
                              static_cast<size_t>(leaf * region_.padded) * region_.element_size;
      const int64_t step = kernels_.block / fused_registers;
      for (int64_t at = 0; at < region_.padded; at += step)
        kernels_.reset(FusedReduce::sum, sums + static_cast<size_t>(at) * region_.element_size);
      frame_.rebind(sum.place, sums);
    }
  }

  // A part of the next row of all inputs: memory delivers it while this row is computed.
  void prefetch() {
    constexpr size_t line = 64;
    const auto& streams = region_.program.input_streams;
    for (size_t left = next_bytes_ / static_cast<size_t>(pieces_) + line; left >= line && next_ < streams.size();) {
      const FusedPlace& p = region_.program.place(streams[next_]);
      const size_t bytes = static_cast<size_t>(region_.length) * p.element_size;
      const auto* const row = static_cast<const std::byte*>(frame_.base(streams[next_])) + bytes;
      for (; next_at_ < bytes && left >= line; next_at_ += line, left -= line) __builtin_prefetch(row + next_at_, 0, 2);
      if (next_at_ < bytes) return;
      ++next_;
      next_at_ = 0;
    }
  }

  // Rows longer than a leaf of the reductions' tree are folded leaf by leaf.
  void run_along(int phase) {
    const int64_t end = region_.length;
    for (int64_t leaf = 0, i = 0; leaf < end; leaf += reduce_leaf_elements, ++i) {
      const int64_t leaf_end = std::min(leaf + reduce_leaf_elements, end);
      for_reductions(phase, [&](const RowReduction& r) { kernels_.reset(r.reduce, frame_.block(r.accumulator)); });
      for (int64_t at = leaf; at < leaf_end; at += piece) {
        prefetch();
        frame_.run(2 * phase + 1, at, std::min({at + piece, leaf_end, whole_}));
      }
      if (leaf_end == end && whole_ < end) frame_.run_tail(2 * phase + 1, whole_);
      for_reductions(phase, [&](const RowReduction& r) { fold_leaf(r, i); });
    }
    for_reductions(phase, [&](const RowReduction& r) { finish(r); });
  }

  template <class Use>
  void for_reductions(int phase, Use use) const {
    for (const RowReduction& reduction : region_.reductions) {
      if (reduction.phase == phase) use(reduction);
    }
  }

  // Results of leaves that wait for their partner: one for each power of two of leaves, as in a binary counter.
  static constexpr size_t most_levels = 8;
  struct Waiting {
    alignas(8) std::byte values[most_levels][8];
    int64_t leaves = 0;
  };

  Waiting& waiting(const RowReduction& r) { return waiting_[static_cast<size_t>(&r - region_.reductions.data())]; }

  void fold_leaf(const RowReduction& r, int64_t leaf) {
    Waiting& w = waiting(r);
    if (leaf == 0) w.leaves = 0;
    alignas(8) std::byte value[8];
    kernels_.fold(r.reduce, frame_.block(r.accumulator), value);
    size_t level = 0;
    for (; (w.leaves >> level & 1) != 0; ++level) kernels_.merge(r.reduce, w.values[level], value, value);
    std::memcpy(w.values[level], value, sizeof value);
    ++w.leaves;
  }

  void finish(const RowReduction& r) {
    Waiting& w = waiting(r);
    alignas(8) std::byte value[8];
    bool any = false;
    for (size_t level = 0; level < most_levels; ++level) {
      if ((w.leaves >> level & 1) == 0) continue;
      if (any) {
        kernels_.merge(r.reduce, w.values[level], value, value);
      } else {
        std::memcpy(value, w.values[level], sizeof value);
      }
      any = true;
    }
    set_number(r.result, value, region_.element_size);
  }

  const RowRegion& region_;
  const KernelCall& call_;
  std::byte* const scratch_;
  const FusedKernels& kernels_;
  const int64_t whole_;
  FusedFrame frame_;
  size_t next_bytes_ = 0, next_ = 0, next_at_ = 0;  // of the next row: all inputs' bytes, which input, where in it
  int64_t pieces_ = 1;                              // of a row's work
  Waiting waiting_[most_row_reductions];
};

}  // namespace

void run_rows(const KernelCall& call) {
  const auto& region = *static_cast<const RowRegion*>(call.params);
  // Chunks begin with a leaf of the column sums.
  const int64_t unit = region.sums.sums.empty() ? 1 : reduce_leaf_lines, units = (region.rows + unit - 1) / unit;
  const int64_t begin = chunk_begin(units, call.chunks, call.chunk) * unit,
                end = std::min(chunk_begin(units, call.chunks, call.chunk + 1) * unit, region.rows);
  RowRun run(region, call);
  for (int64_t row = begin; row < end; ++row) run.run(row);
  call.count((end - begin) * region.read_per_row, (end - begin) * region.written_per_row);
}

void combine_row_sums(const KernelCall& call) {
  const auto& region = *static_cast<const RowRegion*>(call.params);
  region.sums.combine_chunk(call, region.rows, region.length, region.padded);
}

}  // namespace gradloom::inline v0
