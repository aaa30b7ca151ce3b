// Sums over the rows of a region's values. Each 16 rows give a row of partial sums, a leaf, which the kernel's first
// step makes; a second step combines the leaves in the tree of a sum on its own.
#pragma once

#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/reduce_table_internal.hpp>

#include <vector>

namespace gradloom::inline v0 {

struct ColumnSum {
  int place = 0;  ///< of the value, or of the leaf at hand
  int output = 0;
  size_t leaves = 0;  ///< offset in the shared memory
};

struct ColumnSums {
  std::vector<ColumnSum> sums;
  DType dtype = DType::f32;
  ReduceCombine combine = nullptr;

  /// Gives each sum room for its leaves, rows of `width` elements, behind `shared_bytes`. Returns the new end.
  [[nodiscard]] size_t place_leaves(const KernelRequest& request, int64_t rows, int64_t width, size_t shared_bytes);

  /// The second step: the first `length` of `width` columns.
  void combine_chunk(const KernelCall& call, int64_t rows, int64_t length, int64_t width) const;
  [[nodiscard]] static int64_t chunks(int64_t length) { return chunk_count(length, 2048); }
};

}  // namespace gradloom::inline v0
