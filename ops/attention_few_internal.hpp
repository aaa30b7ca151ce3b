// The products of attention for a few queries, as in generation: keys and values are read where they lie, once for
// each query, for packing them would take longer than to multiply.
#pragma once

#include <gradloom/ops/attention_scores_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

/// Of keys, and of values, those of the next block are asked for along the way: rows are further apart than prefetchers
/// look.
template <class T>
inline void ask_for(const T* x, int64_t size) {
  constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
  for (int64_t j = 0; j < size; j += line) __builtin_prefetch(x + j, 0, 2);
}

/// scores[i] = q . k[i] for i < keys: whole vectors of scores are written. Terms are summed lane by lane, then the
/// lanes.
template <class T>
inline void dot_keys(const T* q, const T* k, int64_t k_row, int64_t keys, int64_t depth, T* scores) {
  using V = Batch<T>;
  const int64_t full = depth / lanes<T> * lanes<T>;
  const LaneMask<T> rest(depth > full ? depth - full : lanes<T>);
  for (int64_t first = 0; first < keys; first += lanes<T>) {
    alignas(64) T sums[lanes<T> * lanes<T>];
    for (int64_t i = 0; i < lanes<T>; ++i) {
      // Lanes behind the last key repeat it.
      const T* const row = k + (first + i < keys ? first + i : keys - 1) * k_row;
      ask_for(row + attention_key_block * k_row, depth);
      V sum(T{0});
      for (int64_t j = 0; j < full; j += lanes<T>) sum = fmadd(load(q + j), load(row + j), sum);
      if (full < depth) sum = fmadd(load_lanes(q + full, rest), load_lanes(row + full, rest), sum);
      sum.store_aligned(sums + i * lanes<T>);
    }
    V columns[lanes<T>];
    ColumnReader<T>(sums, lanes<T>, lanes<T>).read(0, columns);
    for (int64_t half = lanes<T> / 2; half > 0; half /= 2) {
      for (int64_t i = 0; i < half; ++i) columns[i] = columns[i] + columns[i + half];
    }
    columns[0].store_aligned(scores + first);
  }
}

/// sums[j] += p . column j of v for so many vectors of columns, of which the last one may not be whole. Even keys and
/// odd ones are summed on their own.
template <int Vectors, class T>
inline void add_columns(const T* p, const T* v, int64_t v_row, int64_t keys, LaneMask<T> last, T* sums) {
  using V = Batch<T>;
  V even[Vectors], odd[Vectors];
#pragma GCC unroll 4
  for (int j = 0; j < Vectors; ++j) even[j] = odd[j] = V(T{0});
  const auto add = [&](int64_t key, V(&to)[Vectors]) {
    const T* const row = v + key * v_row;
    ask_for(row + attention_key_block * v_row, Vectors * lanes<T>);
    const V factor(p[key]);
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) {
      const T* const at = row + j * lanes<T>;
      to[j] = fmadd(factor, j == Vectors - 1 ? load_lanes(at, last) : load(at), to[j]);
    }
  };
  int64_t key = 0;
  for (; key + 2 <= keys; key += 2) {
    add(key, even);
    add(key + 1, odd);
  }
  if (key < keys) add(key, even);
#pragma GCC unroll 4
  for (int j = 0; j < Vectors; ++j) {
    T* const to = sums + j * lanes<T>;
    (V::load_aligned(to) + (even[j] + odd[j])).store_aligned(to);
  }
}

/// The same for all columns: whole vectors of sums are written.
template <class T>
inline void add_values(const T* p, const T* v, int64_t v_row, int64_t keys, int64_t size, T* sums) {
  constexpr int64_t most = 4 * lanes<T>;
  for (int64_t j = 0; j < size; j += most) {
    const int64_t left = size - j < most ? size - j : most, vectors = (left + lanes<T> - 1) / lanes<T>;
    const LaneMask<T> last(left - (vectors - 1) * lanes<T>);
    switch (vectors) {
      case 1:
        add_columns<1>(p, v + j, v_row, keys, last, sums + j);
        break;
      case 2:
        add_columns<2>(p, v + j, v_row, keys, last, sums + j);
        break;
      case 3:
        add_columns<3>(p, v + j, v_row, keys, last, sums + j);
        break;
      default:
        add_columns<4>(p, v + j, v_row, keys, last, sums + j);
    }
  }
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
