// A region with reductions along its rows: pointwise nodes over [rows, length], reductions of whole rows, what is
// computed from their results, and sums over the rows. A row goes through all phases while it is in the cache: a phase is
// a fused program along the row; the reductions at its end make the numbers that the next phase reads.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/reduce_table_internal.hpp>
#include <gradloom/runtime/fused_frame_internal.hpp>
#include <gradloom/runtime/node_plan_internal.hpp>
#include <gradloom/runtime/region_internal.hpp>
#include <gradloom/runtime/spread_internal.hpp>

#include <algorithm>
#include <cassert>
#include <map>
#include <set>

namespace gradloom::inline v0 {

namespace {

size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

/// An operand that is no stream: one number for each row, the same in every row, or one number.
struct RowOperand {
  enum class Kind : uint8_t { by_row, by_column, uniform };
  Kind kind = Kind::uniform;
  int input = 0, place = 0;
  size_t element_size = 4;
  size_t offset = 0;  // by_column: of the padded copy in scratch
};

/// The reduction of a row: accumulators, then the result in every lane of a block.
struct RowReduction {
  FusedReduce reduce = FusedReduce::sum;
  int accumulators = 0, result = 0;  // places
  int phase = 0;
};

/// A number of each row that somebody outside reads.
struct RowOutput {
  int place = 0, output = 0;
  size_t element_size = 4;
};

struct ColumnSum {
  int place = 0, output = 0;  // of the leaf at hand
  size_t leaves = 0;          // offset in the shared memory: rows of `padded` elements
};

struct RowRegion {
  explicit RowRegion(FusedProgram made) : program(std::move(made)), layout(program) {}

  FusedProgram program;
  FusedFrameLayout layout;
  int64_t rows = 0, length = 0;
  int64_t padded = 0;  // length in whole blocks
  size_t element_size = 4;
  /// Segments 2 p and 2 p + 1 are phase p: what is computed once a row, in a block with the same number in all lanes, and
  /// what is computed along the row.
  int phases = 0;
  std::vector<bool> computes_once;  // by phase
  std::vector<RowOperand> operands;
  std::vector<RowReduction> reductions;
  std::vector<RowOutput> outputs;
  std::vector<ColumnSum> sums;
  std::vector<std::pair<int, size_t>> buffers;  // places of values that later phases read, offset in scratch
  ReduceCombine combine = nullptr;
  int64_t read_per_row = 0, written_per_row = 0;  // bytes
};

class RowRun {
 public:
  RowRun(const RowRegion& region, const KernelCall& call)
      : region_(region),
        call_(call),
        scratch_(static_cast<std::byte*>(call.scratch)),
        kernels_(*region.program.kernels),
        whole_(region.length / kernels_.block * kernels_.block),
        frame_(region.program, region.layout, call.scratch, {.whole = true, .tail = whole_ < region.length}) {
    for (const int place : region.program.input_streams) frame_.set(place, call.inputs[region.program.place(place).index]);
    for (const int place : region.program.output_streams)
      frame_.set(place, call.outputs[region.program.place(place).index]);
    for (const RowOperand& operand : region.operands) {
      const auto* const input = static_cast<const std::byte*>(call.inputs[operand.input]);
      if (operand.kind == RowOperand::Kind::uniform)
        fill_elements(frame_.block(operand.place), input, kernels_.block, operand.element_size);
      if (operand.kind == RowOperand::Kind::by_column)
        std::memcpy(scratch_ + operand.offset, input, static_cast<size_t>(region.length) * operand.element_size);
    }
    frame_.bind();
    frame_.choose_stores(call);
  }
  ~RowRun() { frame_.finish_stores(); }
  RowRun(const RowRun&) = delete;
  RowRun& operator=(const RowRun&) = delete;

