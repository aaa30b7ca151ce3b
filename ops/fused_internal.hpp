// Handlers of fused programs: see fused_program.hpp. A handler takes eight native vector registers, which the System V
// ABI passes in xmm/ymm/zmm 0 to 7, and ends with a jump to the next cell's handler.
#pragma once

#include <gradloom/ops/fused_program.hpp>
#include <gradloom/ops/load_store_internal.hpp>

#include <utility>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

inline constexpr int64_t registers = fused_registers;
template <class T>
using Register = typename Batch<T>::register_type;

template <class T>
using Handler = void (*)(const FusedCell* cell, int64_t at, Register<T> a, Register<T> b, Register<T> c, Register<T> d,
                         Register<T> e, Register<T> f, Register<T> g, Register<T> h);

/// Handlers of an op, by which input is in the registers, and which of the others (bits) are one number: that is loaded
/// once instead of once for each register, and loads are what limits a cheap op.
template <class T>
struct ByInput {
  Handler<T> of[3][4] = {};
};

/// The handlers of an op in programs of T, by the cells that they stand for (FusedAlong as a number). A functor that
/// declares a member `cheap` has them all: a jump costs as much as its work.
template <class T>
struct OpHandlers {
  ByInput<T> along[4] = {};
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

/// Asks memory for what a load of a block will want later: the hardware's own prefetcher stays too near, and stops at
/// every page. What lies behind the end of an operand is only asked for, never read.
template <class T, class E>
inline void fetch_ahead(const FusedCell* cell, const E* from) {
  constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(E));
  const E* const ahead = from + cell->stride;
  for (int64_t i = 0; i < registers * lanes<T>; i += line) __builtin_prefetch(ahead + i);
}

/// Does a step take so many instructions that eight copies are no faster than a loop? Its functor declares a member
/// `bulky` then.
template <class Step>
inline constexpr bool is_bulky = false;

/// The handler that does `Step` to each register. A Step is made from its cell and where the block is, takes a register
/// and its number, and says how many cells it is long. `Along`: the cell before it loads the registers, or the one
/// after it stores them, and this handler does it too.
template <class T, class Step, int Along = 0>
[[gnu::flatten]] void handle(const FusedCell* cell, int64_t at, Register<T> a, Register<T> b, Register<T> c,
                             Register<T> d, Register<T> e, Register<T> f, Register<T> g, Register<T> h) {
  using V = Batch<T>;
  constexpr bool loads = (Along & static_cast<int>(FusedAlong::load)) != 0,
                 stores = (Along & static_cast<int>(FusedAlong::store)) != 0;
  const FusedCell* const own = cell + (loads ? 1 : 0);
  const FusedCell* next = own + Step::cells;
  const T* const from = loads ? operand<T>(cell, at) : nullptr;
  T* const to = stores ? operand<T>(next, at) : nullptr;
  if (loads && cell->stride != 0) fetch_ahead<T>(cell, from);
  const Step step(own, at);
  const auto one = [&](Register<T> x, int64_t i) {
    const V y = step(loads ? load(from + i * lanes<T>) : V(x), i);
    if constexpr (stores) store(to + i * lanes<T>, y);
    return y;
  };
  if constexpr (is_bulky<Step>) {
    Register<T> x[registers] = {a, b, c, d, e, f, g, h};
#pragma GCC unroll 1
    for (int64_t i = 0; i < registers; ++i) x[i] = one(x[i], i);
    a = x[0], b = x[1], c = x[2], d = x[3], e = x[4], f = x[5], g = x[6], h = x[7];
  } else {
    a = one(a, 0);
    b = one(b, 1);
    c = one(c, 2);
    d = one(d, 3);
    e = one(e, 4);
    f = one(f, 5);
    g = one(g, 6);
    h = one(h, 7);
  }
  next += stores ? 1 : 0;
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

template <class F>
concept Bulky = requires {
  F::bulky;
};
template <class T, Bulky F, bool Second, bool Uniform>
inline constexpr bool is_bulky<Binary<T, F, Second, Uniform>> = true;

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

template <class T, class F, int Along>
constexpr ByInput<T> ternary_handlers() {
  const auto handlers = []<int... Uniform>(std::integer_sequence<int, Uniform...>) {
    return ByInput<T>{{{handle<T, Ternary<T, F, 0, Uniform>, Along>...},
                       {handle<T, Ternary<T, F, 1, Uniform>, Along>...},
                       {handle<T, Ternary<T, F, 2, Uniform>, Along>...}}};
  };
  return handlers(std::make_integer_sequence<int, 4>());
}

/// The handlers made from a functor over vectors of T.
template <class T, class F, int Along>
constexpr ByInput<T> vector_handlers() {
  using V = Batch<T>;
  if constexpr (requires { F::selects; }) {
    return ternary_handlers<T, F, Along>();
  } else if constexpr (std::is_invocable_v<F, V>) {
    return {{{handle<T, Unary<T, F>, Along>}}};
  } else if constexpr (std::is_invocable_v<F, V, V>) {
    return {{{handle<T, Binary<T, F, false, false>, Along>, handle<T, Binary<T, F, false, true>, Along>},
             {handle<T, Binary<T, F, true, false>, Along>, handle<T, Binary<T, F, true, true>, Along>}}};
  } else {
    return ternary_handlers<T, F, Along>();
  }
}

template <class T, class F>
constexpr OpHandlers<T> op_handlers() {
  if constexpr (requires { F::cheap; }) {
    return {{vector_handlers<T, F, 0>(), vector_handlers<T, F, 1>(), vector_handlers<T, F, 2>(),
             vector_handlers<T, F, 3>()}};
  } else {
    return {{vector_handlers<T, F, 0>()}};
  }
}

/// Those made from a functor over masks.
template <class T, class F>
constexpr OpHandlers<T> mask_handlers() {
  if constexpr (std::is_invocable_v<F, Mask<T>>) {
    return {{ByInput<T>{{{handle<T, MaskUnary<T, F>>}}}}};
  } else {
    return {{ByInput<T>{{{handle<T, MaskBinary<T, F, false, false>>, handle<T, MaskBinary<T, F, false, true>>},
                         {handle<T, MaskBinary<T, F, true, false>>, handle<T, MaskBinary<T, F, true, true>>}}}}};
  }
}

template <class T, class F>
inline constexpr OpHandlers<T> op_handlers_of = op_handlers<T, F>();
template <class T, class F>
inline constexpr OpHandlers<T> mask_handlers_of = mask_handlers<T, F>();

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
