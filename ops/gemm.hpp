// The matrix product C[m, n] = A[m, k] * B[k, n] over strided memory: kernels per instruction set, and how one product
// is cut into blocks for several threads. Plain declarations; the kernels are in gemm_internal.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace gradloom::inline v0 {

/// So few columns are vectors: see gemm_sums_in_lanes().
inline constexpr int64_t kGemmVectors = 4;

/// The only constants that results depend on: k is cut into ceil(k / kGemmChunk) equal chunks, each summed on its own,
/// of whole units but for the last unit (the first chunks a unit longer). So rows of chunks begin at cache lines if
/// those of matrices do.
inline constexpr int64_t kGemmChunk = 512, kGemmChunkUnit = 16;

/// A matrix of the shape of C that an epilogue reads or writes: where element (0, 0) is, and how far the others are.
struct GemmStream {
  const std::byte* begin;
  int64_t row_bytes, element_bytes;
};

/// What is done with finished parts of C while they are in the cache, instead of storing them.
///
/// The parts cover every element once; for each column they come in rising rows, within one call of a kernel. They are
/// at most 16 KiB and begin at multiples of 4 rows and of 2 vectors of columns (AVX-512: of 1).
template <class T>
struct GemmEpilogue {
  /// Element (i, j) of C, row <= i < row + rows and col <= j < col + cols, is at tile[(i - row) * stride + (j - col)].
  /// `tile` is scratch, aligned to 64 bytes; `stride` is a multiple of the lanes of a vector. The whole vectors of each
  /// row may be read and overwritten (lanes from `cols` on hold anything).
  void (*run)(void* context, T* tile, int64_t stride, int64_t row, int64_t col, int64_t rows, int64_t cols) noexcept;
  void* context = nullptr;
  std::span<const GemmStream> streams = {};  ///< their parts are asked for while those of C are computed
};

/// A packed block of an operand that several blocks of a product share, if they are computed one after the other.
struct GemmKept {
  const void* block = nullptr;  ///< where the operand's block begins that is in `room`; null: none
  void* room = nullptr;         ///< 64-byte aligned, for gemm_kept_elements()
  bool flipped = false;         ///< packed for the transposed product: in another form
  bool rowwise = false;         ///< packed for a product that is written row by row: in another form again
};

/// One product. Strides count elements and may be anything, so a transpose is only another pair of strides; it is
/// fastest when every operand has a unit stride in one of its dimensions. C must not overlap A or B.
template <class T>
struct GemmArgs {
  int64_t m, n, k;
  const T* a;
  int64_t a_row, a_col;
  const T* b;
  int64_t b_row, b_col;
  T* c;
  int64_t c_row, c_col;
  /// Sees the values that would have been stored. C then holds nothing but partial sums: its contents end up
  /// unspecified, and for k <= kGemmChunk it is not used and may be null.
  const GemmEpilogue<T>* epilogue = nullptr;
  /// Where this block lies in the whole C; the epilogue's rows and columns count from there.
  int64_t row_offset = 0, col_offset = 0;
  /// Of the whole C: gemm_sums_in_lanes().
  bool sums_in_lanes = false;
  /// Where the block of A, or of B, is packed for others to find, if it is packed; may be null.
  GemmKept *kept_a = nullptr, *kept_b = nullptr;
};

/// Room for a packed block of `lines` rows of A, or columns of B.
[[nodiscard]] constexpr int64_t gemm_kept_elements(int64_t lines, int64_t k) {
  constexpr int64_t most_lanes = 16;
  return (lines + most_lanes - 1) / most_lanes * most_lanes * k + most_lanes;
}

/// Is it the product of a matrix with a few vectors, where the matrix is contiguous along k? It is read fastest in the
/// order in which it lies, a vector of k at a time. Whoever cuts a product into blocks asks this of the whole, and says
/// so in the arguments of each block.
template <class T>
[[nodiscard]] constexpr bool gemm_sums_in_lanes(const GemmArgs<T>& g) {
  constexpr int64_t least = 16;  // rows; fewer, and shorter ones, fit a tile
  return g.k >= 2 * least && ((g.n <= kGemmVectors && g.a_col == 1 && g.m >= least) ||
                              (g.m <= kGemmVectors && g.b_row == 1 && g.n >= least));
}

