// Moves bytes and computes nothing, so it is compiled once: there is no instruction set to choose.
#include <gradloom/ops/strided_copy.hpp>

#include <emmintrin.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace gradloom::inline v0 {

namespace {

struct Axis {
  int64_t size = 1;
  int64_t from = 0;  // stride of the input, in elements
  int64_t to = 0;    // stride of the output
};

// The two innermost loops are cut into blocks of rows x columns; the others only say where a block starts.
struct StridedCopy {
  std::vector<Axis> outer;
  Axis second;         // the rows: the axis outside the inner one, or the one that a transpose exchanges with it
  Axis inner;          // the output is dense along it
  int64_t offset = 0;  // of the input
  int64_t rows = 1, row_blocks = 1;
  int64_t columns = 1, column_blocks = 1;
  int64_t blocks = 1;  // of all
  int64_t read = 0;    // elements of the input, each once however often it is repeated
  int64_t count = 0;   // elements of the output
};

constexpr int64_t grain = int64_t{64} * 1024;
constexpr int64_t tile = 32;

template <class T>
void copy_row(T* to, const T* from, int64_t n, int64_t stride) {
  if (stride == 1 && n >= 16) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
  } else if (stride == 0) {
    const T value = *from;
    for (int64_t i = 0; i < n; ++i) to[i] = value;
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i * stride];
  }
}

template <class T>
void copy_block(const Axis& second, const Axis& inner, T* to, const T* from, int64_t rows, int64_t columns) {
  for (int64_t row = 0; row < rows; ++row) {
    copy_row(to + row * second.to, from + row * second.from, columns, inner.from);
  }
}

// to[i * tile + j] = from[j * stride + i] for a whole tile. In squares of registers (SSE2, which every x86-64 has)
// where the elements are wide enough to gain by it.
template <class T>
void transpose_tile(T* to, const T* from, int64_t stride) {
  for (int64_t j = 0; j < tile; ++j) {
    for (int64_t i = 0; i < tile; ++i) to[i * tile + j] = from[j * stride + i];
  }
}

void transpose_tile(uint32_t* to, const uint32_t* from, int64_t stride) {
  const auto load = [](const uint32_t* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); };
  const auto store = [](uint32_t* at, __m128i x) { _mm_storeu_si128(reinterpret_cast<__m128i*>(at), x); };
  for (int64_t j = 0; j < tile; j += 4) {
    for (int64_t i = 0; i < tile; i += 4) {
      const uint32_t* const corner = from + j * stride + i;
      const __m128i a = load(corner), b = load(corner + stride), c = load(corner + 2 * stride),
                    d = load(corner + 3 * stride);
      const __m128i ab_low = _mm_unpacklo_epi32(a, b), ab_high = _mm_unpackhi_epi32(a, b);
      const __m128i cd_low = _mm_unpacklo_epi32(c, d), cd_high = _mm_unpackhi_epi32(c, d);
      uint32_t* const square = to + i * tile + j;
      store(square, _mm_unpacklo_epi64(ab_low, cd_low));
      store(square + tile, _mm_unpackhi_epi64(ab_low, cd_low));
      store(square + 2 * tile, _mm_unpacklo_epi64(ab_high, cd_high));
      store(square + 3 * tile, _mm_unpackhi_epi64(ab_high, cd_high));
    }
  }
}

void transpose_tile(uint64_t* to, const uint64_t* from, int64_t stride) {
  const auto load = [](const uint64_t* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); };
  const auto store = [](uint64_t* at, __m128i x) { _mm_storeu_si128(reinterpret_cast<__m128i*>(at), x); };
  for (int64_t j = 0; j < tile; j += 2) {
    for (int64_t i = 0; i < tile; i += 2) {
      const __m128i a = load(from + j * stride + i), b = load(from + (j + 1) * stride + i);
      store(to + i * tile + j, _mm_unpacklo_epi64(a, b));
      store(to + (i + 1) * tile + j, _mm_unpackhi_epi64(a, b));
    }
  }
}

// By way of a buffer that stays in the first cache: both the input and the output are walked along their own rows, a
// few cache lines at a time, however far apart the rows are (a power of two would map them all to one set of the
// cache).
template <class T>
void transpose_block(const Axis& second, const Axis& inner, T* to, const T* from, int64_t rows, int64_t all_columns) {
  T buffer[tile * tile];
  for (int64_t begin = 0; begin < all_columns; begin += tile) {
    const int64_t columns = std::min(tile, all_columns - begin);
    const T* const start = from + begin * inner.from;
    if (rows == tile && columns == tile && second.from == 1) {
      transpose_tile(buffer, start, inner.from);
    } else {
      for (int64_t j = 0; j < columns; ++j) {
        const T* const line = start + j * inner.from;
        for (int64_t i = 0; i < rows; ++i) buffer[i * tile + j] = line[i * second.from];
      }
    }
    for (int64_t i = 0; i < rows; ++i) copy_row(to + i * second.to + begin, buffer + i * tile, columns, 1);
  }
}

