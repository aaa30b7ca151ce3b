// Handlers of fused programs: see fused_program.hpp. A handler takes eight native vector registers, which the System V
// ABI passes in xmm/ymm/zmm 0 to 7, and ends with a jump to the next cell's handler.
#pragma once

#include <gradloom/ops/fused_program.hpp>
#include <gradloom/ops/load_store_internal.hpp>

#include <utility>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

inline constexpr int64_t registers = 8;
template <class T>
using Register = typename Batch<T>::register_type;

template <class T>
using Handler = void (*)(const FusedCell* cell, int64_t at, Register<T> a, Register<T> b, Register<T> c, Register<T> d,
                         Register<T> e, Register<T> f, Register<T> g, Register<T> h);

/// The handlers of an op in programs of T, by which input is in the registers, and which of the others (bits) are one
/// number: that is loaded once instead of once for each register, and loads are what limits a cheap op.
template <class T>
struct OpHandlers {
  Handler<T> by_input[3][4] = {};
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
[[gnu::flatten]] void handle(const FusedCell* cell, int64_t at, Register<T> a, Register<T> b, Register<T> c,
                             Register<T> d, Register<T> e, Register<T> f, Register<T> g, Register<T> h) {
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

/// An input in memory: a block, or one number.
template <class T, bool Uniform>
struct Operand {
  const T* from;
  Operand(const FusedCell* cell, int64_t at) : from(operand<T>(cell, at)) {}
  Batch<T> operator[](int64_t i) const { return load(from + i * lanes<T>); }
};
template <class T>
struct Operand<T, true> {
  Batch<T> value;
  Operand(const FusedCell* cell, int64_t) : value(*static_cast<const T*>(cell->base)) {}
  Batch<T> operator[](int64_t) const { return value; }
};

/// `Second`: the registers are the second input.
template <class T, class F, bool Second, bool Uniform>
struct Binary {
  static constexpr int cells = 1;
  Operand<T, Uniform> other;
  Binary(const FusedCell* cell, int64_t at) : other(cell, at) {}
  Batch<T> operator()(Batch<T> x, int64_t i) const { return kept<T>(Second ? F{}(other[i], x) : F{}(x, other[i])); }
};

template <class T, class F, int InRegisters, int Uniform>
struct Ternary {
  static constexpr int cells = 2;
  Operand<T, (Uniform & 1) != 0> first;  // of those in memory
  Operand<T, (Uniform & 2) != 0> second;
  Ternary(const FusedCell* cell, int64_t at) : first(cell, at), second(cell + 1, at) {}
  Batch<T> operator()(Batch<T> x, int64_t i) const {
    const Batch<T> y = first[i], z = second[i];
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

template <class T, class F, bool Second, bool Uniform>
struct MaskBinary {
  static constexpr int cells = 1;
  Operand<T, Uniform> other;
  MaskBinary(const FusedCell* cell, int64_t at) : other(cell, at) {}
  Batch<T> operator()(Batch<T> x, int64_t i) const {
    const Mask<T> in_registers = mask_of<T>(x), in_memory = mask_of<T>(other[i]);
    return lanes_of<T>(Second ? F{}(in_memory, in_registers) : F{}(in_registers, in_memory));
  }
};

template <class T, class F>
constexpr OpHandlers<T> ternary_handlers() {
  const auto handlers = []<int... Uniform>(std::integer_sequence<int, Uniform...>) {
    return OpHandlers<T>{{{handle<T, Ternary<T, F, 0, Uniform>>...},
                          {handle<T, Ternary<T, F, 1, Uniform>>...},
                          {handle<T, Ternary<T, F, 2, Uniform>>...}}};
  };
  return handlers(std::make_integer_sequence<int, 4>());
}

/// The handlers made from a functor over vectors of T.
template <class T, class F>
constexpr OpHandlers<T> op_handlers() {
  using V = Batch<T>;
  if constexpr (requires { F::selects; }) {
    return ternary_handlers<T, F>();
  } else if constexpr (std::is_invocable_v<F, V>) {
    return {{{handle<T, Unary<T, F>>}}};
  } else if constexpr (std::is_invocable_v<F, V, V>) {
    return {{{handle<T, Binary<T, F, false, false>>, handle<T, Binary<T, F, false, true>>},
             {handle<T, Binary<T, F, true, false>>, handle<T, Binary<T, F, true, true>>}}};
  } else {
    return ternary_handlers<T, F>();
  }
}

/// Those made from a functor over masks.
template <class T, class F>
constexpr OpHandlers<T> mask_handlers() {
  if constexpr (std::is_invocable_v<F, Mask<T>>) {
    return {{{handle<T, MaskUnary<T, F>>}}};
  } else {
    return {{{handle<T, MaskBinary<T, F, false, false>>, handle<T, MaskBinary<T, F, false, true>>},
             {handle<T, MaskBinary<T, F, true, false>>, handle<T, MaskBinary<T, F, true, true>>}}};
  }
}

template <class T, class F>
inline constexpr OpHandlers<T> op_handlers_of = op_handlers<T, F>();
template <class T, class F>
inline constexpr OpHandlers<T> mask_handlers_of = mask_handlers<T, F>();

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
