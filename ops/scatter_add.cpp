// scatter_add: slices added where indices say. Its gradient is gather. Each element of the result belongs to one chunk,
// which adds what falls on it in the order of the indices: the same bits at any number of threads.
#include <gradloom/graph/dtype.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

/// to[i] += from[i] for i < n, by dtype; null for boolean and bf16.
struct ScatterAddKernels {
  void (*add[dtype_count])(void* to, const void* from, int64_t n) = {};
};

}  // namespace gradloom::inline v0

#ifdef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/pointwise_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

template <class T>
void add_row(void* to, const void* from, int64_t n) {
  // Integers wrap around, by way of their unsigned twins; floats are as they are.
  using U = typename std::conditional_t<is_float_v<T>, std::type_identity<T>, std::make_unsigned<T>>::type;
  U* const sum = static_cast<U*>(to);
  const U* const term = static_cast<const U*>(from);
  for (int64_t i = 0; i < n; ++i) sum[i] = static_cast<U>(sum[i] + term[i]);
}

template <class... T>
constexpr ScatterAddKernels make_kernels(Types<T...>) {
  ScatterAddKernels kernels;
  ((kernels.add[dtype_index<T>] = add_row<T>), ...);
  return kernels;
}

}  // namespace

extern const ScatterAddKernels scatter_add_kernels;
const ScatterAddKernels scatter_add_kernels = make_kernels(numbers);

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#else

#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/index_check_internal.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace gradloom::inline v0 {

namespace baseline {
extern const ScatterAddKernels scatter_add_kernels;
}
namespace avx2 {
extern const ScatterAddKernels scatter_add_kernels;
}
namespace avx512 {
extern const ScatterAddKernels scatter_add_kernels;
}

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  require_index_dtype(context, 1);
  if (context.dtype(0) == DType::boolean) context.fail("booleans cannot be added");
  const Shape &updates = context.shape(0), &indices = context.shape(1);
  const int rank = updates.rank() - indices.rank() + 1;  // of the result
  if (rank < 1)
    context.fail(fmt::format("updates have {} axes, fewer than the indices' {}", updates.rank(), indices.rank()));
  const int axis = context.axis(context.attributes().get<int64_t>("axis"), rank);
  const Dim& size = context.attributes().get<Dim>("size");
  if (size.known() && size.value() < 0) context.fail("the size " + size.to_string() + " is negative");
  for (int i = 0; i < indices.rank(); ++i) {
    (void)context.require_equal(updates[axis + i], indices[i],
                                fmt::format("axis {} of updates and axis {} of indices", axis + i, i));
  }
  std::vector<Dim> dims(updates.begin(), updates.begin() + axis);
  dims.push_back(size);
  dims.insert(dims.end(), updates.begin() + axis + indices.rank(), updates.end());
  return {{context.dtype(0), Shape(std::move(dims))}};
}

Gradients vjp(const Vjp& v) {
  const int axis = static_cast<int>(v.attributes().get<int64_t>("axis"));
  return {gather(v.cotangent(), v.input(1), axis), Gradient::none()};
}

struct ScatterAddParams {
  IndexCheck check;
  AxisView to;
  size_t element_bytes = 0;
  size_t bytes = 0;  // of the result
  void (*add)(void* to, const void* from, int64_t n) = nullptr;
};

constexpr int64_t grain = int64_t{32} * 1024;
/// Chunks own columns (places in the outer and inner axes) in units of this many: a cache line of f32.
constexpr int64_t unit = 16;

void write_zeros(const KernelCall& call) {
  const auto& params = *static_cast<const ScatterAddParams*>(call.params);
  const int64_t bytes = static_cast<int64_t>(params.bytes);
  const int64_t begin = chunk_begin(bytes, call.chunks, call.chunk),
                end = chunk_begin(bytes, call.chunks, call.chunk + 1);
  call.count(0, end - begin);
  std::memset(static_cast<std::byte*>(call.outputs[0]) + begin, 0, static_cast<size_t>(end - begin));
}