  void run(int64_t row) {
    const int64_t begin = row * region_.length;
    const auto before = [&](size_t element_size) { return static_cast<size_t>(begin) * element_size; };
    for (const auto& [place, offset] : region_.buffers) {
      frame_.rebind(place, scratch_ + offset - before(region_.program.place(place).element_size));
    }
    for (const RowOperand& operand : region_.operands) {
      if (operand.kind == RowOperand::Kind::by_row) {
        const auto* const input = static_cast<const std::byte*>(call_.inputs[operand.input]);
        fill_elements(frame_.block(operand.place), input + static_cast<size_t>(row) * operand.element_size,
                      kernels_.block, operand.element_size);
      } else if (operand.kind == RowOperand::Kind::by_column) {
        frame_.rebind(operand.place, scratch_ + operand.offset - before(operand.element_size));
      }
    }
    for (const ColumnSum& sum : region_.sums) {
      std::byte* const leaf = static_cast<std::byte*>(call_.shared) + sum.leaves +
                              static_cast<size_t>(row / reduce_leaf_lines * region_.padded) * region_.element_size;
      if (row % reduce_leaf_lines == 0) {
        for (int64_t at = 0; at < region_.padded; at += kernels_.block)
          kernels_.reset(FusedReduce::sum, leaf + static_cast<size_t>(at) * region_.element_size);
      }
      frame_.rebind(sum.place, leaf - before(region_.element_size));
    }

    if (row + 1 < region_.rows) prefetch(begin + region_.length);
    if (whole_ < region_.length) frame_.load_tail(begin + whole_, region_.length - whole_);
    for (int phase = 0; phase < region_.phases; ++phase) {
      if (region_.computes_once[static_cast<size_t>(phase)]) frame_.run(2 * phase, 0, 1);
      run_along(phase, begin);
    }
    if (whole_ < region_.length) frame_.store_tail(begin + whole_, region_.length - whole_);
    for (const RowOutput& output : region_.outputs) {
      std::memcpy(static_cast<std::byte*>(call_.outputs[output.output]) + static_cast<size_t>(row) * output.element_size,
                  frame_.block(output.place), output.element_size);
    }
  }

 private:
  // The row at element `begin`, of all inputs: memory delivers it while the row before is computed.
  void prefetch(int64_t begin) const {
    constexpr size_t line = 64;
    for (const int place : region_.program.input_streams) {
      const FusedPlace& p = region_.program.place(place);
      const size_t bytes = static_cast<size_t>(region_.length) * p.element_size;
      const auto* const from =
          static_cast<const std::byte*>(call_.inputs[p.index]) + static_cast<size_t>(begin) * p.element_size;
      for (size_t at = 0; at < bytes; at += line) __builtin_prefetch(from + at, 0, 2);
    }
  }

  // Rows longer than a leaf of the reductions' tree are folded leaf by leaf.
  void run_along(int phase, int64_t begin) {
    const int64_t end = begin + region_.length;
    for (int64_t leaf = begin, i = 0; leaf < end; leaf += reduce_leaf_elements, ++i) {
      const int64_t leaf_end = std::min(leaf + reduce_leaf_elements, end);
      for_reductions(phase, [&](const RowReduction& r) { kernels_.reset(r.reduce, frame_.block(r.accumulators)); });
      frame_.run(2 * phase + 1, leaf, std::min(leaf_end, begin + whole_));
      if (leaf_end == end && whole_ < region_.length) frame_.run_tail(2 * phase + 1, begin + whole_);
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
    kernels_.fold(r.reduce, frame_.block(r.accumulators), value);
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
    fill_elements(frame_.block(r.result), value, kernels_.block, region_.element_size);
  }

  const RowRegion& region_;
  const KernelCall& call_;
  std::byte* const scratch_;
  const FusedKernels& kernels_;
  const int64_t whole_;
  FusedFrame frame_;
  Waiting waiting_[most_row_reductions];
};

void run_rows(const KernelCall& call) {
  const auto& region = *static_cast<const RowRegion*>(call.params);
  // Chunks begin with a leaf of the column sums.
  const int64_t unit = region.sums.empty() ? 1 : reduce_leaf_lines, units = (region.rows + unit - 1) / unit;
  const int64_t begin = chunk_begin(units, call.chunks, call.chunk) * unit,
                end = std::min(chunk_begin(units, call.chunks, call.chunk + 1) * unit, region.rows);
  RowRun run(region, call);
  for (int64_t row = begin; row < end; ++row) run.run(row);
  call.count((end - begin) * region.read_per_row, (end - begin) * region.written_per_row);
}

void combine_sums(const KernelCall& call) {
  const auto& region = *static_cast<const RowRegion*>(call.params);
  ReduceParams params;
  params.parts = (region.rows + reduce_leaf_lines - 1) / reduce_leaf_lines;
  params.width = region.padded;
  call.count(0, chunk_size(region.length, call.chunks, call.chunk) *
                    static_cast<int64_t>(region.sums.size() * region.element_size));
  for (const ColumnSum& sum : region.sums) {
    region.combine(params, static_cast<std::byte*>(call.shared) + sum.leaves, call.outputs[sum.output],
                   chunk_begin(region.length, call.chunks, call.chunk),
                   chunk_begin(region.length, call.chunks, call.chunk + 1));
  }
}

/// Places every value of a body and cuts its nodes into phases.
class RowPlanner {
 public:
  RowPlanner(const KernelRequest& request, const Subgraph& body)
      : request_(request),
        body_(body),
        graph_(body.graph),
        space_(row_space(body).value()),
        lane_(lane_type(graph_)),
        builder_(graph_, lane_, request.isa(), false),
        level_(static_cast<size_t>(graph_.node_count())) {}

