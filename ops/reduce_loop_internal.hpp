// From a functor that combines two values to the kernels of a reduction.
//
// Order of combination: a fixed tree that depends on sizes only, so results have the same bits on any number of threads.
// Long ranges are halved until a leaf is left (Higham, Accuracy and Stability of Numerical Algorithms, 4.2): the error of
// a sum grows with log n, not n, and there is no carried dependency between leaves.
#pragma once

#include <gradloom/ops/kernel_internal.hpp>
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

/// `Op` has `template <class V> V operator()(V a, V b) const`, associative up to rounding, for scalars and vectors, and
/// `template <class T> static T identity()`.
template <class Op, class T>
struct Reduction {
  using V = Batch<T>;
  static constexpr int64_t lanes = static_cast<int64_t>(V::size);
  static constexpr int64_t leaf_vectors = 64;
  static constexpr int64_t leaf_lines = 16;

  static V load(const T* from) { return V::load_unaligned(from); }

  static T across_lanes(V v) {
    T values[lanes];
    v.store_unaligned(values);
    for (int64_t width = lanes / 2; width > 0; width /= 2) {
      for (int64_t i = 0; i < width; ++i) values[i] = Op{}(values[i], values[i + width]);
    }
    return values[0];
  }

  // ---- inner reduced

  /// n >= 1 vectors. Four chains hide the latency of an addition.
  static V fold_vectors(const T* x, int64_t n) {
    const Op op{};
    if (n > leaf_vectors) {
      const int64_t half = (n / 2 + leaf_vectors - 1) / leaf_vectors * leaf_vectors;
      return op(fold_vectors(x, half), fold_vectors(x + half * lanes, n - half));
    }
    V a = load(x);
    if (n < 4) {
      for (int64_t i = 1; i < n; ++i) a = op(a, load(x + i * lanes));
      return a;
    }
    V b = load(x + lanes), c = load(x + 2 * lanes), d = load(x + 3 * lanes);
    int64_t i = 4;
    for (; i + 4 <= n; i += 4) {
      a = op(a, load(x + i * lanes));
      b = op(b, load(x + (i + 1) * lanes));
      c = op(c, load(x + (i + 2) * lanes));
      d = op(d, load(x + (i + 3) * lanes));
    }
    for (; i < n; ++i) a = op(a, load(x + i * lanes));
    return op(op(a, b), op(c, d));
  }

  static T fold_line(const T* x, int64_t n) {
    const Op op{};
    const int64_t vectors = n / lanes;
    int64_t i = vectors * lanes;
    T result = vectors > 0 ? across_lanes(fold_vectors(x, vectors)) : Op::template identity<T>();
    if (i == n) return result;
    T rest = x[i];
    for (++i; i < n; ++i) rest = op(rest, x[i]);
    return vectors > 0 ? op(result, rest) : rest;
  }

  static T fold_lines(const ReduceParams& params, const T* x, int64_t begin, int64_t end) {
    if (end - begin > 1) {
      const int64_t middle = begin + (end - begin) / 2;
      return Op{}(fold_lines(params, x, begin, middle), fold_lines(params, x, middle, end));
    }
    return end == begin ? Op::template identity<T>() : fold_line(x + offset_of(params.reduced, begin), params.inner);
  }

  static void inner_reduced(const ReduceParams& params, const void* input, void* results, int64_t begin, int64_t end) {
    T* const out = static_cast<T*>(results);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t row = params.parts == 1 ? item : item / params.parts;
      const T* const x = static_cast<const T*>(input) + offset_of(params.kept, row);
      const int64_t length = params.terms == 1 ? params.inner : params.terms;
      const int64_t from = params.parts == 1 ? 0 : item % params.parts * params.part_length;
      const int64_t to = params.parts == 1 || length - from < params.part_length ? length : from + params.part_length;
      out[item] = params.terms == 1 ? fold_line(x + from, to - from) : fold_lines(params, x, from, to);
    }
  }

  // ---- inner kept

  template <int vectors>
  static void fold_columns(const T* const* lines, int64_t count, int64_t at, T* out) {
    V a[vectors];
    for (int k = 0; k < vectors; ++k) a[k] = load(lines[0] + at + k * lanes);
    for (int64_t i = 1; i < count; ++i) {
      for (int k = 0; k < vectors; ++k) a[k] = Op{}(a[k], load(lines[i] + at + k * lanes));
    }
    for (int k = 0; k < vectors; ++k) a[k].store_unaligned(out + at + k * lanes);
  }

  /// out[j] = lines[0][j] op lines[1][j] op ... for j below width; out may be lines[0].
  static void fold_columns(const T* const* lines, int64_t count, int64_t width, T* out) {
    int64_t j = 0;
    for (; j + 4 * lanes <= width; j += 4 * lanes) fold_columns<4>(lines, count, j, out);
    for (; j + lanes <= width; j += lanes) fold_columns<1>(lines, count, j, out);
    for (; j < width; ++j) {
      T a = lines[0][j];
      for (int64_t i = 1; i < count; ++i) a = Op{}(a, lines[i][j]);
      out[j] = a;
    }
  }

  /// Terms [begin, end), which are lines of `width` <= reduce_tile elements. Halved on multiples of a leaf; the right
  /// half's result waits on the stack: 2 KB for each doubling of the number of terms.
  static void fold_terms(const ReduceParams& params, const T* x, int64_t begin, int64_t end, int64_t width, T* out) {
    const int64_t count = end - begin;
    if (count > leaf_lines) {
      const int64_t middle = begin + (count / 2 + leaf_lines - 1) / leaf_lines * leaf_lines;
      T right[reduce_tile];
      fold_terms(params, x, begin, middle, width, out);
      fold_terms(params, x, middle, end, width, right);
      const T* const halves[] = {out, right};
      fold_columns(halves, 2, width, out);
      return;
    }
    if (count == 0) {
      for (int64_t j = 0; j < width; ++j) out[j] = Op::template identity<T>();
      return;
    }
    const T* lines[leaf_lines];
    for (int64_t i = 0; i < count; ++i) lines[i] = x + offset_of(params.reduced, begin + i);
    fold_columns(lines, count, width, out);
  }

  static void inner_kept(const ReduceParams& params, const void* input, void* results, int64_t begin, int64_t end) {
    const int64_t tiles = (params.inner + reduce_tile - 1) / reduce_tile;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t line = item / tiles, at = item % tiles * reduce_tile;
      const int64_t row = line / params.parts, from = line % params.parts * params.part_length;
      const int64_t to = params.terms - from < params.part_length ? params.terms : from + params.part_length;
      const int64_t width = params.inner - at < reduce_tile ? params.inner - at : reduce_tile;
      fold_terms(params, static_cast<const T*>(input) + offset_of(params.kept, row) + at, from, to, width,
                 static_cast<T*>(results) + line * params.inner + at);
    }
  }

  // ---- parts

  static void combine(const ReduceParams& params, void* results, void* output, int64_t width) {
    for (int64_t row = 0; row < params.rows; ++row) {
      T* const x = static_cast<T*>(results) + row * params.parts * width;
      for (int64_t step = 1; step < params.parts; step *= 2) {
        for (int64_t i = 0; i + step < params.parts; i += 2 * step) {
          const T* const pair[] = {x + i * width, x + (i + step) * width};
          fold_columns(pair, 2, width, x + i * width);
        }
      }
      T* const out = static_cast<T*>(output) + row * width;
      for (int64_t j = 0; j < width; ++j) out[j] = x[j];
    }
  }

  static constexpr ReduceLoops loops() { return {inner_reduced, inner_kept, combine}; }
};

}  // namespace

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
