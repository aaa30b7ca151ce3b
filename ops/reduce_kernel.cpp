// The kernels of sum, prod, max and min for one instruction set; compiled once per set.
#include <gradloom/ops/reduce_loop_internal.hpp>

#include <limits>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

namespace {

struct Sum {
  template <class T>
  static T identity() {
    return T(0);
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

// nan wins: it is kept where it is a, and taken where it is b because nothing compares greater than it.
struct Max {
  template <class T>
  static T identity() {
    return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  }
  template <class T>
  T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
  template <class T>
  Batch<T> operator()(Batch<T> a, Batch<T> b) const {
    if constexpr (!is_float_v<T>) return xsimd::max(a, b);
    else return xsimd::select((a > b) | (a != a), a, b);
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
    if constexpr (!is_float_v<T>) return xsimd::min(a, b);
    else return xsimd::select((a < b) | (a != a), a, b);
  }
};

// In the order of DType: boolean, u8, i32, i64, f32, f64. Integers are summed as unsigned ones, which wrap around.
template <class Op>
constexpr ReduceKernels accumulating{
    {{}, {}, {}, Reduction<Op, uint64_t>::loops(), Reduction<Op, float>::loops(), Reduction<Op, double>::loops()}};
// As bytes 0 and 1, booleans have the right maximum and minimum.
template <class Op>
constexpr ReduceKernels comparing{{Reduction<Op, uint8_t>::loops(), Reduction<Op, uint8_t>::loops(),
                                   Reduction<Op, int32_t>::loops(), Reduction<Op, int64_t>::loops(),
                                   Reduction<Op, float>::loops(), Reduction<Op, double>::loops()}};

}  // namespace

extern const ReduceKernels sum_kernels, prod_kernels, max_kernels, min_kernels;
const ReduceKernels sum_kernels = accumulating<Sum>;
const ReduceKernels prod_kernels = accumulating<Prod>;
const ReduceKernels max_kernels = comparing<Max>;
const ReduceKernels min_kernels = comparing<Min>;

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
