// Moves bytes and computes nothing, so it is compiled once: there is no instruction set to choose.
#include <gradloom/ops/strided_copy.hpp>

#include <cstring>

namespace gradloom::inline v0 {

namespace {

struct StridedCopy {
  std::vector<int64_t> sizes, strides;  // collapsed: adjacent axes that walk as one are one
  int64_t offset = 0;
  int64_t rows = 1;  // product of all sizes but the last
};

constexpr int64_t grain = int64_t{64} * 1024;

template <class T>
void copy_row(T* to, const T* from, int64_t n, int64_t stride) {
  if (stride == 1) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
  } else if (stride == 0) {
    const T value = *from;
    for (int64_t i = 0; i < n; ++i) to[i] = value;
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i * stride];
  }
}

template <class T>
void copy(const KernelCall& call) {
  const auto& params = *static_cast<const StridedCopy*>(call.params);
  const size_t inner = params.sizes.size() - 1;
  const int64_t n = params.sizes[inner];
  const T* const input = static_cast<const T*>(call.inputs[0]) + params.offset;
  T* const output = static_cast<T*>(call.outputs[0]);
  if (params.rows == 1) {  // one long row is cut within itself
    const int64_t begin = chunk_begin(n, call.chunks, call.chunk), end = chunk_begin(n, call.chunks, call.chunk + 1);
    copy_row(output + begin, input + begin * params.strides[inner], end - begin, params.strides[inner]);
    return;
  }
  const int64_t begin = chunk_begin(params.rows, call.chunks, call.chunk);
  const int64_t end = chunk_begin(params.rows, call.chunks, call.chunk + 1);
  for (int64_t row = begin; row < end; ++row) {
    int64_t at = 0, rest = row;
    for (size_t axis = inner; axis-- > 0;) {
      at += rest % params.sizes[axis] * params.strides[axis];
      rest /= params.sizes[axis];
    }
    copy_row(output + row * n, input + at, n, params.strides[inner]);
  }
}

}  // namespace

std::vector<int64_t> row_major_strides(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size());
  int64_t stride = 1;
  for (size_t axis = sizes.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= sizes[axis];
  }
  return strides;
}

KernelPlan plan_strided_copy(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides, int64_t offset,
                             size_t element_size) {
  auto params = std::make_shared<StridedCopy>();
  params->offset = offset;
  int64_t count = 1;
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    count *= sizes[axis];
    if (sizes[axis] == 1) continue;
    if (!params->sizes.empty() && params->strides.back() == strides[axis] * sizes[axis]) {
      params->sizes.back() *= sizes[axis];
      params->strides.back() = strides[axis];
    } else {
      params->sizes.push_back(sizes[axis]);
      params->strides.push_back(strides[axis]);
    }
  }
  if (count == 0) return {};
  if (params->sizes.empty()) {
    params->sizes = {1};
    params->strides = {1};
  }
  params->rows = count / params->sizes.back();
  const int64_t pieces = chunk_count(count, grain);
  KernelPlan plan;
  plan.steps = {{element_size == 1 ? copy<uint8_t> : element_size == 4 ? copy<uint32_t> : copy<uint64_t>,
                 params->rows == 1 ? pieces : (pieces < params->rows ? pieces : params->rows)}};
  plan.nanoseconds = 20 + 0.2 * static_cast<double>(count) * static_cast<double>(element_size) / 4;
  plan.params = std::move(params);
  return plan;
}

}  // namespace gradloom::inline v0
