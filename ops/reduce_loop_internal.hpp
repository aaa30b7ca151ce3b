// From a functor that combines two values to the kernels of a reduction.
//
// Order of combination: a fixed tree that depends on sizes and the instruction set only, so results have the same bits
// on any number of threads, and in a fused region. A leaf is 4096 contiguous elements, of which each eight vectors are
// combined to one and those from first to last, or 16 lines, combined from first to last; leaves are combined in pairs,
// pairs of pairs, and so on (Higham, Accuracy and Stability of Numerical Algorithms, 4.2): the error of a sum grows
// with log n, not n.
#pragma once

#include <gradloom/ops/reduce_functors_internal.hpp>
#include <gradloom/ops/reduce_table_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

namespace {

inline int64_t offset_of(const AxisWalk& walk, int64_t position) {
  int64_t offset = 0;
  for (int axis = walk.count - 1; axis > 0; --axis) {
    offset += position % walk.sizes[axis] * walk.strides[axis];
    position /= walk.sizes[axis];
  }
  return walk.count == 0 ? 0 : offset + position * walk.strides[0];
}

/// Where `n` elements or lines, more than a leaf, are cut: at the largest power of two of leaves that leaves a rest.
constexpr int64_t larger_half(int64_t n, int64_t leaf) {
  int64_t half = leaf;
  while (2 * half < n) half *= 2;
  return half;
}

/// `Op` has `template <class V> V operator()(V a, V b) const`, associative up to rounding, for scalars and vectors, and
/// `template <class T> static T identity()`. Many functions are kept from being inlined: GCC unrolls recursion into
/// itself, and made four times the code that is no faster.
template <class Op, class T>
struct Reduction {
  using V = Batch<T>;
  static constexpr int64_t lanes = static_cast<int64_t>(V::size);

  static constexpr ReduceLoops loops() { return {reduce, combine}; }

  /// A run of single elements.
  [[gnu::noinline]] static T fold_contiguous(const T* x, int64_t n) {
    if (n > reduce_leaf_elements) {
      const int64_t half = larger_half(n, reduce_leaf_elements);
      const T left = fold_contiguous(x, half);  // first: prefetchers follow memory upwards
      return Op{}(left, fold_contiguous(x + half, n - half));
    }
    if (n == 0) return static_cast<T>(T(0) + Op::template identity<T>());  // the sum of nothing is 0, not -0
    constexpr int64_t block = 8 * lanes;
    V sum(Op::template identity<T>());
    int64_t i = 0;
    for (; i + block <= n; i += block) sum = Op{}(sum, fold_block(x + i));
    if (i < n) {
      T padded[block];
      for (int64_t k = 0; k < block; ++k) padded[k] = i + k < n ? x[i + k] : Op::template identity<T>();
      sum = Op{}(sum, fold_block(padded));
    }
    return fold_lanes<Op, T>(Op{}, sum);
  }

 private:
  static void reduce(const ReduceParams& params, const void* input, void* results, int64_t begin, int64_t end) {
    const int64_t tiles = (params.width + reduce_tile - 1) / reduce_tile;
    for (int64_t item = begin; item < end; ++item) {
      int64_t row = item, part = 0, at = 0;
      if (tiles > 1) {
        at = row % tiles * reduce_tile;
        row /= tiles;
      }
      if (params.parts > 1) {
        part = row % params.parts;
        row /= params.parts;
      }
      const T* const x = static_cast<const T*>(input) + offset_of(params.kept, row) + at;
      T* const out = static_cast<T*>(results) + (row * params.parts + part) * params.width + at;
      const int64_t width = params.width - at < reduce_tile ? params.width - at : reduce_tile;
      const int64_t n = params.terms == 1 ? params.length : params.terms;
      const int64_t from = part * params.part_length;
      const int64_t to = n - from < params.part_length ? n : from + params.part_length;
      if (params.terms == 1) {
        fold_run(x + from * params.stride, to - from, params.stride, width, out);
      } else {
        fold_terms(params, x, from, to, width, out);
      }
    }
  }

