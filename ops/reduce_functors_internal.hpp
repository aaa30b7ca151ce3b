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
      return xsimd::select(is_nan(a), a, xsimd::max(a, b));  // of equal zeros and beside a nan b
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
      return xsimd::select(is_nan(a), a, xsimd::min(a, b));
  }
};

/// Combines eight vectors to one: those four apart, two apart, next to each other.
template <class Op, class T>
inline Batch<T> fold_block(Op op, Batch<T> a, Batch<T> b, Batch<T> c, Batch<T> d, Batch<T> e, Batch<T> f, Batch<T> g,
                           Batch<T> h) {
  return op(op(op(a, e), op(c, g)), op(op(b, f), op(d, h)));
}

/// Combines the lanes of a vector, likewise.
template <class Op, class T>
inline T fold_lanes(Op op, Batch<T> a) {
  T values[Batch<T>::size];
  a.store_unaligned(values);
  for (size_t width = Batch<T>::size / 2; width > 0; width /= 2) {
    for (size_t i = 0; i < width; ++i) values[i] = op(values[i], values[i + width]);
  }
  return values[0];
}

}  // namespace

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