void add_slices(const KernelCall& call) {
  const auto& params = *static_cast<const ScatterAddParams*>(call.params);
  const int64_t outer = params.to.outer, size = params.to.size, inner = params.to.inner;
  const int64_t count = params.check.count, units = (inner + unit - 1) / unit;
  const int64_t end = chunk_begin(outer * units, call.chunks, call.chunk + 1);
  const auto* const updates = static_cast<const std::byte*>(call.inputs[0]);
  auto* const sums = static_cast<std::byte*>(call.outputs[0]);
  with_indices(params.check, call.inputs, [&](const auto* indices) {
    for (int64_t at = chunk_begin(outer * units, call.chunks, call.chunk); at < end;) {
      const int64_t block = at / units, first = at % units, last = std::min(units, first + end - at);
      const int64_t column = first * unit, columns = std::min(inner, last * unit) - column;
      for (int64_t i = 0; i < count; ++i) {
        const int64_t row = block * size + static_cast<int64_t>(indices[i]);
        params.add(sums + static_cast<size_t>(row * inner + column) * params.element_bytes,
                   updates + static_cast<size_t>((block * count + i) * inner + column) * params.element_bytes, columns);
      }
      // The sums that an update lands on are read and written once per update.
      const int64_t updated = count * columns * static_cast<int64_t>(params.element_bytes);
      call.count(2 * updated + count * static_cast<int64_t>(sizeof(*indices)), updated);
      at += last - first;
    }
  });
}

KernelPlan plan(const KernelRequest& request) {
  const int64_t axis = request.attributes().get<int64_t>("axis");
  auto params = std::make_shared<ScatterAddParams>();
  params->to = AxisView(request.output_sizes(), axis);
  const auto [outer, size, inner] = params->to;
  params->check = make_index_check(request, 1, size, fmt::format("axis {} of the result has size {}", axis, size));
  const DType dtype = request.output().dtype;
  params->element_bytes = size_of(dtype);
  params->bytes = static_cast<size_t>(outer * size * inner) * size_of(dtype);
  params->add = request.pick(baseline::scatter_add_kernels, avx2::scatter_add_kernels, avx512::scatter_add_kernels)
                    .add[static_cast<size_t>(dtype)];
  const int64_t additions = outer * inner * params->check.count;
  KernelPlan plan;
  if (params->check.count > 0) plan.steps.push_back({check_indices, 1});
  if (params->bytes > 0)
    plan.steps.push_back({write_zeros, chunk_count(static_cast<int64_t>(params->bytes), 8 * grain)});
  if (additions > 0) {
    const int64_t units = outer * ((inner + unit - 1) / unit);
    plan.steps.push_back({add_slices, std::min(units, chunk_count(additions, grain))});
  }
  plan.nanoseconds = 20 + static_cast<double>(params->check.count) * (1 + 3 * static_cast<double>(outer)) +
                     0.3 * static_cast<double>(additions) + 0.05 * static_cast<double>(params->bytes);
  plan.params = std::move(params);
  return plan;
}

std::vector<Sample> samples() {
  return {{.inputs = {{{2, 4, 3}}, {{2, 4}, 0, 4, DType::i64}}, .attributes = {{"axis", int64_t{0}}, {"size", Dim(5)}}},
          {.inputs = {{{2, 5, 40}}, {{5}, 0, 3, DType::i32}}, .attributes = {{"axis", int64_t{1}}, {"size", Dim(4)}}},
          {.inputs = {{{7}}, {{7}, 0, 2, DType::i64}}, .attributes = {{"axis", int64_t{0}}, {"size", Dim(3)}}}};
}

}  // namespace

const OpDef scatter_add_def{
    .name = "scatter_add",
    .inputs = {"updates", "indices"},
    .rule =
        "scatter_add needs numbers with the indices' axes in the place of the result's axis, and "
        "indices from 0 to below its size, i32 or i64",
    .shape = shape,
    .vjp = vjp,
    .plan = plan,
    .properties = {.may_throw = true},
    .samples = samples};

Tensor scatter_add(const Operand& updates, const Tensor& indices, const Dim& size, int axis) {
  const SourceScope scope(updates, "scatter_add");
  const Tensor& tensor = updates.tensor();
  const int rank = tensor.rank() - (indices.valid() ? indices.rank() : 0) + 1;
  const Tensor inputs[] = {tensor, indices};
  return tensor.graph().add(scatter_add_def, inputs, {{"axis", from_front(axis, rank)}, {"size", size}},
                            updates.location());
}

}  // namespace gradloom::inline v0

#endif