  KernelPlan plan() {
    const std::vector<Tensor> inputs = graph_.inputs();
    for (size_t i = 0; i < inputs.size(); ++i) input_of_[inputs[i].node_id()] = static_cast<int>(i);
    for (int id = 0; id < graph_.node_count(); ++id) classify(graph_.node(id));
    place_outputs();
    for (int phase = 0; phase < phases_; ++phase) add_phase(phase);
    return finish();
  }

 private:
  size_t size_of_value(int node) const { return size_of(graph_.node(node).outputs[0].dtype); }
  bool is_full(const Node& node) const { return node.outputs[0].shape == space_.shape; }
  int& level(int node) { return level_[static_cast<size_t>(node)]; }

  void classify(const Node& node) {
    if (is_input(node)) return;
    for (const Value& value : node.inputs) level(node.id) = std::max(level(node.id), level(value.node));
    const int from = node.inputs[0].node;
    if (node.op->fused_reduce >= 0) {
      if (input_of_.contains(from)) stream(from);
      if (reduces_rows(node, space_)) {
        RowReduction reduction{static_cast<FusedReduce>(node.op->fused_reduce), builder_.add_block(),
                               builder_.add_block(true), level(from)};
        builder_.define(node.id, reduction.result);
        number_of_[node.id] = reduction.result;
        reductions_[static_cast<size_t>(node.id)] = reduction;
        level(node.id) = level(from) + 1;
      }
    } else if (node.op->pointwise != nullptr) {
      for (const Value& value : node.inputs) {
        if (!input_of_.contains(value.node)) continue;
        if (is_full(node)) {
          stream(value.node);
        } else {
          operand(value.node, value.node, RowOperand::Kind::by_row);
        }
      }
      if (!is_full(node)) number_of_[node.id] = builder_.add_block(true);
    } else if (input_of_.contains(from)) {  // a broadcast or an alias of an operand
      const Shape& shape = graph_.node(from).outputs[0].shape;
      operand(node.id, from, node.op == &broadcast_def ? kind_of(shape, node.outputs[0].shape) : RowOperand::Kind::by_row);
    } else {  // of a number of each row
      const int place = number_of_.at(from);
      number_of_[node.id] = place;
      builder_.define_lanes(node.id, place);
    }
    phases_ = std::max(phases_, level(node.id) + 1);
  }

  RowOperand::Kind kind_of(const Shape& from, const Shape& to) const {
    if (from.element_count().value() == 1) return RowOperand::Kind::uniform;
    if (to != space_.shape) return RowOperand::Kind::by_row;
    return repeats_rows(from, space_) ? RowOperand::Kind::by_column : RowOperand::Kind::by_row;
  }

  void stream(int node) {
    if (!stream_of_.contains(node)) {
      stream_of_[node] = builder_.add_place({FusedPlace::Kind::input, input_of_.at(node), size_of_value(node)});
      builder_.define(node, stream_of_[node]);
    }
  }

  // The value of `node` is that of the body's input `from`.
  void operand(int node, int from, RowOperand::Kind kind) {
    if (!operands_known_.insert(node).second) return;
    RowOperand made{.kind = kind, .input = input_of_.at(from), .element_size = size_of_value(from)};
    made.place = kind == RowOperand::Kind::by_column
                     ? builder_.add_place({FusedPlace::Kind::buffer, 0, made.element_size})
                     : builder_.add_block(true);
    builder_.define(node, made.place);
    if (kind != RowOperand::Kind::by_column) number_of_.try_emplace(node, made.place);
    operands_.push_back(made);
  }

