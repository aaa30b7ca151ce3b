// max_pool and its gradient, max_unpool: both are told where the maxima are. What differentiates max_unpool is
// take_along_axis, so there are gradients of every order.
#include <gradloom/graph/dtype.hpp>
#include <gradloom/ops/pool_table_internal.hpp>

namespace gradloom::inline v0 {

/// Rows [begin, end) of the result.
using MaxPoolLoop = void (*)(const PoolTable& table, const void* x, void* y, int32_t* index, int64_t begin,
                             int64_t end);
using MaxUnpoolLoop = void (*)(const PoolTable& table, const void* y, const int32_t* index, void* x, int64_t begin,
                               int64_t end);

/// By the dtype (as a number) of the elements.
struct MaxPoolKernels {
  MaxPoolLoop pool[dtype_count] = {};
  MaxUnpoolLoop unpool[dtype_count] = {};
};

}  // namespace gradloom::inline v0

#ifdef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/pointwise_loop_internal.hpp>
#include <gradloom/ops/pool_loop_internal.hpp>

#include <limits>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

namespace {

template <class T>
void pool(const PoolTable& table, const void* from, void* to, int32_t* indices, int64_t begin, int64_t end) {
  const int64_t channels = table.channels;
  for_pool_positions(table, begin, end, [&](int64_t at, int64_t, auto sees) {
    T* const y = static_cast<T*>(to) + at;
    int32_t* const index = indices + at;
    const bool any = sees([&](int64_t offset, int64_t source, bool is_first) {
      const T* const x = static_cast<const T*>(from) + offset;
      const int32_t here = static_cast<int32_t>(source);
      if (is_first) {
        for (int64_t c = 0; c < channels; ++c) y[c] = x[c];
        for (int64_t c = 0; c < channels; ++c) index[c] = here;
        return;
      }
      GRADLOOM_INDEPENDENT
      for (int64_t c = 0; c < channels; ++c) {
        const T best = y[c], value = x[c];
        const bool stays = best >= value || best != best;  // of equal ones the first, and the first nan
        y[c] = stays ? best : value;
        index[c] = stays ? index[c] : here;
      }
    });
    if (any) return;  // else a dilated window found nothing but padding
    const T least =
        std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
    for (int64_t c = 0; c < channels; ++c) {
      y[c] = least;
      index[c] = 0;
    }
  });
}

template <class T>
void unpool(const PoolTable& table, const void* from, const int32_t* indices, void* to, int64_t begin, int64_t end) {
  const int64_t channels = table.channels;
  for_pool_positions(table, begin, end, [&](int64_t at, int64_t position, auto sees) {
    T* const x = static_cast<T*>(to) + at;
    const int32_t here = static_cast<int32_t>(position);
    const bool any = sees([&](int64_t offset, int64_t, bool is_first) {
      const T* const y = static_cast<const T*>(from) + offset;
      const int32_t* const index = indices + offset;
      if (is_first) {
        GRADLOOM_INDEPENDENT
        for (int64_t c = 0; c < channels; ++c) x[c] = index[c] == here ? y[c] : T(0);
      } else {
        GRADLOOM_INDEPENDENT
        for (int64_t c = 0; c < channels; ++c) x[c] = static_cast<T>(x[c] + (index[c] == here ? y[c] : T(0)));
      }
    });
    for (int64_t c = 0; c < channels && !any; ++c) x[c] = T(0);
  });
}

template <class... T>
constexpr MaxPoolKernels make_kernels(Types<T...>) {
  MaxPoolKernels kernels;
  ((kernels.pool[dtype_index<T>] = pool<T>, kernels.unpool[dtype_index<T>] = unpool<T>), ...);
  return kernels;
}

}  // namespace

extern const MaxPoolKernels max_pool_kernels;
const MaxPoolKernels max_pool_kernels = make_kernels(numbers);

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#else

#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/pool_windows_internal.hpp>
#include <gradloom/ops/pooling.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

namespace baseline {
extern const MaxPoolKernels max_pool_kernels;
}
namespace avx2 {
extern const MaxPoolKernels max_pool_kernels;
}
namespace avx512 {
extern const MaxPoolKernels max_pool_kernels;
}

