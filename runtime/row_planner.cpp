// From the body of a region along rows to its kernel: a place for every value, and the nodes of each phase.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/runtime/node_plan_internal.hpp>
#include <gradloom/runtime/row_region_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

namespace gradloom::inline v0 {

namespace {

/// Of processors of today 256 KiB to 2 MiB; what fits need not be asked for.
constexpr size_t cached_bytes = size_t{512} * 1024;
/// Bytes: how far ahead streams are asked for where rows are short, and what a group of rows reads, half of the
/// smallest first-level cache of today.
constexpr int64_t least_ahead = 4096;
constexpr size_t group_bytes = 16384;

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
    choose_phases();
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
        const RowNumber& number = add_number(node.id, false);
        reductions_[static_cast<size_t>(node.id)] = {static_cast<FusedReduce>(node.op->fused_reduce),
                                                     builder_.add_block(), number.lanes};
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
      if (!is_full(node)) add_number(node.id, false);
    } else if (input_of_.contains(from)) {  // a broadcast or an alias of an operand
      const Shape& shape = graph_.node(from).outputs[0].shape;
      operand(node.id, from,
              node.op == &broadcast_def ? kind_of(shape, node.outputs[0].shape) : RowOperand::Kind::by_row);
    } else {  // of a number of each row
      number_of_[node.id] = number_of_.at(from);
    }
    phases_ = std::max(phases_, level(node.id) + 1);
  }

  RowOperand::Kind kind_of(const Shape& from, const Shape& to) const {
    if (from.element_count().value() == 1) return RowOperand::Kind::uniform;
    if (to != space_.shape) return RowOperand::Kind::by_row;
    return repeats_rows(from, space_) ? RowOperand::Kind::by_column : RowOperand::Kind::by_row;
  }

  // `natural`: as it is in memory; else as a lane.
  const RowNumber& add_number(int node, bool natural) {
    const size_t element_size = natural ? size_of_value(node) : size_of(lane_);
    return number_of_[node] = {builder_.add_block(false, true), builder_.add_block(true), element_size, natural};
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
    if (kind == RowOperand::Kind::by_row) {
      made.place = add_number(node, true).lanes;
    } else {
      made.place = kind == RowOperand::Kind::by_column
                       ? builder_.add_place({FusedPlace::Kind::buffer, 0, made.element_size})
                       : builder_.add_block(true);
      builder_.define(node, made.place);
      // One number is the same for all rows.
      if (kind == RowOperand::Kind::uniform) number_of_[node] = {made.place, made.place, made.element_size, true};
    }
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
        const RowNumber& number = number_of_.at(node.id);
        numbers_out_.push_back({number.lanes, static_cast<int>(i), size_of_value(node.id), number.element_size});
      }
    }
    for (const int node : buffered_) {
      buffers_.emplace_back(builder_.add_place({FusedPlace::Kind::buffer, 0, size_of_value(node)}), 0);
      stores_.emplace_back(node, buffers_.back().first);
    }
  }

  // ---- which phases compute what

  /// Is it computed along the row?
  bool runs_along(const Node& node) const { return node.op->pointwise != nullptr && is_full(node); }
  bool is_output(int node) const {
    return std::any_of(body_.outputs.begin(), body_.outputs.end(),
                       [&](const Tensor& output) { return output.node_id() == node; });
  }

  // From consumers to producers: a value along the row is computed where it is read. If several phases read it, it is
  // stored by the first, or computed in each, if that moves fewer bytes to and from the cache.
  void choose_phases() {
    std::vector<std::set<int>> read_in(level_.size());  // by node: phases that read it
    for (int id = 0; id < graph_.node_count(); ++id) {
      const Node& node = graph_.node(id);
      if (!runs_along(node)) continue;
      for (const Value& value : node.inputs) read_in[static_cast<size_t>(value.node)].insert(level(id));
    }
    first_read_.assign(level_.size(), phases_);
    for (int id = graph_.node_count() - 1; id >= 0; --id) {
      const Node& node = graph_.node(id);
      const int read = node.op->pointwise != nullptr ? level(id) : first_read_[static_cast<size_t>(id)];
      for (const Value& value : node.inputs) {
        int& first = first_read_[static_cast<size_t>(value.node)];
        first = std::min(first, read);
      }
    }
    const std::vector<std::set<int>> read_anyway = read_in;
    for (std::set<int>& phases : read_in) phases.clear();
    computed_in_.resize(level_.size());
    for (int id = graph_.node_count() - 1; id >= 0; --id) {
      const Node& node = graph_.node(id);
      std::set<int>& phases = computed_in_[static_cast<size_t>(id)];
      if (node.op->fused_reduce >= 0) {
        const int value = node.inputs[0].node;
        int& phase = reduced_in_[id] = level(value);
        // As late as its readers allow, if the value is there then.
        for (const int later : read_anyway[static_cast<size_t>(value)]) {
          if (later > phase && later < first_read_[static_cast<size_t>(id)]) phase = later;
        }
        read_in[static_cast<size_t>(value)].insert(phase);
      }
      if (!runs_along(node)) continue;
      phases = read_in[static_cast<size_t>(id)];
      if (phases.empty()) phases = {level(id)};
      if (phases.size() > 1) {
        const size_t stored = phases.size() * size_of_value(id), again = bytes_again(node, phases, read_anyway);
        if (is_cheap(node) && !is_output(id) && again < stored) {
          ++again_;
          bytes_again_ += again;
          bytes_spared_ += stored;
        } else {
          phases = {*phases.begin()};
          if (!is_output(id)) buffered_.push_back(id);
        }
      }
      for (const Value& value : node.inputs)
        read_in[static_cast<size_t>(value.node)].insert(phases.begin(), phases.end());
    }
    std::reverse(buffered_.begin(), buffered_.end());
  }

  bool is_cheap(const Node& node) const {
    const PointwiseKernels* const kernels = node.op->pointwise->isa[static_cast<int>(request_.isa())];
    return kernels != nullptr && kernels->cheap;
  }

  // What computing a value again, in all phases but the first, reads that these phases do not read anyway: bytes an
  // element.
  size_t bytes_again(const Node& node, const std::set<int>& phases,
                     const std::vector<std::set<int>>& read_anyway) const {
    size_t again = 0;
    for (const Value& value : node.inputs) {
      const Node& input = graph_.node(value.node);
      if (number_of_.contains(input.id)) continue;
      for (auto phase = std::next(phases.begin()); phase != phases.end(); ++phase) {
        if (!read_anyway[static_cast<size_t>(input.id)].contains(*phase)) again += size_of_value(input.id);
      }
    }
    return again;
  }

  int first_phase_of(int node) const {
    const std::set<int>& phases = computed_in_[static_cast<size_t>(node)];
    return phases.empty() ? level_[static_cast<size_t>(node)] : *phases.begin();
  }

  // Where the next segment finds the numbers that are there in a phase, but for those that it makes.
  void define_numbers(int RowNumber::*place, int phase, const std::vector<int>& made) {
    for (const auto& [node, number] : number_of_) {
      if (level(node) > phase || std::find(made.begin(), made.end(), node) != made.end()) continue;
      if (number.natural) {
        builder_.define(node, number.*place);
      } else {
        builder_.define_lanes(node, number.*place);
      }
    }
  }

  void add_phase(int phase) {
    std::vector<int> once, along;
    std::vector<std::pair<int, int>> stores_once, stores_along;
    for (int id = 0; id < graph_.node_count(); ++id) {
      const Node& node = graph_.node(id);
      if (node.op->pointwise == nullptr) continue;
      if (is_full(node)) {
        if (computed_in_[static_cast<size_t>(id)].contains(phase)) along.push_back(id);
      } else if (level(id) == phase) {
        once.push_back(id);
        stores_once.emplace_back(id, number_of_.at(id).lanes);
      }
    }
    for (const auto& store : stores_) {
      if (first_phase_of(store.first) == phase) stores_along.push_back(store);
    }
    std::vector<FusedReduction> reducing;
    for (const auto& [node, reduction] : reductions_) {
      if (reduced_in_.at(static_cast<int>(node)) == phase) {
        reducing.push_back(
            {graph_.node(static_cast<int>(node)).inputs[0].node, reduction.reduce, reduction.accumulator});
      }
    }
    for (size_t i = 0; i < sums_.size(); ++i) {
      const int value = graph_.node(sum_nodes_[i]).inputs[0].node;
      if (reduced_in_.at(sum_nodes_[i]) == phase) reducing.push_back({value, FusedReduce::sum, sums_[i].place});
    }
    define_numbers(&RowNumber::lanes, phase, once);
    builder_.add_segment(once, stores_once, {});
    define_numbers(&RowNumber::uniform, phase, {});
    builder_.add_segment(along, stores_along, reducing, fetches_in(phase));
    computes_once_.push_back(!once.empty());
  }

  // The last phase that reads a stream asks for it ahead: little by little, among a phase's work, and at least two
  // rows, because the phases before the last take a third of the time and read each row from its beginning.
  std::vector<FusedFetch> fetches_in(int phase) const {
    size_t bytes = 0;
    for (const auto& [node, place] : stream_of_) bytes += size_of_value(node);
    if (bytes * static_cast<size_t>(space_.rows * space_.length) <= cached_bytes) return {};
    std::vector<FusedFetch> fetches;
    for (const auto& [node, place] : stream_of_) {
      if (last_phase_reading(node) != phase) continue;
      const int64_t row = space_.length * static_cast<int64_t>(size_of_value(node));
      fetches.push_back({place, space_.length * std::max<int64_t>(2, (least_ahead + row - 1) / row)});
    }
    return fetches;
  }

  int last_phase_reading(int stream) const {
    int last = 0;
    for (int id = 0; id < graph_.node_count(); ++id) {
      const Node& node = graph_.node(id);
      if (std::none_of(node.inputs.begin(), node.inputs.end(),
                       [&](const Value& value) { return value.node == stream; }))
        continue;
      const std::set<int>& phases = computed_in_[static_cast<size_t>(id)];
      if (!phases.empty()) last = std::max(last, *phases.rbegin());
      if (node.op->fused_reduce >= 0) last = std::max(last, reduced_in_.at(id));
    }
    return last;
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
    region->outputs = numbers_out_;
    for (const auto& [node, number] : number_of_) {
      if (!number.natural) region->numbers.insert(number.lanes);
    }
    region->group = rows_together();
    for (int phase = 0; phase < phases_; ++phase) {
      RowPhase made{computes_once_[static_cast<size_t>(phase)], region->reductions.size(), 0, {}, {}, {}};
      for (const auto& [node, reduction] : reductions_) {
        if (reduced_in_.at(static_cast<int>(node)) == phase) region->reductions.push_back(reduction);
      }
      made.last_reduction = region->reductions.size();
      add_moves(*region, made, static_cast<size_t>(2 * phase + 1));
      region->phases.push_back(std::move(made));
    }
    size_t bytes = region->layout.end;
    const auto take = [&](size_t element_size, int64_t rows = 1) {
      const size_t offset = bytes;
      bytes += cache_aligned(static_cast<size_t>(region->padded * rows) * element_size);
      return offset;
    };
    for (RowOperand& operand : operands_) {
      if (operand.kind == RowOperand::Kind::by_column) operand.offset = take(operand.element_size);
    }
    for (auto& [place, offset] : buffers_) offset = take(region->program.place(place).element_size, region->group);
    region->operands = operands_;
    region->buffers = buffers_;
    region->sums = sums_;

    const int64_t unit = sums_.empty() ? 1 : reduce_leaf_lines, units = (region->rows + unit - 1) / unit;
    plan.steps = {{run_rows, std::min(units, chunks_of(region->rows * region->length))}};
    if (!sums_.empty()) region->leaves = LeafTree(units, plan.steps[0].chunks);
    for (ColumnSum& sum : region->sums) {
      sum.leaves = plan.shared_bytes;
      plan.shared_bytes +=
          cache_aligned(static_cast<size_t>(region->leaves.slots() * region->padded) * region->element_size);
    }
    ChunkShare& share =
        plan.steps[0].share = {.elements = region->rows * region->length, .line = unit * region->length};
    for (const auto& [node, place] : stream_of_) share.add_input(input_of_.at(node));
    for (const RowOperand& operand : operands_) {
      if (operand.kind == RowOperand::Kind::by_row) share.add_input(operand.input);
    }
    for (const RowOperand& operand : operands_) {
      if (operand.kind != RowOperand::Kind::by_row) share.remove_input(operand.input);
    }
    if (!sums_.empty()) plan.steps.push_back({combine_row_sums, ColumnSums::chunks(region->length)});
    plan.scratch_bytes = bytes;
    plan.nanoseconds = static_cast<double>(region->rows) *
                       (100 + static_cast<double>(region->length) *
                                  (0.05 * region->program.instructions +
                                   0.05 * static_cast<double>(stream_of_.size() + body_.outputs.size())));
    plan.remark = fmt::format(
        "{} rows of {} in {} phases; {} values stored in between, {} computed again ({} bytes an element moved instead "
        "of "
        "{})",
        space_.rows, space_.length, phases_, buffered_.size(), again_, bytes_again_, bytes_spared_);
    plan.params = std::move(region);
    return plan;
  }

  // Chunks combine their sums over rows: the larger they are, the fewer are left, but all threads want some.
  int64_t chunks_of(int64_t elements) const {
    constexpr int64_t enough = 32, times = 4;
    const int64_t usual = chunk_count(elements, pointwise_grain);
    return sums_.empty() || usual <= enough ? usual : std::max(enough, chunk_count(elements, times * pointwise_grain));
  }

  // As many as the first-level cache holds beside what is asked for ahead: what a phase has read is there for the next.
  // A vector has a lane for each, and no leaf of sums over rows begins within a group.
  int64_t rows_together() const {
    size_t row = 0;
    for (const auto& [node, place] : stream_of_) row += static_cast<size_t>(space_.length) * size_of_value(node);
    for (const int node : buffered_) row += static_cast<size_t>(space_.length) * size_of_value(node);
    const int64_t most = std::min(reduce_leaf_lines, builder_.lanes());
    int64_t rows = 1;
    while (2 * rows <= most && 2 * static_cast<size_t>(rows) * row <= group_bytes) rows *= 2;
    return rows;
  }

  // What is elsewhere for each row, in the program of a phase along it.
  void add_moves(const RowRegion& region, RowPhase& phase, size_t segment) const {
    const FusedProgram& program = region.program;
    const int begin = program.segments[segment].begin, end = segment + 1 < program.segments.size()
                                                                 ? program.segments[segment + 1].begin
                                                                 : static_cast<int>(program.cells.size());
    const auto add = [&](std::vector<RowMove>& moves, int place, int base, size_t stride) {
      for (const int cell : program.cells_of[static_cast<size_t>(place)]) {
        if (cell >= begin && cell < end) moves.push_back({cell, base, stride});
      }
    };
    const auto bytes = [&](int place, int64_t elements) {
      return static_cast<size_t>(elements) * program.place(place).element_size;
    };
    for (const int place : program.input_streams) add(phase.stream_moves, place, place, bytes(place, region.length));
    for (const int place : program.output_streams) add(phase.stream_moves, place, place, bytes(place, region.length));
    for (const auto& [place, offset] : buffers_) add(phase.group_moves, place, place, bytes(place, region.padded));
    std::set<int> known;  // broadcasts of a number share its places
    for (const auto& [node, number] : number_of_) {
      if (number.lanes == number.uniform || !known.insert(number.uniform).second) continue;
      if (program.place(number.uniform).whole) {
        const std::vector<int>& cells = program.cells_of[static_cast<size_t>(number.uniform)];
        if (std::any_of(cells.begin(), cells.end(), [&](int cell) { return cell >= begin && cell < end; }))
          phase.spread.push_back(number);
      } else {
        add(phase.group_moves, number.uniform, number.lanes, number.element_size);
      }
    }
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
  std::vector<int> level_;                     // by node: after how many reductions, one after the other
  std::map<int, int> input_of_;                // node -> input
  std::map<int, int> stream_of_;               // node -> place
  std::map<int, RowNumber> number_of_;         // by node: a number of each row
  std::map<size_t, RowReduction> reductions_;  // by node
  std::set<int> operands_known_;
  std::vector<RowOperand> operands_;
  std::vector<std::set<int>> computed_in_;  // by node: phases; a value along the row only
  std::vector<int> first_read_;             // by node: the level of the first pointwise node that needs it
  std::map<int, int> reduced_in_;           // reduction -> phase
  std::vector<int> buffered_;               // nodes whose values later phases read
  // Values that later phases compute again, what that moves and what storing them would: bytes an element.
  size_t again_ = 0, bytes_again_ = 0, bytes_spared_ = 0;
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

KernelPlan plan_row_region(const KernelRequest& request, const Subgraph& body) {
  return RowPlanner(request, body).plan();
}

}  // namespace gradloom::inline v0
