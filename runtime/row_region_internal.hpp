// What a region along rows is made of: made by row_planner.cpp, run by row_region.cpp.
#pragma once

#include <gradloom/ops/reduce_table_internal.hpp>
#include <gradloom/runtime/column_sums_internal.hpp>
#include <gradloom/runtime/fused_frame_internal.hpp>
#include <gradloom/runtime/leaf_tree_internal.hpp>
#include <gradloom/runtime/region_internal.hpp>

#include <set>
#include <vector>

namespace gradloom::inline v0 {

/// A number of each row. The numbers of a group of rows lie side by side in `lanes`, as the vector of which one program
/// computes them for all these rows at once; a program along a row finds the one of its row at `uniform`.
struct RowNumber {
  int lanes = 0, uniform = 0;  // places
  size_t element_size = 4;     // in `lanes`
  bool natural = false;        // as in memory, which for masks is not as in registers
};

/// An operand that is no stream: one number for each row, the same in every row, or one number.
struct RowOperand {
  enum class Kind : uint8_t { by_row, by_column, uniform };
  Kind kind = Kind::uniform;
  int input = 0, place = 0;
  size_t element_size = 4;
  size_t offset = 0;  // by_column: of the padded copy in scratch
};

/// The reduction of a row: an accumulator, and the place where the group's results lie.
struct RowReduction {
  FusedReduce reduce = FusedReduce::sum;
  int accumulator = 0, result = 0;  // places
};

/// A cell whose operand is elsewhere for each row: `stride` bytes further from `place` than for the row before it.
struct RowMove {
  int cell = 0, place = 0;
  size_t stride = 0;
};

/// What is computed between two levels of reductions: segment `2 i` of the program once for a group of rows, whose
/// numbers lie side by side, then segment `2 i + 1` along each of them, then the reductions at its end.
struct RowPhase {
  bool computes_once = false;
  size_t first_reduction = 0, last_reduction = 0;
  std::vector<RowMove> stream_moves, group_moves;  // counted from the first row of all, and from the first of the group
  std::vector<RowNumber> spread;                   // those that the program along a row wants as a whole block
};

/// A number of each row that somebody outside reads.
struct RowOutput {
  int place = 0, output = 0;
  size_t element_size = 4;
  size_t stride = 4;  // between the numbers of a group
};

struct RowRegion {
  explicit RowRegion(FusedProgram made) : program(std::move(made)), layout(program) {}

  FusedProgram program;
  FusedFrameLayout layout;
  int64_t rows = 0, length = 0;
  int64_t group = 1;   // rows that go through each phase before the next one begins
  int64_t padded = 0;  // length in whole blocks
  size_t element_size = 4;
  std::vector<RowPhase> phases;
  std::vector<RowOperand> operands;
  std::vector<RowReduction> reductions;  // by phase
  std::set<int> numbers;                 // places of those that the region computes
  std::vector<RowOutput> outputs;
  std::vector<ColumnSum> sums;                    // their places are those of the leaf at hand
  LeafTree leaves;                                // a slot is a row of `padded` elements
  std::vector<std::pair<int, size_t>> buffers;    // places of values that later phases read, offset in scratch
  int64_t read_per_row = 0, written_per_row = 0;  // bytes
};

/// The first step: a chunk of the rows.
void run_rows(const KernelCall& call);
/// The second, if the region sums over its rows: some of the columns.
void combine_row_sums(const KernelCall& call);

}  // namespace gradloom::inline v0