namespace {

using Numbers = std::vector<int64_t>;

void require_numbers(const ShapeContext& context) {
  if (context.dtype(0) == DType::boolean) context.fail("booleans are no numbers");
}

Dim positions(const Shape& x) {
  Dim count = 1;
  for (int axis = 1; axis + 1 < x.rank(); ++axis) count = count * x[axis];
  return count;
}

// Positions are i32.
void require_positions(const ShapeContext& context, const Shape& x) {
  const Dim count = positions(x);
  if (count.known() && count.value() > INT32_MAX)
    context.fail(fmt::format("an image has {} positions, more than an i32 can name", count.value()));
}

std::vector<TensorType> pool_shape(const ShapeContext& context) {
  require_numbers(context);
  const Shape y = pooled_shape(context, context.shape(0));
  require_positions(context, context.shape(0));
  return {{context.dtype(0), y}, {DType::i32, y}};
}

std::vector<TensorType> unpool_shape(const ShapeContext& context) {
  require_numbers(context);
  if (context.dtype(1) != DType::i32) context.fail(fmt::format("the index is {}", to_string(context.dtype(1))));
  const Shape &y = context.shape(0), &index = context.shape(1);
  if (y.rank() != index.rank()) context.fail(fmt::format("the ranks differ, {} and {}", y.rank(), index.rank()));
  for (int axis = 0; axis < y.rank(); ++axis)
    (void)context.require_equal(y[axis], index[axis], fmt::format("the sizes of axis {}", axis));
  const Shape x = unpooled_shape(context, y);
  require_positions(context, x);
  return {{context.dtype(0), x}};
}

Shape spatial(const Shape& shape) { return Shape(std::vector<Dim>(shape.begin() + 1, shape.end() - 1)); }

// The spatial axes as one.
Tensor flattened(const Tensor& x) { return reshape(x, {x.dim(0), positions(x.shape()), x.dim(-1)}); }

Gradients pool_vjp(const Vjp& v) {
  Attributes attributes = v.attributes();
  attributes.set("sizes", spatial(v.input(0).shape()));
  const Tensor inputs[] = {v.cotangent(), v.output(1)};
  return {v.graph().add(max_unpool_def, inputs, attributes, v.node().location)};
}

Gradients unpool_vjp(const Vjp& v) {
  const Tensor taken = take_along_axis(flattened(v.cotangent()), flattened(v.input(1)), 1);
  return {reshape(taken, v.input(0).shape()), Gradient::none()};
}

struct MaxPoolPlan {
  MaxPoolPlan(const KernelRequest& request, bool spreads) : pool(request, spreads) {
    const MaxPoolKernels& kernels =
        request.pick(baseline::max_pool_kernels, avx2::max_pool_kernels, avx512::max_pool_kernels);
    const DType dtype = request.input(0).dtype;
    forward = kernels.pool[static_cast<size_t>(dtype)];
    backward = kernels.unpool[static_cast<size_t>(dtype)];
    const auto bytes = [&](const TensorType& type) {
      return type.shape.element_count().value() * static_cast<int64_t>(size_of(type.dtype));
    };
    for (int i = 0; i < request.input_count(); ++i) read += bytes(request.input(i));
    for (int i = 0; i < request.node().output_count(); ++i) written += bytes(request.output(i));
  }

  PoolPlan pool;
  MaxPoolLoop forward = nullptr;
  MaxUnpoolLoop backward = nullptr;
  int64_t read = 0, written = 0;  // bytes
};

template <bool spreads>
void run(const KernelCall& call) {
  const auto& plan = *static_cast<const MaxPoolPlan*>(call.params);
  const int64_t rows = plan.pool.table.rows();
  const int64_t begin = chunk_begin(rows, call.chunks, call.chunk),
                end = chunk_begin(rows, call.chunks, call.chunk + 1);
  call.count(chunk_size(plan.read, call.chunks, call.chunk), chunk_size(plan.written, call.chunks, call.chunk));
  if constexpr (spreads) {
    plan.backward(plan.pool.table, call.inputs[0], static_cast<const int32_t*>(call.inputs[1]), call.outputs[0], begin,
                  end);
  } else {
    plan.forward(plan.pool.table, call.inputs[0], call.outputs[0], static_cast<int32_t*>(call.outputs[1]), begin, end);
  }
}

template <bool spreads>
KernelPlan plan(const KernelRequest& request) {
  auto made = std::make_shared<MaxPoolPlan>(request, spreads);
  KernelPlan plan;
  if (made->written == 0) return plan;
  plan.steps = {{run<spreads>, pool_chunks(made->pool)}};
  plan.nanoseconds = 50 + 0.3 * made->pool.visits;
  plan.params = std::move(made);
  return plan;
}

Attributes windows(Numbers window, Numbers strides, Numbers dilations, Numbers low, Numbers high) {
  return {{"window", std::move(window)},
          {"strides", std::move(strides)},
          {"dilations", std::move(dilations)},
          {"low", std::move(low)},
          {"high", std::move(high)}};
}

std::vector<Sample> pool_samples() {
  return {{.inputs = {{{2, 4, 6, 3}}}, .attributes = windows({2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0})},
          {.inputs = {{{1, 7, 19}}}, .attributes = windows({3}, {2}, {2}, {1}, {2})},
          {.inputs = {{{1, 3, 4, 3, 2}}}, .attributes = windows({2, 3, 2}, {1, 1, 2}, {1, 1, 1}, {1, 0, 0}, {0, 1, 1})},
          {.inputs = {{{0, 4, 4, 2}}}, .attributes = windows({2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0})}};
}

std::vector<Sample> unpool_samples() {
  const auto sample = [](Numbers y, int64_t positions, Shape sizes, Attributes attributes) {
    attributes.set("sizes", std::move(sizes));
    return Sample{.inputs = {{y}, {y, 0, static_cast<double>(positions - 1), DType::i32}},
                  .attributes = std::move(attributes)};
  };
  // Windows that see everything, so that every index is in its window.
  return {sample({2, 1, 1, 3}, 24, {4, 6}, windows({4, 6}, {4, 6}, {1, 1}, {0, 0}, {0, 0})),
          sample({1, 3, 19}, 7, {7}, windows({13}, {1}, {1}, {6}, {2}))};
}

}  // namespace

const OpDef max_pool_def{.name = "max_pool",
                         .inputs = {"x"},
                         .rule =
                             "max_pool needs numbers [batch, spatial..., channels] with one to three spatial axes, "
                             "and windows that fit them",
                         .shape = pool_shape,
                         .vjp = pool_vjp,
                         .plan = plan<false>,
                         .samples = pool_samples};

const OpDef max_unpool_def{.name = "max_unpool",
                           .inputs = {"y", "index"},
                           .rule =
                               "max_unpool needs numbers [batch, pooled..., channels], an i32 index of that shape, "
                               "and the sizes and windows of the pooling",
                           .shape = unpool_shape,
                           .vjp = unpool_vjp,
                           .plan = plan<true>,
                           .samples = unpool_samples};

}  // namespace gradloom::inline v0

#endif
