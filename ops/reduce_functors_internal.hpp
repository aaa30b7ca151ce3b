// What the reductions combine two values with.
#pragma once

#include <gradloom/ops/kernel_internal.hpp>

#include <limits>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

namespace {

struct Sum {
  // -0 changes nothing, 0 would change -0. The sum of no elements at all is 0 nevertheless.
  template <class T>
  static T identity() {
    return is_float_v<T> ? T(-0.0) : T(0);
  }
  template <class V>
  V operator()(V a, V b) const {
    return a + b;
  }
};

struct Prod {
  template <class T>
  static T identity() {
    return T(1);
  }
  template <class V>
  V operator()(V a, V b) const {
    return a * b;
  }
};

// Not a != a, which is false for nan in xsimd 8.1 on AVX.
template <class T>
xsimd::batch_bool<T, Arch> is_nan(Batch<T> a) {
  return !(a == a);
}

// nan wins: it is kept where it is a, and taken where it is b because nothing compares greater than it.
struct Max {
  template <class T>
  static T identity() {
    return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                : std::numeric_limits<T>::lowest();
  }
  template <class T>
  T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
  template <class T>
  Batch<T> operator()(Batch<T> a, Batch<T> b) const {
    if constexpr (!is_float_v<T>)
      return xsimd::max(a, b);
    else
      return xsimd::select((a > b) | is_nan(a), a, b);
  }
};

struct Min {
  template <class T>
  static T identity() {
    return std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
  }
  template <class T>
  T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
  template <class T>
  Batch<T> operator()(Batch<T> a, Batch<T> b) const {
    if constexpr (!is_float_v<T>)
      return xsimd::min(a, b);
    else
      return xsimd::select((a < b) | is_nan(a), a, b);
  }
};

/// Combines the lanes of eight vectors: vectors four apart, two apart, next to each other, then lanes likewise.
template <class Op, class T>
[[gnu::noinline]] T fold_vectors(Op op, Batch<T> (&a)[8]) {
  for (int64_t width = 4; width > 0; width /= 2) {
    for (int64_t i = 0; i < width; ++i) a[i] = op(a[i], a[i + width]);
  }
  T values[Batch<T>::size];
  a[0].store_unaligned(values);
  for (size_t width = Batch<T>::size / 2; width > 0; width /= 2) {
    for (size_t i = 0; i < width; ++i) values[i] = op(values[i], values[i + width]);
  }
  return values[0];
}

}  // namespace

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
