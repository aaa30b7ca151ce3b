// How a matmul node is cut into products and chunks.
#pragma once

#include <gradloom/ops/fusible_product_internal.hpp>
#include <gradloom/ops/gemm.hpp>
#include <gradloom/ops/kernel.hpp>

#include <cstddef>
#include <new>
#include <vector>

namespace gradloom::inline v0 {

/// One batch axis: how far each operand moves from one product to the next; 0 where it is stretched.
struct BatchAxis {
  int64_t size, a_stride, b_stride;
};

template <class T>
using Multiply = void (*)(const GemmArgs<T>&, void* workspace) noexcept;

/// All products of a node. A chunk is a group of small products or a block of a large one.
template <class T>
struct Products {
  GemmArgs<T> args{};  // without the pointers
  Multiply<T> multiply = nullptr;
  std::vector<BatchAxis> batch;  // outermost first
  int64_t count = 1;
  int64_t groups = 1;  // 0: there is nothing to do
  GemmGrid grid{1, 1};
  /// Where scratch has a GemmKept and its room, for the operand that neighbouring blocks share; 0: nowhere.
  size_t kept_offset = 0;
  size_t scratch_bytes = 0;
  double nanoseconds = 0;  // expected, of all products

  [[nodiscard]] int64_t blocks() const { return grid.blocks(); }
  [[nodiscard]] int64_t chunks() const { return groups * blocks(); }

  // A single product may be cut along k as well: parts are computed apart and combined block by block.
  [[nodiscard]] int64_t parts() const { return blocks() * grid.depths; }
  [[nodiscard]] int64_t partials_of_block() const {  // elements
    return gemm_grid_rows(grid, args.m, 0).size * gemm_grid_cols(grid, args.n, 0).size * gemm_chunks(args.k);
  }
  [[nodiscard]] size_t partial_bytes() const { return static_cast<size_t>(blocks() * partials_of_block()) * sizeof(T); }
};

/// Bytes from a GemmKept in scratch to its room: a cache line.
inline constexpr size_t kept_header = 64;

/// What the last chunk has packed and this one may use.
template <class T>
GemmKept* kept_from_last(const Products<T>& products, void* scratch, bool continues) {
  if (products.kept_offset == 0) return nullptr;
  std::byte* const at = static_cast<std::byte*>(scratch) + products.kept_offset;
  return continues ? std::launder(reinterpret_cast<GemmKept*>(at)) : new (at) GemmKept{.room = at + kept_header};
}

/// One chunk of the products of A and B. Its result may be null if there is an epilogue and k is no more than
/// kGemmChunk; the epilogue's rows are those of all products, one after the other.
template <class T>
void multiply_chunk(const Products<T>& products, int64_t chunk, const ProductMemory<T>& memory) {
  const int64_t group = chunk / products.blocks(), block = chunk % products.blocks();
  GemmKept* const kept = kept_from_last(products, memory.scratch, memory.continues);
  const int64_t end = chunk_begin(products.count, products.groups, group + 1);
  for (int64_t product = chunk_begin(products.count, products.groups, group); product < end; ++product) {
    GemmArgs<T> args = products.args;
    args.a = memory.a;
    args.b = memory.b;
    args.c = memory.result == nullptr ? nullptr : memory.result + product * args.m * args.n;
    args.epilogue = memory.epilogue;
    (products.grid.by_columns ? args.kept_b : args.kept_a) = kept;
    args.row_offset = product * args.m;
    int64_t rest = product;
    for (size_t axis = products.batch.size(); axis-- > 0;) {
      const int64_t index = rest % products.batch[axis].size;
      rest /= products.batch[axis].size;
      args.a += index * products.batch[axis].a_stride;
      args.b += index * products.batch[axis].b_stride;
    }
    if (products.blocks() > 1)
      args = gemm_block(args, products.grid, products.grid.row_of(block), products.grid.col_of(block));
    products.multiply(args, memory.scratch);
  }
}

/// Part `part` of the parts() of a product that is cut along k: its sums of chunks of k go to `partials`.
template <class T>
void multiply_part(const Products<T>& products, int64_t part, const T* a, const T* b, T* partials, void* workspace) {
  const GemmGrid& grid = products.grid;
  const int64_t block = part / grid.depths;
  GemmArgs<T> args = products.args;
  args.a = a;
  args.b = b;
  args = gemm_block(args, grid, grid.row_of(block), grid.col_of(block));
  const GemmRange chunks = gemm_grid_chunks(grid, args.k, part % grid.depths);
  for (int64_t chunk = chunks.begin; chunk < chunks.begin + chunks.size; ++chunk) {
    products.multiply(gemm_chunk(args, chunk, partials + block * products.partials_of_block()), workspace);
  }
}

/// Adds the parts of a block of C.
template <class T>
void combine_block(const Products<T>& products, int64_t block, T* c, const T* partials,
                   const GemmEpilogue<T>* epilogue = nullptr) {
  GemmArgs<T> args = products.args;
  args.c = c;
  args.epilogue = epilogue;
  args = gemm_block(args, products.grid, products.grid.row_of(block), products.grid.col_of(block));
  gemm_combine(args, partials + block * products.partials_of_block());
}

template <class T>
[[nodiscard]] ProductTraffic chunk_traffic(const Products<T>& products, int64_t chunk) {
  const int64_t group = chunk / products.blocks(), block = chunk % products.blocks();
  const int64_t row = products.grid.row_of(block), col = products.grid.col_of(block);
  const int64_t rows = gemm_grid_rows(products.grid, products.args.m, row).size;
  const int64_t cols = gemm_grid_cols(products.grid, products.args.n, col).size;
  const int64_t count = chunk_size(products.count, products.groups, group);
  return {count * products.args.k * ((col == 0 ? rows : 0) + (row == 0 ? cols : 0)), count * rows * cols};
}

}  // namespace gradloom::inline v0
