#include <gradloom/runtime/column_sums_internal.hpp>

namespace gradloom::inline v0 {

namespace {

int64_t leaves_of(int64_t rows) { return (rows + reduce_leaf_lines - 1) / reduce_leaf_lines; }

}  // namespace

size_t ColumnSums::place_leaves(const KernelRequest& request, int64_t rows, int64_t width, size_t shared_bytes) {
  combine = request.pick(baseline::sum_kernels, avx2::sum_kernels, avx512::sum_kernels)
                .loops[static_cast<size_t>(dtype)]
                .combine;
  for (ColumnSum& sum : sums) {
    sum.leaves = shared_bytes;
    shared_bytes += (static_cast<size_t>(leaves_of(rows) * width) * size_of(dtype) + 63) / 64 * 64;
  }
  return shared_bytes;
}

void ColumnSums::combine_chunk(const KernelCall& call, int64_t rows, int64_t length, int64_t width) const {
  ReduceParams params;
  params.parts = leaves_of(rows);
  params.width = width;
  const int64_t begin = chunk_begin(length, call.chunks, call.chunk),
                end = chunk_begin(length, call.chunks, call.chunk + 1);
  call.count(0, (end - begin) * static_cast<int64_t>(sums.size() * size_of(dtype)));
  for (const ColumnSum& sum : sums) {
    combine(params, static_cast<std::byte*>(call.shared) + sum.leaves, call.outputs[sum.output], begin, end);
  }
}

}  // namespace gradloom::inline v0