  void place_outputs() {
    output_places_.assign(body_.outputs.size(), -1);
    for (size_t i = 0; i < body_.outputs.size(); ++i) {
      const Node& node = graph_.node(body_.outputs[i].node_id());
      if (node.op->fused_reduce >= 0 && !reductions_.contains(static_cast<size_t>(node.id))) {
        sums_.push_back({builder_.add_place({FusedPlace::Kind::buffer, 0, size_of(lane_)}), static_cast<int>(i), 0});
        sum_nodes_.push_back(node.id);
      } else if (is_full(node)) {
        output_places_[i] = builder_.add_place({FusedPlace::Kind::output, static_cast<int>(i), size_of_value(node.id)});
        stores_.emplace_back(node.id, output_places_[i]);
      } else {
        numbers_out_.push_back({number_of_.at(node.id), static_cast<int>(i), size_of_value(node.id)});
      }
    }
    // Values along the row that a later phase reads.
    for (int id = 0; id < graph_.node_count(); ++id) {
      for (const Value& value : graph_.node(id).inputs) {
        const Node& made = graph_.node(value.node);
        const int reader = reductions_.contains(static_cast<size_t>(id)) ? level(id) - 1 : level(id);
        if (made.op->pointwise == nullptr || !is_full(made) || reader == level(made.id)) continue;
        const bool is_stored = std::any_of(stores_.begin(), stores_.end(),
                                           [&](const auto& store) { return store.first == made.id; });
        if (is_stored) continue;
        buffers_.emplace_back(builder_.add_place({FusedPlace::Kind::buffer, 0, size_of_value(made.id)}), 0);
        stores_.emplace_back(made.id, buffers_.back().first);
      }
    }
  }

  void add_phase(int phase) {
    std::vector<int> once, along;
    std::vector<std::pair<int, int>> stores_once, stores_along;
    for (int id = 0; id < graph_.node_count(); ++id) {
      const Node& node = graph_.node(id);
      if (node.op->pointwise == nullptr || level(id) != phase) continue;
      if (is_full(node)) {
        along.push_back(id);
      } else {
        once.push_back(id);
        stores_once.emplace_back(id, number_of_.at(id));
      }
    }
    for (const auto& store : stores_) {
      if (level(store.first) == phase) stores_along.push_back(store);
    }
    std::vector<FusedReduction> reducing;
    for (const auto& [node, reduction] : reductions_) {
      if (reduction.phase == phase) {
        reducing.push_back({graph_.node(static_cast<int>(node)).inputs[0].node, reduction.reduce, reduction.accumulators});
      }
    }
    for (size_t i = 0; i < sums_.size(); ++i) {
      const int value = graph_.node(sum_nodes_[i]).inputs[0].node;
      if (level(value) == phase) reducing.push_back({value, FusedReduce::sum, sums_[i].place});
    }
    builder_.add_segment(once, stores_once, {});
    builder_.add_segment(along, stores_along, reducing);
    computes_once_.push_back(!once.empty());
  }

