// Fused programs: chains of pointwise ops that run over a block of values held in vector registers. This is the form
// they are run in, and the kernels of each instruction set; fused_internal.hpp has the handlers.
//
// A program is a list of cells. Most cells are instructions: a handler applies one op to the block in the registers and
// jumps to the handler of the next cell, so nothing is interpreted per element and no code is generated. A handler's
// memory operand is in its own cell; handlers with more operands take the cells that follow.
#pragma once

#include <gradloom/ops/pointwise_table.hpp>

#include <cstddef>
#include <cstdint>

namespace gradloom::inline v0 {

/// A handler of any instruction set; only code of that set knows its real type.
using FusedHandler = void (*)();

struct FusedCell {
  FusedHandler run = nullptr;
  void* base = nullptr;  ///< the memory operand; filled in where the program runs
  int64_t moves = 0;     ///< -1: the operand moves along with the block; 0: every block finds it at `base`
  int64_t stride = 0;    ///< between rows, for handlers that take a block of rows; else a number the handler wants
};

/// Handlers that belong to no op. `*_rows` ones move a block of `rows_per_block` rows, `stride` elements apart; the
/// others contiguous elements. Masks lie in memory as the bytes 0 and 1, but in scratch as lanes, all ones or zeros;
/// bf16 lies in memory as such, but in registers and scratch as f32.
enum class FusedStep : uint8_t {
  load,
  load_stream,   ///< and fetches what is `stride` elements further
  fetch,         ///< fetches it, and leaves the registers as they are
  load_uniform,  ///< one number
  load_mask,
  load_rows,
  load_mask_rows,
  load_bf16,  ///< in programs of f32
  load_bf16_rows,
  store,
  store_mask,
  store_rows,
  store_mask_rows,
  store_bf16,
  store_bf16_rows,
  store_uniform,    ///< what is the same in all lanes: one vector of it
  store_streaming,  ///< past the caches; `base` is aligned to a vector
  add_to,           ///< what is in memory, of the lane type
  load_add_to,      ///< a load and an add_to, from the load's cell
  call,             ///< of a PointwiseLoop on memory: see fused_call_cells
  end
};

/// What a FusedStep::call finds in its cell and those behind it: `base` the loop, `moves` how many inputs; then a cell
/// for each input and one for the output, whose `stride` is the size of an element.
inline constexpr int fused_call_cells = 2;  // besides the inputs

/// What a handler does besides its own cell's work, as bits: the load before it, the store after it, of a block as
/// FusedStep::load (or load_stream) and store move it. Its run then stands in the first of those cells.
enum class FusedAlong : uint8_t { nothing = 0, load = 1, store = 2, both = 3 };

enum class FusedReduce : uint8_t { sum, prod, max, min };

/// What a handler does to the block x in the registers and the product p of two operands in memory, rounded as if it
/// were stored: a value less to make, spill and load.
enum class FusedWithProduct : uint8_t { add, subtract, subtract_from, multiply };  // x + p, x - p, p - x, x * p

/// Vectors of a block.
inline constexpr int fused_registers = 8;

/// The kernels for programs of one lane type, f32 or f64.
struct FusedKernels {
  int64_t block = 0;           ///< elements in the registers
  int64_t rows_per_block = 0;  ///< a block of rows is that high; all its columns are one or two vectors
  FusedHandler (*step)(FusedStep step) noexcept = nullptr;
  /// The handler of an op for its i-th input in the registers and all others in memory, of which those whose bit is set
  /// in `uniform` (the first of them is bit 0) are one number: only the first element of their block is read. Null if
  /// the op has none that takes those neighbours along.
  FusedHandler (*op)(const FusedHandlers& handlers, int in_registers, int uniform, FusedAlong along) noexcept = nullptr;
  /// The same with a product, the first of whose factors is a block, the second a block or one number, in a cell of its
  /// own; `along`: nothing or store.
  FusedHandler (*with_product)(FusedWithProduct step, bool uniform, FusedAlong along) noexcept = nullptr;
  /// Combines the block with an accumulator, a vector; `part`: only the first `stride` elements of the block; `along`:
  /// nothing or load.
  FusedHandler (*reduce)(FusedReduce reduce, bool part, FusedAlong along) noexcept = nullptr;
  /// Runs the program at begin, begin + step, ... below end.
  void (*run)(const FusedCell* program, int64_t begin, int64_t end, int64_t step) noexcept = nullptr;
  /// Sets an accumulator to what changes nothing.
  void (*reset)(FusedReduce reduce, void* accumulator) noexcept = nullptr;
  /// Combines the lanes of an accumulator to one element.
  void (*fold)(FusedReduce reduce, const void* accumulator, void* result) noexcept = nullptr;
  /// sums[j] = from[0][j] + from[1][j] + ..., from the first of `rows` >= 1 rows to the last; `add`: after what is in
  /// sums[j]. The order of a leaf of column sums: see reduce_loop_internal.hpp.
  void (*sum_rows)(const void* from, int64_t stride, int64_t rows, int64_t columns, void* sums,
                   bool add) noexcept = nullptr;
  /// `block` elements to `to`: the first `count` >= 1 come from memory, the others repeat the last of them, a value
  /// the functions are meant for, so that they take no slow path. Elements have 1, 2, 4 or 8 bytes.
  void (*fill_block)(const void* from, int64_t count, void* to, size_t element_size) noexcept = nullptr;
  /// result = a op b, one element each.
  void (*merge)(FusedReduce reduce, const void* a, const void* b, void* result) noexcept = nullptr;
};

namespace baseline {
extern const FusedKernels fused_f32_kernels, fused_f64_kernels;
}
namespace avx2 {
extern const FusedKernels fused_f32_kernels, fused_f64_kernels;
}
namespace avx512 {
extern const FusedKernels fused_f32_kernels, fused_f64_kernels;
}

}  // namespace gradloom::inline v0