/// The kernels of one instruction set.
///
/// Every element of C has the same bits whichever way it is reached (block of a larger C, operand strides, packed or
/// in place, matrix or vector): k is cut into chunks of at most kGemmChunk, each chunk is one
/// chain of fused multiply-adds in rising k from 0, and the chunks are added in order. Only k, the instruction set
/// (baseline rounds the product) and the dtype enter, so grids and paths can be retuned without changing a result.
/// With `sums_in_lanes` a chunk is as many chains as two vectors have lanes, element p in chain p mod that (what fills
/// no vector always in the second half); they are then added in pairs half of them apart, a quarter apart, and so on.
/// k = 0 gives zeros; m = 0 or n = 0 does nothing; nan and inf propagate.
struct GemmKernels {
  /// `workspace` is 64-byte aligned and holds at least `workspace_bytes(m, n, k, sizeof(T))`, contents arbitrary.
  void (*f32)(const GemmArgs<float>&, void* workspace) noexcept;
  void (*f64)(const GemmArgs<double>&, void* workspace) noexcept;
  /// Enough for any strides; never shrinks when m, n or k grow, so the largest block of a grid decides.
  size_t (*workspace_bytes)(int64_t m, int64_t n, int64_t k, size_t element_size) noexcept;
};

namespace baseline {
extern const GemmKernels gemm_kernels;
}
namespace avx2 {
extern const GemmKernels gemm_kernels;
}
namespace avx512 {
extern const GemmKernels gemm_kernels;
}

/// How one product is cut: into rows * cols independent blocks of C, and where those are too few to feed the cores,
/// each block into `depths` ranges along k, whose partial sums gemm_combine() then adds.
struct GemmGrid {
  int64_t rows, cols, depths = 1;
  /// The order of blocks: whoever computes neighbours one after the other packs what they share once. That is their
  /// part of B column by column, and of A else.
  bool by_columns = false;

  [[nodiscard]] int64_t blocks() const { return rows * cols; }
  [[nodiscard]] int64_t row_of(int64_t block) const { return by_columns ? block % rows : block / cols; }
  [[nodiscard]] int64_t col_of(int64_t block) const { return by_columns ? block / rows : block % cols; }
};

/// A range of rows, columns or chunks.
struct GemmRange {
  int64_t begin, size;
};

/// The grid for a shape and the form of the operands. It never depends on the number of threads, and has at most 16
/// parts: each packs its operands for itself, so more of them would cost more packing.
[[nodiscard]] GemmGrid gemm_grid(int64_t m, int64_t n, int64_t k, bool transpose_a = false,
                                 bool transpose_b = false) noexcept;

/// Rows of the i-th row of blocks, columns of the j-th column of blocks.
[[nodiscard]] GemmRange gemm_grid_rows(GemmGrid grid, int64_t m, int64_t i) noexcept;
[[nodiscard]] GemmRange gemm_grid_cols(GemmGrid grid, int64_t n, int64_t j) noexcept;

/// The chunks of k of the i-th range, of the gemm_chunks(k) there are.
[[nodiscard]] GemmRange gemm_grid_chunks(GemmGrid grid, int64_t k, int64_t i) noexcept;
[[nodiscard]] int64_t gemm_chunks(int64_t k) noexcept;

/// The columns of A that are in a chunk.
[[nodiscard]] GemmRange gemm_chunk_range(int64_t k, int64_t chunk) noexcept;

/// The product restricted to block (i, j) of the grid.
template <class T>
[[nodiscard]] GemmArgs<T> gemm_block(GemmArgs<T> args, GemmGrid grid, int64_t i, int64_t j) noexcept {
  const GemmRange rows = gemm_grid_rows(grid, args.m, i);
  const GemmRange cols = gemm_grid_cols(grid, args.n, j);
  args.m = rows.size;
  args.n = cols.size;
  args.a += rows.begin * args.a_row;
  args.b += cols.begin * args.b_col;
  if (args.c != nullptr) args.c += rows.begin * args.c_row + cols.begin * args.c_col;
  args.row_offset += rows.begin;
  args.col_offset += cols.begin;
  return args;
}

/// The product restricted to one chunk of k. The result goes to `partials`, which has room for m * n elements of each
/// of the gemm_chunks(k) chunks; the epilogue has to wait for gemm_combine().
template <class T>
[[nodiscard]] GemmArgs<T> gemm_chunk(GemmArgs<T> args, int64_t chunk, T* partials) noexcept {
  const GemmRange range = gemm_chunk_range(args.k, chunk);
  args.k = range.size;
  args.a += range.begin * args.a_col;
  args.b += range.begin * args.b_row;
  args.c = partials + chunk * args.m * args.n;
  args.c_row = args.n;
  args.c_col = 1;
  args.epilogue = nullptr;
  return args;
}

/// Adds the partial sums of all chunks in their order, so with the bits of the undivided product, and stores the result
/// or hands it to the epilogue.
void gemm_combine(const GemmArgs<float>& args, const float* partials) noexcept;
void gemm_combine(const GemmArgs<double>& args, const double* partials) noexcept;

}  // namespace gradloom::inline v0