template <class T, bool transposes>
void copy(const KernelCall& call) {
  const auto& params = *static_cast<const StridedCopy*>(call.params);
  const Axis &second = params.second, &inner = params.inner;
  const T* const input = static_cast<const T*>(call.inputs[0]) + params.offset;
  T* const output = static_cast<T*>(call.outputs[0]);
  call.count(chunk_size(params.read * static_cast<int64_t>(sizeof(T)), call.chunks, call.chunk),
             chunk_size(params.count * static_cast<int64_t>(sizeof(T)), call.chunks, call.chunk));
  const int64_t end = chunk_begin(params.blocks, call.chunks, call.chunk + 1);
  for (int64_t block = chunk_begin(params.blocks, call.chunks, call.chunk); block < end; ++block) {
    const int64_t column = block % params.column_blocks * params.columns;
    int64_t rest = block / params.column_blocks;
    const int64_t row = rest % params.row_blocks * params.rows;
    rest /= params.row_blocks;
    int64_t from = row * second.from + column * inner.from, to = row * second.to + column;
    for (size_t i = params.outer.size(); i-- > 0;) {
      const Axis& axis = params.outer[i];
      const int64_t index = rest % axis.size;
      from += index * axis.from;
      to += index * axis.to;
      rest /= axis.size;
    }
    const int64_t rows = std::min(params.rows, second.size - row),
                  columns = std::min(params.columns, inner.size - column);
    if constexpr (transposes) {
      transpose_block(second, inner, output + to, input + from, rows, columns);
    } else {
      copy_block(second, inner, output + to, input + from, rows, columns);
    }
  }
}

// The axes of the copy, adjacent ones that walk as one joined, those of size 1 left out.
std::vector<Axis> joined_axes(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides) {
  const std::vector<int64_t> own = row_major_strides(sizes);
  std::vector<Axis> axes;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 1) continue;
    if (!axes.empty() && axes.back().from == strides[i] * sizes[i]) {
      axes.back() = {axes.back().size * sizes[i], strides[i], own[i]};
    } else {
      axes.push_back({sizes[i], strides[i], own[i]});
    }
  }
  return axes;
}

template <bool transposes>
Kernel copy_of(size_t element_size) {
  return element_size == 1   ? copy<uint8_t, transposes>
         : element_size == 2 ? copy<uint16_t, transposes>
         : element_size == 4 ? copy<uint32_t, transposes>
                             : copy<uint64_t, transposes>;
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
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  if (count == 0) return {};
  auto params = std::make_shared<StridedCopy>();
  params->offset = offset;
  params->count = count;
  params->read = 1;
  for (size_t i = 0; i < sizes.size(); ++i) params->read *= strides[i] == 0 ? 1 : sizes[i];
  params->outer = joined_axes(sizes, strides);
  std::vector<Axis>& outer = params->outer;
  const auto take = [&](size_t i) {
    const Axis taken = outer.empty() ? Axis{1, 1, 1} : outer[i];
    if (!outer.empty()) outer.erase(outer.begin() + static_cast<std::ptrdiff_t>(i));
    return taken;
  };
  params->inner = take(outer.empty() ? 0 : outer.size() - 1);
  // If the input is denser along another axis than along the inner one, the copy is a transpose of these two.
  size_t densest = outer.size();
  int64_t least = std::abs(params->inner.from);
  for (size_t i = 0; i < outer.size(); ++i) {
    const int64_t stride = std::abs(outer[i].from);
    if (stride == 0 || stride >= least) continue;
    densest = i;
    least = stride;
  }
  const bool transposes = densest < outer.size();
  params->second = take(transposes || outer.empty() ? densest : outer.size() - 1);
  const Axis &second = params->second, &inner = params->inner;
  params->columns = std::min(inner.size, grain / tile);
  params->rows = std::min(second.size, transposes ? tile : std::max<int64_t>(1, grain / tile / inner.size));
  params->row_blocks = (second.size + params->rows - 1) / params->rows;
  params->column_blocks = (inner.size + params->columns - 1) / params->columns;
  params->blocks = params->row_blocks * params->column_blocks;
  for (const Axis& axis : outer) params->blocks *= axis.size;
  KernelPlan plan;
  plan.steps = {{transposes ? copy_of<true>(element_size) : copy_of<false>(element_size),
                 std::min(params->blocks, chunk_count(count, grain))}};
  plan.nanoseconds = 20 + (transposes ? 0.08 : 0.03) * static_cast<double>(count) * static_cast<double>(element_size);
  plan.params = std::move(params);
  return plan;
}

}  // namespace gradloom::inline v0
