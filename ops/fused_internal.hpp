// Handlers of fused programs: see fused_program.hpp. A handler takes eight native vector registers, which the System V
// ABI passes in xmm/ymm/zmm 0 to 7, and ends with a jump to the next cell's handler.
#pragma once

#include <gradloom/ops/fused_program.hpp>
#include <gradloom/ops/load_store_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

inline constexpr int64_t registers = 8;
/// A block of rows: narrow enough for one tile of a matrix product.
#if defined(__AVX512BW__)
inline constexpr int64_t vectors_per_row = 1;
#else
inline constexpr int64_t vectors_per_row = 2;
#endif

template <class T>
using Register = typename Batch<T>::register_type;

template <class T>
using Handler = void (*)(const FusedCell* cell, int64_t at, Register<T> a, Register<T> b, Register<T> c, Register<T> d,
                         Register<T> e, Register<T> f, Register<T> g, Register<T> h);

/// The handlers of an op in programs of T, by which input is in the registers.
template <class T>
struct OpHandlers {
  Handler<T> by_input[3] = {};
};

template <class T>
inline T* operand(const FusedCell* cell, int64_t at) {
  return static_cast<T*>(cell->base) + (at & cell->moves);
}

template <class T>
inline Batch<T> lanes_of(Mask<T> mask) {
#if defined(__AVX512BW__)
  if constexpr (sizeof(T) == 4) {
    return _mm512_castsi512_ps(_mm512_movm_epi32(mask));
  } else {
    return _mm512_castsi512_pd(_mm512_movm_epi64(mask));
  }
#else
  return Batch<T>(static_cast<Register<T>>(mask));
#endif
}

template <class T>
inline Mask<T> mask_of(Batch<T> lanes) {
#if defined(__AVX512BW__)
  if constexpr (sizeof(T) == 4) {
    return _mm512_movepi32_mask(_mm512_castps_si512(lanes));
  } else {
    return _mm512_movepi64_mask(_mm512_castpd_si512(lanes));
  }
#else
  return Mask<T>(static_cast<Register<T>>(lanes));
#endif
}

/// A functor's result, as it is kept in a register.
template <class T>
inline Batch<T> kept(Batch<T> value) {
  return value;
}
template <class T>
inline Batch<T> kept(Mask<T> value) {
  return lanes_of<T>(value);
}

/// The handler that does `Step` to each register. A Step is made from its cell and where the block is, takes a register
/// and its number, and says how many cells it is long.
template <class T, class Step>
[[gnu::flatten]] void handle(const FusedCell* cell, int64_t at, Register<T> a, Register<T> b, Register<T> c, Register<T> d,
            Register<T> e, Register<T> f, Register<T> g, Register<T> h) {
  using V = Batch<T>;
  const Step step(cell, at);
  a = step(V(a), 0);
  b = step(V(b), 1);
  c = step(V(c), 2);
  d = step(V(d), 3);
  e = step(V(e), 4);
  f = step(V(f), 5);
  g = step(V(g), 6);
  h = step(V(h), 7);
  const FusedCell* const next = cell + Step::cells;
  return reinterpret_cast<Handler<T>>(next->run)(next, at, a, b, c, d, e, f, g, h);
}

// ---- the steps of ops

template <class T, class F>
struct Unary {
  static constexpr int cells = 1;
  Unary(const FusedCell*, int64_t) {}
  Batch<T> operator()(Batch<T> x, int64_t) const { return kept<T>(F{}(x)); }
};

/// `Second`: the registers are the second input.
template <class T, class F, bool Second>
struct Binary {
  static constexpr int cells = 1;
  const T* other;
  Binary(const FusedCell* cell, int64_t at) : other(operand<T>(cell, at)) {}
  Batch<T> operator()(Batch<T> x, int64_t i) const {
    const Batch<T> y = load(other + i * lanes<T>);
    return kept<T>(Second ? F{}(y, x) : F{}(x, y));
  }
};

template <class T, class F, int InRegisters>
struct Ternary {
  static constexpr int cells = 2;
  const T *first, *second;  // of those in memory
  Ternary(const FusedCell* cell, int64_t at) : first(operand<T>(cell, at)), second(operand<T>(cell + 1, at)) {}
  Batch<T> operator()(Batch<T> x, int64_t i) const {
    const Batch<T> y = load(first + i * lanes<T>), z = load(second + i * lanes<T>);
    if constexpr (InRegisters == 0) return apply(x, y, z);
    if constexpr (InRegisters == 1) return apply(y, x, z);
    return apply(y, z, x);
  }

 private:
  static Batch<T> apply(Batch<T> a, Batch<T> b, Batch<T> c) {
    if constexpr (requires { F::selects; }) {
      return kept<T>(F{}(mask_of<T>(a), b, c));
    } else {
      return kept<T>(F{}(a, b, c));
    }
  }
};

template <class T, class F>
struct MaskUnary {
  static constexpr int cells = 1;
  MaskUnary(const FusedCell*, int64_t) {}
  Batch<T> operator()(Batch<T> x, int64_t) const { return kept<T>(F{}(mask_of<T>(x))); }
};

template <class T, class F, bool Second>
struct MaskBinary {
  static constexpr int cells = 1;
  const T* other;
  MaskBinary(const FusedCell* cell, int64_t at) : other(operand<T>(cell, at)) {}
  Batch<T> operator()(Batch<T> x, int64_t i) const {
    const Mask<T> in_registers = mask_of<T>(x), in_memory = mask_of<T>(load(other + i * lanes<T>));
    return lanes_of<T>(Second ? F{}(in_memory, in_registers) : F{}(in_registers, in_memory));
  }
};

/// The handlers made from a functor over vectors of T.
template <class T, class F>
constexpr OpHandlers<T> op_handlers() {
  using V = Batch<T>;
  if constexpr (requires { F::selects; }) {
    return {{handle<T, Ternary<T, F, 0>>, handle<T, Ternary<T, F, 1>>, handle<T, Ternary<T, F, 2>>}};
  } else if constexpr (std::is_invocable_v<F, V>) {
    return {{handle<T, Unary<T, F>>}};
  } else if constexpr (std::is_invocable_v<F, V, V>) {
    return {{handle<T, Binary<T, F, false>>, handle<T, Binary<T, F, true>>}};
  } else {
    return {{handle<T, Ternary<T, F, 0>>, handle<T, Ternary<T, F, 1>>, handle<T, Ternary<T, F, 2>>}};
  }
}

/// Those made from a functor over masks.
template <class T, class F>
constexpr OpHandlers<T> mask_handlers() {
  if constexpr (std::is_invocable_v<F, Mask<T>>) {
    return {{handle<T, MaskUnary<T, F>>}};
  } else {
    return {{handle<T, MaskBinary<T, F, false>>, handle<T, MaskBinary<T, F, true>>}};
  }
}

template <class T, class F>
inline constexpr OpHandlers<T> op_handlers_of = op_handlers<T, F>();
template <class T, class F>
inline constexpr OpHandlers<T> mask_handlers_of = mask_handlers<T, F>();

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
