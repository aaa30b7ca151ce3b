// pool_sum adds up windows, pool_spread adds each window's value to all of its elements. Linear, and each the other's
// gradient.
#include <gradloom/ops/pool_table_internal.hpp>

namespace gradloom::inline v0 {

/// Rows [begin, end) of the result: each element is the sum of its sources.
using PoolSumLoop = void (*)(const PoolTable& table, const void* from, void* to, int64_t begin, int64_t end);

struct PoolSumKernels {
  PoolSumLoop f32 = nullptr, f64 = nullptr;
};

}  // namespace gradloom::inline v0

#ifdef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/pool_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

namespace {

template <class T>
void add_sources(const PoolTable& table, const void* from, void* to, int64_t begin, int64_t end) {
  const int64_t channels = table.channels;
  for_pool_positions(table, begin, end, [&](int64_t at, int64_t, auto sees) {
    T* __restrict const y = static_cast<T*>(to) + at;
    const bool any = sees([&](int64_t offset, int64_t, bool is_first) {
      const T* __restrict const x = static_cast<const T*>(from) + offset;
      if (is_first) {
        for (int64_t c = 0; c < channels; ++c) y[c] = x[c];
      } else {
        for (int64_t c = 0; c < channels; ++c) y[c] += x[c];
      }
    });
    for (int64_t c = 0; c < channels && !any; ++c) y[c] = T(0);
  });
}

}  // namespace

extern const PoolSumKernels pool_sum_kernels;
const PoolSumKernels pool_sum_kernels{add_sources<float>, add_sources<double>};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#else

#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/pool_windows_internal.hpp>
#include <gradloom/ops/pooling.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

namespace baseline {
extern const PoolSumKernels pool_sum_kernels;
}
namespace avx2 {
extern const PoolSumKernels pool_sum_kernels;
}
namespace avx512 {
extern const PoolSumKernels pool_sum_kernels;
}

namespace {

template <bool spreads>
std::vector<TensorType> shape(const ShapeContext& context) {
  if (!is_float(context.dtype(0)))
    context.fail(fmt::format("it takes f32 and f64, not {}", to_string(context.dtype(0))));
  return {{context.dtype(0),
           spreads ? unpooled_shape(context, context.shape(0)) : pooled_shape(context, context.shape(0))}};
}

Gradients sum_vjp(const Vjp& v) {
  Attributes attributes = v.attributes();
  const Shape& x = v.input(0).shape();
  attributes.set("sizes", Shape(std::vector<Dim>(x.begin() + 1, x.end() - 1)));
  return {v.graph().add(pool_spread_def, {&v.cotangent(), 1}, attributes, v.node().location)};
}

Gradients spread_vjp(const Vjp& v) {
  Attributes attributes;
  for (const Attributes::Item& item : v.attributes().items()) {
    if (item.name != "sizes") attributes.set(item.name, item.value);
  }
  return {v.graph().add(pool_sum_def, {&v.cotangent(), 1}, attributes, v.node().location)};
}

struct PoolSumPlan {
  PoolSumPlan(const KernelRequest& request, bool spreads) : pool(request, spreads) {}

  PoolPlan pool;
  PoolSumLoop loop = nullptr;
  int64_t read = 0, written = 0;  // bytes
};

void run(const KernelCall& call) {
  const auto& plan = *static_cast<const PoolSumPlan*>(call.params);
  const int64_t rows = plan.pool.table.rows();
  call.count(chunk_size(plan.read, call.chunks, call.chunk), chunk_size(plan.written, call.chunks, call.chunk));
  plan.loop(plan.pool.table, call.inputs[0], call.outputs[0], chunk_begin(rows, call.chunks, call.chunk),
            chunk_begin(rows, call.chunks, call.chunk + 1));
}

template <bool spreads>
KernelPlan plan(const KernelRequest& request) {
  auto made = std::make_shared<PoolSumPlan>(request, spreads);
  const PoolSumKernels& kernels =
      request.pick(baseline::pool_sum_kernels, avx2::pool_sum_kernels, avx512::pool_sum_kernels);
  made->loop = request.output().dtype == DType::f64 ? kernels.f64 : kernels.f32;
  const int64_t size = static_cast<int64_t>(size_of(request.output().dtype));
  made->read = request.input(0).shape.element_count().value() * size;
  made->written = request.output().shape.element_count().value() * size;
  KernelPlan plan;
  if (made->written == 0) return plan;
  plan.steps = {{run, pool_chunks(made->pool)}};
  plan.nanoseconds = 50 + 0.2 * made->pool.visits;
  plan.params = std::move(made);
  return plan;
}

using Numbers = std::vector<int64_t>;

Attributes windows(Numbers window, Numbers strides, Numbers dilations, Numbers low, Numbers high) {
  return {{"window", std::move(window)},
          {"strides", std::move(strides)},
          {"dilations", std::move(dilations)},
          {"low", std::move(low)},
          {"high", std::move(high)}};
}

std::vector<Sample> sum_samples() {
  return {{.inputs = {{{2, 4, 6, 3}}}, .attributes = windows({2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0})},
          {.inputs = {{{1, 7, 19}}}, .attributes = windows({3}, {2}, {2}, {1}, {2})},
          {.inputs = {{{1, 3, 4, 3, 2}}}, .attributes = windows({2, 3, 2}, {1, 1, 2}, {1, 1, 1}, {1, 0, 0}, {0, 1, 1})},
          {.inputs = {{{2, 4, 4, 0}}}, .attributes = windows({2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0})}};
}

std::vector<Sample> spread_samples() {
  const auto sample = [](Numbers y, const Shape& sizes, Attributes attributes) {
    attributes.set("sizes", sizes);
    return Sample{.inputs = {{std::move(y)}}, .attributes = std::move(attributes)};
  };
  return {sample({2, 2, 3, 3}, {4, 6}, windows({2, 2}, {2, 2}, {1, 1}, {0, 0}, {0, 0})),
          sample({1, 3, 19}, {7}, windows({3}, {2}, {2}, {1}, {2}))};
}

}  // namespace

const OpDef pool_sum_def{.name = "pool_sum",
                         .inputs = {"x"},
                         .rule =
                             "pool_sum needs floats [batch, spatial..., channels] with one to three spatial axes, "
                             "and windows that fit them",
                         .shape = shape<false>,
                         .vjp = sum_vjp,
                         .plan = plan<false>,
                         .samples = sum_samples};

const OpDef pool_spread_def{.name = "pool_spread",
                            .inputs = {"y"},
                            .rule =
                                "pool_spread needs floats [batch, pooled..., channels], and the sizes and windows of "
                                "the pooling",
                            .shape = shape<true>,
                            .vjp = spread_vjp,
                            .plan = plan<true>,
                            .samples = spread_samples};

}  // namespace gradloom::inline v0

#endif