  KernelPlan finish() {
    KernelPlan plan;
    for (const auto& [node, place] : stream_of_) {
      for (size_t o = 0; o < body_.outputs.size(); ++o) {
        if (output_places_[o] >= 0 && size_of_value(node) == size_of(body_.outputs[o].dtype()) &&
            builder_.last_read(place) <= builder_.first_write(output_places_[o])) {
          plan.in_place.emplace_back(input_of_.at(node), static_cast<int>(o));
        }
      }
    }
    auto region = std::make_shared<RowRegion>(builder_.finish(streaming_outputs()));
    const int64_t block = region->program.kernels->block;
    for (const int place : region->program.input_streams)
      region->read_per_row += space_.length * static_cast<int64_t>(region->program.place(place).element_size);
    for (const int place : region->program.output_streams)
      region->written_per_row += space_.length * static_cast<int64_t>(region->program.place(place).element_size);
    region->rows = space_.rows;
    region->length = space_.length;
    region->padded = (space_.length + block - 1) / block * block;
    region->element_size = size_of(lane_);
    region->phases = phases_;
    region->computes_once = computes_once_;
    region->outputs = numbers_out_;
    for (const auto& [node, reduction] : reductions_) region->reductions.push_back(reduction);
    size_t bytes = region->layout.end;
    const auto take = [&](size_t element_size) {
      const size_t offset = bytes;
      bytes += aligned(static_cast<size_t>(region->padded) * element_size);
      return offset;
    };
    for (RowOperand& operand : operands_) {
      if (operand.kind == RowOperand::Kind::by_column) operand.offset = take(operand.element_size);
    }
    for (auto& [place, offset] : buffers_) offset = take(region->program.place(place).element_size);
    for (ColumnSum& sum : sums_) {
      sum.leaves = plan.shared_bytes;
      plan.shared_bytes += aligned(static_cast<size_t>((region->rows + reduce_leaf_lines - 1) / reduce_leaf_lines *
                                                       region->padded) * region->element_size);
    }
    region->operands = operands_;
    region->buffers = buffers_;
    region->sums = sums_;
    region->combine = request_.pick(baseline::sum_kernels, avx2::sum_kernels, avx512::sum_kernels)
                          .loops[static_cast<size_t>(lane_)]
                          .combine;

    const int64_t unit = sums_.empty() ? 1 : reduce_leaf_lines, units = (region->rows + unit - 1) / unit;
    plan.steps = {{run_rows, std::min(units, chunk_count(region->rows * region->length, pointwise_grain))}};
    if (!sums_.empty()) plan.steps.push_back({combine_sums, chunk_count(region->length, 2048)});
    plan.scratch_bytes = bytes;
    plan.nanoseconds = static_cast<double>(region->rows) *
                       (100 + static_cast<double>(region->length) *
                                  (0.05 * region->program.instructions +
                                   0.05 * static_cast<double>(stream_of_.size() + body_.outputs.size())));
    plan.params = std::move(region);
    return plan;
  }

  // Storing past the caches needs aligned rows.
  std::vector<int> streaming_outputs() const {
    std::vector<int> outputs;
    for (size_t i = 0; i < body_.outputs.size(); ++i) {
      const size_t element_size = size_of(body_.outputs[i].dtype());
      if (static_cast<size_t>(space_.rows * space_.length) * element_size > streaming_bytes &&
          static_cast<size_t>(space_.length) * element_size % 64 == 0) {
        outputs.push_back(static_cast<int>(i));
      }
    }
    return outputs;
  }

  const KernelRequest& request_;
  const Subgraph& body_;
  const Graph& graph_;
  const RowSpace space_;
  const DType lane_;
  FusedBuilder builder_;
  std::vector<int> level_;          // by node: after how many reductions, one after the other
  std::map<int, int> input_of_;     // node -> input
  std::map<int, int> stream_of_;    // node -> place
  std::map<int, int> number_of_;    // node -> place of the number of each row
  std::map<size_t, RowReduction> reductions_;  // by node
  std::set<int> operands_known_;
  std::vector<RowOperand> operands_;
  std::vector<int> output_places_;
  std::vector<std::pair<int, int>> stores_;  // of values along the row: node, place
  std::vector<std::pair<int, size_t>> buffers_;
  std::vector<RowOutput> numbers_out_;
  std::vector<ColumnSum> sums_;
  std::vector<int> sum_nodes_;
  std::vector<bool> computes_once_;
  int phases_ = 1;
};

}  // namespace

bool repeats_rows(const Shape& from, const RowSpace& space) {
  const Spread spread(from.sizes(), space.shape.sizes(), 4);
  if (space.rows == 1) return spread.strides == std::vector<int64_t>{1};
  return spread.sizes == std::vector<int64_t>{space.rows, space.length} && spread.strides == std::vector<int64_t>{0, 1};
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

std::optional<RowSpace> row_space(const Node& node, const Shape& from) {
  if (node.op->fused_reduce < 0) return {};
  const auto& axes = node.attributes.get<std::vector<int64_t>>("axes");
  const int64_t rank = from.rank(), count = static_cast<int64_t>(axes.size());
  if (count == 0 || axes.back() - axes.front() != count - 1) return {};  // they must be neighbours
  const int64_t all = from.element_count().value(), kept = node.outputs[0].shape.element_count().value();
  if (all == 0) return {};
  if (axes.back() == rank - 1 && count < rank) return RowSpace{from, kept, all / kept, true};
  if (axes.front() == 0 && count < rank && node.op->fused_reduce == static_cast<int>(FusedReduce::sum))
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

KernelPlan plan_row_region(const KernelRequest& request, const Subgraph& body) {
  return RowPlanner(request, body).plan();
}

}  // namespace gradloom::inline v0