  static void combine(const ReduceParams& params, void* results, void* output, int64_t begin, int64_t end) {
    const int64_t width = end - begin;
    for (int64_t row = 0; row < params.rows; ++row) {
      T* const x = static_cast<T*>(results) + row * params.parts * params.width + begin;
      for (int64_t step = 1; step < params.parts; step *= 2) {
        for (int64_t i = 0; i + step < params.parts; i += 2 * step) {
          fold_leaf(x + i * params.width, 2, step * params.width, width, x + i * params.width);
        }
      }
      fold_leaf(x, 1, 0, width, static_cast<T*>(output) + row * params.width + begin);
    }
  }

  /// The runs at terms [begin, end). The right half's result waits on the stack, as in fold_lines.
  [[gnu::noinline]] static void fold_terms(const ReduceParams& params, const T* x, int64_t begin, int64_t end,
                                           int64_t width, T* out) {
    if (end - begin > 1) {
      const int64_t middle = begin + (end - begin) / 2;
      T right[reduce_tile];
      fold_terms(params, x, begin, middle, width, out);
      fold_terms(params, x, middle, end, width, right);
      merge(right, width, out);
    } else {
      const int64_t length = begin == end ? 0 : params.length;
      fold_run(x + offset_of(params.reduced, begin), length, params.stride, width, out);
    }
  }

  static void fold_run(const T* x, int64_t length, int64_t stride, int64_t width, T* out) {
    if (stride == 1) {
      *out = fold_contiguous(x, length);
    } else if (length > 0) {
      fold_lines(x, length, stride, width, out);
    } else {
      for (int64_t j = 0; j < width; ++j) out[j] = static_cast<T>(T(0) + Op::template identity<T>());
    }
  }

  [[gnu::noinline]] static void merge(const T* right, int64_t width, T* out) {
    for (int64_t j = 0; j < width; ++j) out[j] = Op{}(out[j], right[j]);
  }

  // ---- a run of lines

  /// count >= 1 lines of `width` <= reduce_tile elements. The right half's result waits on the stack: 2 KB for each
  /// doubling of the count.
  [[gnu::noinline]] static void fold_lines(const T* x, int64_t count, int64_t stride, int64_t width, T* out) {
    if (count > reduce_leaf_lines) {
      const int64_t half = larger_half(count, reduce_leaf_lines);
      T right[reduce_tile];
      fold_lines(x, half, stride, width, out);
      fold_lines(x + half * stride, count - half, stride, width, right);
      merge(right, width, out);
    } else {
      fold_leaf(x, count, stride, width, out);
    }
  }

  /// out[j] = x[j] op x[stride + j] op ... for j below width; out may be x. Many lines are read side by side, each from
  /// left to right, which suits the hardware's prefetcher.
  [[gnu::noinline]] static void fold_leaf(const T* x, int64_t count, int64_t stride, int64_t width, T* out) {
    int64_t j = 0;
    for (; j + 4 * lanes <= width; j += 4 * lanes) fold_columns<4>(x + j, count, stride, out + j);
    for (; j + lanes <= width; j += lanes) fold_columns<1>(x + j, count, stride, out + j);
    for (; j < width; ++j) {
      T a = x[j];
      for (int64_t i = 1; i < count; ++i) a = Op{}(a, x[i * stride + j]);
      out[j] = a;
    }
  }

  template <int vectors>
  static void fold_columns(const T* x, int64_t count, int64_t stride, T* out) {
    V a[vectors];
    for (int k = 0; k < vectors; ++k) a[k] = load(x + k * lanes);
    for (int64_t i = 1; i < count; ++i) {
      for (int k = 0; k < vectors; ++k) a[k] = Op{}(a[k], load(x + i * stride + k * lanes));
    }
    for (int k = 0; k < vectors; ++k) a[k].store_unaligned(out + k * lanes);
  }

  static V fold_block(const T* x) {
    return v0::GRADLOOM_KERNEL_ISA::fold_block<Op, T>(Op{}, load(x), load(x + lanes), load(x + 2 * lanes),
                                                      load(x + 3 * lanes), load(x + 4 * lanes), load(x + 5 * lanes),
                                                      load(x + 6 * lanes), load(x + 7 * lanes));
  }
  static V load(const T* from) { return V::load_unaligned(from); }
};

}  // namespace

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
