// From a functor over vectors to loops over arrays and to handlers in fused programs. Floats go through xsimd vectors,
// the tail too, so that an element's bits never depend on where it stands. Integers go one by one through the same
// functor, which the compiler vectorises by itself; booleans as the bytes 0 and 1, because GCC 12 vectorises no loop
// that reads bool.
#pragma once

#include <gradloom/ops/fused_internal.hpp>
#include <gradloom/ops/load_store_internal.hpp>
#include <gradloom/ops/pointwise_table.hpp>

/// Before a loop whose output may be one of its inputs, element for element: iterations are still independent, which
/// the compiler's own overlap test would deny. (clang's hint would also demand that the loop vectorises; divisions do
/// not.)
#if defined(__clang__)
#define GRADLOOM_INDEPENDENT
#else
#define GRADLOOM_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

template <class... T>
struct Types {};

inline constexpr Types<float, double> floats;
inline constexpr Types<float, double, int32_t, int64_t> signed_numbers;
inline constexpr Types<float, double, int32_t, int64_t, uint8_t> numbers;
inline constexpr Types<bool> booleans;
inline constexpr Types<float, double, int32_t, int64_t, uint8_t, bool> all_types;
inline constexpr Types<int32_t, int64_t, uint8_t> integers;

template <class T>
inline constexpr int dtype_index = static_cast<int>(dtype_of<T>);

/// What an element is read as by a loop that the compiler vectorises.
template <class T>
using Scalar = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;

/// Signed overflow is undefined in C++, so integers that wrap around take the way over their unsigned twins.
template <class T, class F>
T wrapping(T a, T b, F f) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(static_cast<U>(f(static_cast<U>(a), static_cast<U>(b))));
}

/// The functor over `T`: f(x), f(x, y), f(x, y, z), or f(mask, x, y) if it declares a member `selects`.
template <class F, class T>
struct PointwiseLoopOf {
  using V = std::conditional_t<is_float_v<T>, Batch<T>, Scalar<T>>;

  static constexpr bool selects = requires { F::selects; };
  static constexpr int arity = std::is_invocable_v<F, V> ? 1 : std::is_invocable_v<F, V, V> ? 2 : 3;

  static void run(const void* const* inputs, void* output, int64_t n) {
    if constexpr (is_float_v<T>) {
      run_vectors(inputs, output, n);
    } else {
      run_scalars(inputs, output, n);
    }
  }

 private:
  static void run_scalars(const void* const* inputs, void* output, int64_t n) {
    const F f{};
    if constexpr (arity == 1) {
      const V* x = static_cast<const V*>(inputs[0]);
      using R = decltype(f(x[0]));
      R* y = static_cast<R*>(output);
      GRADLOOM_INDEPENDENT
      for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
    } else if constexpr (arity == 2) {
      const V *a = static_cast<const V*>(inputs[0]), *b = static_cast<const V*>(inputs[1]);
      using R = std::remove_cv_t<decltype(f(a[0], b[0]))>;
      R* y = static_cast<R*>(output);
      GRADLOOM_INDEPENDENT
      for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
    } else {
      using First = std::conditional_t<selects, Scalar<bool>, V>;
      const First* c = static_cast<const First*>(inputs[0]);
      const V *a = static_cast<const V*>(inputs[1]), *b = static_cast<const V*>(inputs[2]);
      V* y = static_cast<V*>(output);
      GRADLOOM_INDEPENDENT
      for (int64_t i = 0; i < n; ++i) y[i] = f(c[i], a[i], b[i]);
    }
  }

  static void run_vectors(const void* const* inputs, void* output, int64_t n) {
    const F f{};
    constexpr int64_t width = lanes<T>;
    if constexpr (arity == 1) {
      const T* x = static_cast<const T*>(inputs[0]);
      using R = element_of<decltype(f(load(x)))>;
      R* y = static_cast<R*>(output);
      int64_t i = 0;
      for (; i + width <= n; i += width) store(y + i, f(load(x + i)));
      if (i < n) store_part(y + i, f(load_part(x + i, n - i)), n - i);
    } else if constexpr (arity == 2) {
      const T *a = static_cast<const T*>(inputs[0]), *b = static_cast<const T*>(inputs[1]);
      using R = element_of<decltype(f(load(a), load(b)))>;
      R* y = static_cast<R*>(output);
      int64_t i = 0;
      for (; i + width <= n; i += width) store(y + i, f(load(a + i), load(b + i)));
      if (i < n) store_part(y + i, f(load_part(a + i, n - i), load_part(b + i, n - i)), n - i);
    } else if constexpr (selects) {
      const bool* c = static_cast<const bool*>(inputs[0]);
      const T *a = static_cast<const T*>(inputs[1]), *b = static_cast<const T*>(inputs[2]);
      T* y = static_cast<T*>(output);
      int64_t i = 0;
      for (; i + width <= n; i += width) store(y + i, f(load_mask<T>(c + i), load(a + i), load(b + i)));
      if (i < n) {
        store_part(y + i, f(load_mask_part<T>(c + i, n - i), load_part(a + i, n - i), load_part(b + i, n - i)), n - i);
      }
    } else {
      const T *c = static_cast<const T*>(inputs[0]), *a = static_cast<const T*>(inputs[1]),
              *b = static_cast<const T*>(inputs[2]);
      T* y = static_cast<T*>(output);
      int64_t i = 0;
      for (; i + width <= n; i += width) store(y + i, f(load(c + i), load(a + i), load(b + i)));
      if (i < n) {
        store_part(y + i, f(load_part(c + i, n - i), load_part(a + i, n - i), load_part(b + i, n - i)), n - i);
      }
    }
  }

  template <class V2>
  struct Element {
    using type = T;
  };
  template <class U>
  struct Element<xsimd::batch_bool<U, Arch>> {
    using type = bool;
  };
  template <class V2>
  using element_of = typename Element<std::remove_cvref_t<V2>>::type;
};

template <class F, class... T>
constexpr PointwiseKernels make_pointwise_kernels(Types<T...>) {
  PointwiseKernels kernels;
  kernels.cheap = requires { F::cheap; };
  ((kernels.loops[dtype_index<T>] = PointwiseLoopOf<F, T>::run), ...);
  if constexpr ((std::is_same_v<T, float> || ...)) kernels.fused[0] = {&op_handlers_of<float, F>, false};
  if constexpr ((std::is_same_v<T, double> || ...)) kernels.fused[1] = {&op_handlers_of<double, F>, false};
  if constexpr ((std::is_same_v<T, bool> && ...)) {
    kernels.fused[0] = {&mask_handlers_of<float, F>, true};
    kernels.fused[1] = {&mask_handlers_of<double, F>, true};
  }
  return kernels;
}

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
