// What the reductions combine two values with.
#pragma once

#include <gradloom/ops/kernel_internal.hpp>

#include <limits>
#include <utility>

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

/// A vector of single lanes.
template <class T>
using Lanes [[gnu::vector_size(sizeof(Batch<T>))]] = T;

template <class T>
inline Lanes<T> lanes_of_batch(Batch<T> a) {
  return reinterpret_cast<Lanes<T>>(static_cast<typename Batch<T>::register_type>(a));
}

/// Lane i is lane i + Width of `a`, round about.
template <size_t Width, class T, size_t... I>
inline Batch<T> rotated(Batch<T> a, std::index_sequence<I...>) {
  const Lanes<T> lanes = lanes_of_batch(a);
  return Batch<T>(reinterpret_cast<typename Batch<T>::register_type>(
      __builtin_shufflevector(lanes, lanes, (I + Width) % sizeof...(I)...)));
}

/// Combines the lanes of a vector, likewise: in registers, as through memory each step would wait for the one before.
template <class Op, class T, size_t Width = Batch<T>::size / 2>
inline T fold_lanes(Op op, Batch<T> a) {
  if constexpr (Width == 0) {
    return lanes_of_batch(a)[0];
  } else {
    return fold_lanes<Op, T, Width / 2>(op, op(a, rotated<Width>(a, std::make_index_sequence<Batch<T>::size>())));
  }
}

}  // namespace

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
