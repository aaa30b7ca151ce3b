// The part of fused programs that belongs to no op: loads, stores, reductions, and the loop over blocks.
#include <gradloom/ops/fused_internal.hpp>
#include <gradloom/ops/reduce_functors_internal.hpp>

#include <algorithm>
#include <type_traits>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

namespace {

/// A block of rows: narrow enough for one tile of a matrix product.
#if defined(__AVX512BW__)
inline constexpr int64_t vectors_per_row = 1;
#else
inline constexpr int64_t vectors_per_row = 2;
#endif

/// Where the i-th vector of a block is.
template <class T, bool Rows>
struct Place {
  int64_t stride;
  Place(const FusedCell* cell, int64_t) : stride(Rows ? cell->stride : 0) {}
  int64_t operator[](int64_t i) const {
    return Rows ? i / vectors_per_row * stride + i % vectors_per_row * lanes<T> : i * lanes<T>;
  }
};

/// The first element of a block. Rows are counted in rows, elements in elements.
template <class E, bool Rows>
inline E* begin_of(const FusedCell* cell, int64_t at) {
  return static_cast<E*>(cell->base) + (Rows ? at * cell->stride : at & cell->moves);
}

template <class T, bool Rows>
struct Load {
  static constexpr int cells = 1;
  const T* from;
  Place<T, Rows> place;
  Load(const FusedCell* cell, int64_t at) : from(begin_of<T, Rows>(cell, at)), place(cell, at) {}
  Batch<T> operator()(Batch<T>, int64_t i) const { return load(from + place[i]); }
};

template <class T>
struct LoadStream {
  static constexpr int cells = 1;
  const T* from;
  LoadStream(const FusedCell* cell, int64_t at) : from(operand<T>(cell, at)) { fetch_ahead<T>(cell, from); }
  Batch<T> operator()(Batch<T>, int64_t i) const { return load(from + i * lanes<T>); }
};

template <class T>
struct Fetch {
  static constexpr int cells = 1;
  Fetch(const FusedCell* cell, int64_t at) { fetch_ahead<T>(cell, operand<T>(cell, at)); }
  Batch<T> operator()(Batch<T> x, int64_t) const { return x; }
};

template <class T>
struct LoadUniform {
  static constexpr int cells = 1;
  Operand<T, true> value;
  LoadUniform(const FusedCell* cell, int64_t at) : value(cell, at) {}
  Batch<T> operator()(Batch<T>, int64_t i) const { return value[i]; }
};

template <class T, bool Rows>
struct LoadMask {
  static constexpr int cells = 1;
  const bool* from;
  Place<T, Rows> place;
  LoadMask(const FusedCell* cell, int64_t at) : from(begin_of<bool, Rows>(cell, at)), place(cell, at) {
    if (!Rows && cell->stride != 0) fetch_ahead<T>(cell, from);
  }
  Batch<T> operator()(Batch<T>, int64_t i) const { return lanes_of<T>(load_mask<T>(from + place[i])); }
};

template <bool Rows>
struct LoadBf16 {
  static constexpr int cells = 1;
  const BFloat16* from;
  Place<float, Rows> place;
  LoadBf16(const FusedCell* cell, int64_t at) : from(begin_of<BFloat16, Rows>(cell, at)), place(cell, at) {
    if (!Rows && cell->stride != 0) fetch_ahead<float>(cell, from);
  }
  Batch<float> operator()(Batch<float>, int64_t i) const { return load_bf16(from + place[i]); }
};

template <class T, bool Rows>
struct Store {
  static constexpr int cells = 1;
  T* to;
  Place<T, Rows> place;
  Store(const FusedCell* cell, int64_t at) : to(begin_of<T, Rows>(cell, at)), place(cell, at) {}
  Batch<T> operator()(Batch<T> x, int64_t i) const {
    store(to + place[i], x);
    return x;
  }
};

template <class T>
struct StoreUniform {
  static constexpr int cells = 1;
  T* to;
  StoreUniform(const FusedCell* cell, int64_t) : to(static_cast<T*>(cell->base)) {}
  Batch<T> operator()(Batch<T> x, int64_t i) const {
    if (i == 0) store(to, x);
    return x;
  }
};

template <class T, bool Rows>
struct StoreMask {
  static constexpr int cells = 1;
  bool* to;
  Place<T, Rows> place;
  StoreMask(const FusedCell* cell, int64_t at) : to(begin_of<bool, Rows>(cell, at)), place(cell, at) {}
  Batch<T> operator()(Batch<T> x, int64_t i) const {
    store<T>(to + place[i], mask_of<T>(x));
    return x;
  }
};

template <bool Rows>
struct StoreBf16 {
  static constexpr int cells = 1;
  BFloat16* to;
  Place<float, Rows> place;
  StoreBf16(const FusedCell* cell, int64_t at) : to(begin_of<BFloat16, Rows>(cell, at)), place(cell, at) {}
  Batch<float> operator()(Batch<float> x, int64_t i) const {
    store_bf16(to + place[i], x);
    return x;
  }
};

inline void store_past_caches(float* to, Batch<float> x) {
#if defined(__AVX512BW__)
  _mm512_stream_ps(to, x);
#elif defined(__AVX2__)
  _mm256_stream_ps(to, x);
#else
  _mm_stream_ps(to, x);
#endif
}
inline void store_past_caches(double* to, Batch<double> x) {
#if defined(__AVX512BW__)
  _mm512_stream_pd(to, x);
#elif defined(__AVX2__)
  _mm256_stream_pd(to, x);
#else
  _mm_stream_pd(to, x);
#endif
}

template <class T>
struct StoreStreaming {
  static constexpr int cells = 1;
  T* to;
  StoreStreaming(const FusedCell* cell, int64_t at) : to(operand<T>(cell, at)) {}
  Batch<T> operator()(Batch<T> x, int64_t i) const {
    store_past_caches(to + i * lanes<T>, x);
    return x;
  }
};

/// Combines the block with what is in memory, element for element: sums over rows.
template <class T>
struct AddTo {
  static constexpr int cells = 1;
  T* sums;
  AddTo(const FusedCell* cell, int64_t at) : sums(operand<T>(cell, at)) {}
  Batch<T> operator()(Batch<T> x, int64_t i) const {
    store(sums + i * lanes<T>, load(sums + i * lanes<T>) + x);
    return x;
  }
};

/// Combines the block to one vector, and that with the accumulator. `Part`: only the first `stride` elements.
template <class T, class Op, bool Part, bool Loads>
void reduce_block(const FusedCell* cell, int64_t at, Register<T> a, Register<T> b, Register<T> c, Register<T> d,
                  Register<T> e, Register<T> f, Register<T> g, Register<T> h) {
  using V = Batch<T>;
  if constexpr (Loads) {
    const T* const from = operand<T>(cell, at);
    a = load(from);
    b = load(from + lanes<T>);
    c = load(from + 2 * lanes<T>);
    d = load(from + 3 * lanes<T>);
    e = load(from + 4 * lanes<T>);
    f = load(from + 5 * lanes<T>);
    g = load(from + 6 * lanes<T>);
    h = load(from + 7 * lanes<T>);
    ++cell;
  }
  T* const accumulator = static_cast<T*>(cell->base);
  V all;
  if constexpr (Part) {
    T x[registers * lanes<T>];
    const Register<T> block[registers] = {a, b, c, d, e, f, g, h};
    for (int64_t i = 0; i < registers; ++i) store(x + i * lanes<T>, V(block[i]));
    for (int64_t i = cell->stride; i < registers * lanes<T>; ++i) x[i] = Op::template identity<T>();
    const auto part = [&x](int64_t i) { return load(x + i * lanes<T>); };
    all = fold_block<Op, T>(Op{}, part(0), part(1), part(2), part(3), part(4), part(5), part(6), part(7));
  } else {
    all = fold_block<Op, T>(Op{}, V(a), V(b), V(c), V(d), V(e), V(f), V(g), V(h));
  }
  store(accumulator, Op{}(load(accumulator), all));
  return reinterpret_cast<Handler<T>>(cell[1].run)(cell + 1, at, a, b, c, d, e, f, g, h);
}

template <class T>
void call_loop(const FusedCell* cell, int64_t at, Register<T> a, Register<T> b, Register<T> c, Register<T> d,
               Register<T> e, Register<T> f, Register<T> g, Register<T> h) {
  const auto place = [at](const FusedCell& operand) {
    return static_cast<char*>(operand.base) + (at & operand.moves) * operand.stride;
  };
  const int64_t count = cell->moves;
  const void* inputs[3] = {};
  for (int64_t i = 0; i < count; ++i) inputs[i] = place(cell[1 + i]);
  reinterpret_cast<PointwiseLoop>(cell->base)(inputs, place(cell[1 + count]), registers * lanes<T>);
  const FusedCell* const next = cell + fused_call_cells + count;
  // The result is in memory; what the registers hold now is nobody's.
  return reinterpret_cast<Handler<T>>(next->run)(next, at, a, b, c, d, e, f, g, h);
}

template <class T>
void end(const FusedCell*, int64_t, Register<T>, Register<T>, Register<T>, Register<T>, Register<T>, Register<T>,
         Register<T>, Register<T>) {}

template <class T, class Step>
FusedHandler erased() {
  return reinterpret_cast<FusedHandler>(handle<T, Step>);
}

FusedHandler bf16_step_of(FusedStep step) noexcept {
  switch (step) {
    case FusedStep::load_bf16:
      return erased<float, LoadBf16<false>>();
    case FusedStep::load_bf16_rows:
      return erased<float, LoadBf16<true>>();
    case FusedStep::store_bf16:
      return erased<float, StoreBf16<false>>();
    default:
      return erased<float, StoreBf16<true>>();
  }
}

template <class T>
FusedHandler step_of(FusedStep step) noexcept {
  switch (step) {
    case FusedStep::load_bf16:
    case FusedStep::load_bf16_rows:
    case FusedStep::store_bf16:
    case FusedStep::store_bf16_rows:
      return bf16_step_of(step);
    case FusedStep::load:
      return erased<T, Load<T, false>>();
    case FusedStep::load_stream:
      return erased<T, LoadStream<T>>();
    case FusedStep::fetch:
      return erased<T, Fetch<T>>();
    case FusedStep::load_uniform:
      return erased<T, LoadUniform<T>>();
    case FusedStep::load_mask:
      return erased<T, LoadMask<T, false>>();
    case FusedStep::load_rows:
      return erased<T, Load<T, true>>();
    case FusedStep::load_mask_rows:
      return erased<T, LoadMask<T, true>>();
    case FusedStep::store:
      return erased<T, Store<T, false>>();
    case FusedStep::store_mask:
      return erased<T, StoreMask<T, false>>();
    case FusedStep::store_rows:
      return erased<T, Store<T, true>>();
    case FusedStep::store_mask_rows:
      return erased<T, StoreMask<T, true>>();
    case FusedStep::store_uniform:
      return erased<T, StoreUniform<T>>();
    case FusedStep::store_streaming:
      return erased<T, StoreStreaming<T>>();
    case FusedStep::add_to:
      return erased<T, AddTo<T>>();
    case FusedStep::load_add_to:
      return reinterpret_cast<FusedHandler>(handle<T, AddTo<T>, static_cast<int>(FusedAlong::load)>);
    case FusedStep::call:
      return reinterpret_cast<FusedHandler>(call_loop<T>);
    case FusedStep::end:
      break;
  }
  return reinterpret_cast<FusedHandler>(end<T>);
}

template <class T>
FusedHandler op_of(const FusedHandlers& handlers, int in_registers, int uniform, FusedAlong along) noexcept {
  const auto& typed = *static_cast<const OpHandlers<T>*>(handlers.handlers);
  return reinterpret_cast<FusedHandler>(typed.along[static_cast<int>(along)].of[in_registers][uniform]);
}

struct AddProduct {
  template <class V>
  V operator()(V x, V a, V b) const {
    return x + a * b;
  }
};
struct SubtractProduct {
  template <class V>
  V operator()(V x, V a, V b) const {
    return x - a * b;
  }
};
struct SubtractFromProduct {
  template <class V>
  V operator()(V x, V a, V b) const {
    return a * b - x;
  }
};
struct MultiplyByProduct {
  template <class V>
  V operator()(V x, V a, V b) const {
    return x * (a * b);
  }
};

template <class T, class F>
FusedHandler product_step(bool uniform, FusedAlong along) {
  constexpr int store = static_cast<int>(FusedAlong::store);
  if (along != FusedAlong::nothing && along != FusedAlong::store) return nullptr;
  const bool stores = along == FusedAlong::store;
  const Handler<T> handler = uniform
                                 ? (stores ? handle<T, Ternary<T, F, 0, 2>, store> : handle<T, Ternary<T, F, 0, 2>>)
                                 : (stores ? handle<T, Ternary<T, F, 0, 0>, store> : handle<T, Ternary<T, F, 0, 0>>);
  return reinterpret_cast<FusedHandler>(handler);
}

template <class T>
FusedHandler with_product(FusedWithProduct step, bool uniform, FusedAlong along) noexcept {
  switch (step) {
    case FusedWithProduct::subtract:
      return product_step<T, SubtractProduct>(uniform, along);
    case FusedWithProduct::subtract_from:
      return product_step<T, SubtractFromProduct>(uniform, along);
    case FusedWithProduct::multiply:
      return product_step<T, MultiplyByProduct>(uniform, along);
    case FusedWithProduct::add:
      break;
  }
  return product_step<T, AddProduct>(uniform, along);
}

template <class T, class Op, bool Part>
FusedHandler reduce_with(FusedAlong along) {
  return reinterpret_cast<FusedHandler>(along == FusedAlong::load ? reduce_block<T, Op, Part, true>
                                                                  : reduce_block<T, Op, Part, false>);
}

/// Calls use(Op{}) with the functor that `reduce` names.
template <class Use>
auto with(FusedReduce reduce, Use use) {
  switch (reduce) {
    case FusedReduce::prod:
      return use(Prod{});
    case FusedReduce::max:
      return use(Max{});
    case FusedReduce::min:
      return use(Min{});
    case FusedReduce::sum:
      break;
  }
  return use(Sum{});
}

template <class T>
FusedHandler reduce_of(FusedReduce reduce, bool part, FusedAlong along) noexcept {
  return with(reduce, [part, along]<class Op>(Op) {
    return part ? reduce_with<T, Op, true>(along) : reduce_with<T, Op, false>(along);
  });
}

template <class T>
void run(const FusedCell* program, int64_t begin, int64_t end, int64_t step) noexcept {
  const auto first = reinterpret_cast<Handler<T>>(program->run);
  const Register<T> any = Batch<T>(T{0});  // every program begins with a load or a call
  for (int64_t at = begin; at < end; at += step) first(program, at, any, any, any, any, any, any, any, any);
#if defined(__AVX2__)
  _mm256_zeroupper();  // the compiler does not see that handlers use them; the caller's SSE code would wait for them
#endif
}

template <class T>
void reset(FusedReduce reduce, void* accumulator) noexcept {
  with(reduce,
       [accumulator]<class Op>(Op) { store(static_cast<T*>(accumulator), Batch<T>(Op::template identity<T>())); });
}

template <class T>
void fold(FusedReduce reduce, const void* accumulator, void* result) noexcept {
  with(reduce, [=]<class Op>(Op op) {
    *static_cast<T*>(result) = fold_lanes<Op, T>(op, load(static_cast<const T*>(accumulator)));
  });
}

template <class T>
void sum_rows(const void* from, int64_t stride, int64_t rows, int64_t columns, void* sums, bool add) noexcept {
  const T* const x = static_cast<const T*>(from);
  T* const out = static_cast<T*>(sums);
  int64_t j = 0;
  for (; j + lanes<T> <= columns; j += lanes<T>) {
    Batch<T> sum = add ? load(out + j) + load(x + j) : load(x + j);
    for (int64_t i = 1; i < rows; ++i) sum = sum + load(x + i * stride + j);
    store(out + j, sum);
  }
  if (j == columns) return;
  const int64_t left = columns - j;
  Batch<T> sum = add ? load_part(out + j, left) + load_part(x + j, left) : load_part(x + j, left);
  for (int64_t i = 1; i < rows; ++i) sum = sum + load_part(x + i * stride + j, left);
  store_part(out + j, sum, left);
}

// Whole vectors, because the program loads whole vectors: a load waits for memory if several stores wrote what it
// reads.
template <class E>
void fill_elements(const void* memory, int64_t count, void* block, int64_t size) {
  const E* const from = static_cast<const E*>(memory);
  E* const to = static_cast<E*>(block);
  if constexpr (std::is_floating_point_v<E>) {
    int64_t at = 0;
    for (; at + lanes<E> <= count; at += lanes<E>) store(to + at, load(from + at));
    if (at < count) {
      store(to + at, load_part(from + at, count - at));
      at += lanes<E>;
    }
    const Batch<E> last(from[count - 1]);
    for (; at < size; at += lanes<E>) store(to + at, last);
  } else {
    std::copy_n(from, count, to);
    std::fill(to + count, to + size, from[count - 1]);
  }
}

template <class T>
void fill_block(const void* from, int64_t count, void* to, size_t element_size) noexcept {
  constexpr int64_t block = registers * lanes<T>;
  switch (element_size) {
    case 1:
      return fill_elements<uint8_t>(from, count, to, block);
    case 2:
      return fill_elements<uint16_t>(from, count, to, block);
    case 4:
      return fill_elements<float>(from, count, to, block);
    default:
      return fill_elements<double>(from, count, to, block);
  }
}

template <class T>
void merge(FusedReduce reduce, const void* a, const void* b, void* result) noexcept {
  with(reduce,
       [=]<class Op>(Op op) { *static_cast<T*>(result) = op(*static_cast<const T*>(a), *static_cast<const T*>(b)); });
}

template <class T>
constexpr FusedKernels kernels() {
  return {registers * lanes<T>,
          registers / vectors_per_row,
          step_of<T>,
          op_of<T>,
          with_product<T>,
          reduce_of<T>,
          run<T>,
          reset<T>,
          fold<T>,
          sum_rows<T>,
          fill_block<T>,
          merge<T>};
}

}  // namespace

const FusedKernels fused_f32_kernels = kernels<float>();
const FusedKernels fused_f64_kernels = kernels<double>();

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA
