// From pointwise nodes to a fused program: in which order they run, what stays in the registers, what is spilled.
#pragma once

#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/fused_program.hpp>
#include <gradloom/ops/kernel.hpp>

#include <map>
#include <span>
#include <vector>

namespace gradloom::inline v0 {

/// Memory that cells refer to. A kernel fills in where it is before it runs a program.
struct FusedPlace {
  enum class Kind : uint8_t {
    block,   ///< of scratch, one block: a spilled value, a spread operand, accumulators
    input,   ///< of the kernel; the program goes along it
    output,  ///< of the kernel; the program goes along it
    buffer   ///< the kernel's own, padded to whole blocks; the program goes along it
  };
  Kind kind = Kind::block;
  int index = 0;            ///< of the input, output or buffer
  size_t element_size = 4;  ///< of a block too: masks are lanes there
  size_t offset = 0;        ///< of a block in scratch
  bool uniform = false;     ///< of a block: all elements are the same number, and only the first one is read, unless
  bool whole = false;       ///< the program reads them all
  bool narrow = false;      ///< of a block: only its first vector matters

  [[nodiscard]] bool is_stream() const { return kind == Kind::input || kind == Kind::output; }
};

/// Results larger than this are not in the caches when they are read next, so writing need not fetch their lines.
inline constexpr size_t streaming_bytes = size_t{8} << 20;

/// Part of a program that runs on its own.
struct FusedSegment {
  int begin = 0;                   ///< its first cell
  std::vector<int> reads, writes;  ///< streams: those that it reads before it writes them, and those that it writes
};

struct FusedProgram {
  /// Which cell refers to which place.
  struct Use {
    int cell, place;
  };

  const FusedKernels* kernels = nullptr;
  std::vector<FusedPlace> places;
  std::vector<Use> uses;
  std::vector<FusedCell> cells;
  /// The same for a block that is not full: inputs and outputs are blocks of scratch, reductions look at `stride`
  /// elements. Empty in programs over rows.
  std::vector<FusedCell> tail;
  std::vector<int> tail_counts;  ///< cells of `tail` whose stride is the number of elements
  std::vector<Use> streaming;    ///< cells that store past the caches
  std::vector<FusedSegment> segments;
  std::vector<int> input_streams, output_streams;  ///< places
  size_t scratch_bytes = 0;          ///< of all blocks, and in programs with a tail of those that stand in for streams
  std::vector<size_t> tail_offsets;  ///< by place: of the block that stands in for a stream
  std::vector<std::vector<int>> cells_of;  ///< by place: the cells that refer to it
  int instructions = 0;

  [[nodiscard]] const FusedPlace& place(int i) const { return places[static_cast<size_t>(i)]; }
};

/// A reduction in a segment: the value of node `value` is combined with the accumulator at `place`, a block, or summed
/// element for element in a buffer.
struct FusedReduction {
  int value = -1;
  FusedReduce reduce = FusedReduce::sum;
  int place = -1;
};

/// A stream that comes from memory, and is asked for `ahead` elements before a segment reads it.
struct FusedFetch {
  int place = -1;
  int64_t ahead = 0;
};

class FusedBuilder {
 public:
  /// `lane` is f32 or f64: nodes of that dtype and of masks run in registers, others call their loops. `rows`: the
  /// program goes over blocks of rows.
  FusedBuilder(const Graph& body, DType lane, Isa isa, bool rows);

  /// Of a vector.
  [[nodiscard]] int64_t lanes() const { return program_.kernels->block / fused_registers; }

  int add_place(FusedPlace place);
  /// One block of scratch; `uniform`: of one number; `narrow`: only its first vector matters.
  int add_block(bool uniform = false, bool narrow = false);
  /// The value of a body node lies there before any segment runs.
  void define(int node, int place);
  /// The same for a block that holds numbers or masks as lanes.
  void define_lanes(int node, int place);

  /// A segment: runs `nodes` (in topological order), stores values to places (of the value's dtype, a block or a
  /// stream), and reduces. Values that later segments read must be stored.
  void add_segment(std::span<const int> nodes, std::span<const std::pair<int, int>> stores,
                   std::span<const FusedReduction> reductions, std::span<const FusedFetch> fetches = {});

  /// Outputs at these indices are stored past the caches.
  FusedProgram finish(std::span<const int> streaming_outputs = {});

  /// Positions, in the order in which the program touches memory: the last read of a place, the first write to it.
  [[nodiscard]] int last_read(int place) const;
  [[nodiscard]] int first_write(int place) const;

 private:
  static constexpr int none = -1;

  /// Where a value is in memory: as handlers want it (numbers of the lane type, masks and bf16 as lanes), and as loops
  /// do.
  struct Home {
    int lanes = none, natural = none;
  };

  /// Numbers of the lane type are the same in registers and in memory; masks and, as f32, bf16 are not.
  bool is_lane_type(DType dtype) const {
    return dtype == lane_ || dtype == DType::boolean || (dtype == DType::bf16 && lane_ == DType::f32);
  }
  bool is_ready(const Node& node) const;
  static bool reads(const Node& node, int value);
  bool reduce_registers();
  bool go_on();
  bool go_on_with_product();
  void start_anew();
  void emit_waiting(std::vector<int>::iterator node);
  void emit_with_product(const Node& node, const Node& product, FusedWithProduct step, int a, int b);
  int source_of(int node) const;
  const FusedHandlers* handlers_of(const Node& node) const;
  bool runs_in_registers(const Node& node) const;
  const PointwiseKernels& kernels_of(const Node& node) const;
  DType dtype_of(int node) const { return body_.node(node).outputs[0].dtype; }
  Home& home(int node) { return homes_[static_cast<size_t>(node)]; }

  void emit_node(const Node& node);
  void emit_in_registers(const Node& node);
  void emit_call(const Node& node);
  void emit_stores(int node);
  void consume(int node);

  void load(int node);
  void ask_ahead(int place);
  void spill_if_needed();
  void make_lanes(int node);
  void make_natural(int node);
  void store_registers(int place, bool as_lanes);
  int take_block();
  void free_block(int place);

  FusedCell& emit(FusedHandler run);
  FusedCell& emit(FusedHandler run, int place, bool writes);
  void emit_step(FusedStep step, int place);
  void note_stream(int place, bool writes);
  void read_whole(int place);
  void take_neighbours_along(std::vector<FusedCell>& cells, bool part) const;

  const Graph& body_;
  const DType lane_;
  const Isa isa_;
  const bool rows_;
  FusedProgram program_;
  std::vector<Home> homes_;
  std::vector<int> uses_left_;  // in this segment
  std::vector<int> free_blocks_, segment_blocks_;
  // Of this segment: by node, whether its value exists; nodes and reductions still to come.
  std::vector<bool> made_;
  std::vector<int> waiting_;
  std::vector<FusedReduction> reducing_;
  std::map<int, std::vector<int>> stores_;  // by node
  std::map<int, int64_t> fetches_;          // by place, until a cell does it
  struct ReduceCell {
    int cell;
    FusedReduce reduce;
  };
  std::vector<ReduceCell> reduces_;
  struct OpCell {
    int cell, cells;
    const FusedHandlers* handlers;  // null: with_product
    FusedWithProduct with_product;
    int in_registers, uniform;
  };
  std::vector<OpCell> ops_;
  std::map<int, int> last_read_, first_write_;  // by place
  int in_registers_ = none;
};

}  // namespace gradloom::inline v0
