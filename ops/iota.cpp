// iota: the index along an axis, as values.
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/with_type_internal.hpp>
#include <gradloom/ops/fits_internal.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  const Shape& shape = context.attributes().get<Shape>("shape");
  const DType dtype = context.attributes().get<DType>("dtype");
  const int axis = context.axis(context.attributes().get<int64_t>("axis"), shape.rank());
  if (dtype == DType::boolean) context.fail("an index is no boolean");
  for (const Dim& dim : shape) {
    if (dim.known() && dim.value() < 0) context.fail("the shape " + shape.to_string() + " has a negative size");
  }
  const Dim& size = shape[axis];
  if (size.known() && size.value() > 0 && !fits(static_cast<double>(size.value() - 1), dtype)) {
    context.fail(fmt::format("the index {} does not fit in {}", size.value() - 1, to_string(dtype)));
  }
  return {{dtype, shape}};
}

struct IotaParams {
  int64_t count = 0;  // of all elements
  int64_t size = 0;   // of the axis
  int64_t inner = 0;  // elements per step of the axis
};

constexpr int64_t grain = int64_t{64} * 1024;

template <class T>
void write_indices(const KernelCall& call) {
  const auto& params = *static_cast<const IotaParams*>(call.params);
  T* const to = static_cast<T*>(call.outputs[0]);
  int64_t at = chunk_begin(params.count, call.chunks, call.chunk);
  const int64_t end = chunk_begin(params.count, call.chunks, call.chunk + 1);
  call.count(0, (end - at) * static_cast<int64_t>(sizeof(T)));
  while (at < end) {
    const int64_t index = at / params.inner % params.size;
    if (params.inner == 1) {  // the indices in a row
      const int64_t run = std::min(end - at, params.size - index);
      for (int64_t i = 0; i < run; ++i) to[at + i] = static_cast<T>(index + i);
      at += run;
    } else {  // one index for a row
      const int64_t run = std::min(end - at, params.inner - at % params.inner);
      std::fill(to + at, to + at + run, static_cast<T>(index));
      at += run;
    }
  }
}

KernelPlan plan(const KernelRequest& request) {
  const std::vector<int64_t> sizes = request.output_sizes();
  const int64_t rank = static_cast<int64_t>(sizes.size()), axis = request.attributes().get<int64_t>("axis");
  const size_t along = static_cast<size_t>(axis < 0 ? axis + rank : axis);
  auto params = std::make_shared<IotaParams>();
  params->size = sizes[along];
  params->inner = params->count = 1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    params->count *= sizes[i];
    if (i > along) params->inner *= sizes[i];
  }
  KernelPlan plan;
  if (params->count == 0) return plan;
  const Kernel kernel =
      with_type(request.output().dtype, [](auto zero) -> Kernel { return write_indices<decltype(zero)>; });
  plan.steps = {{kernel, chunk_count(params->count, grain)}};
  plan.nanoseconds = 10 + 0.3 * static_cast<double>(params->count);
  plan.params = std::move(params);
  return plan;
}

std::vector<Sample> samples() {
  return {{.inputs = {},
           .attributes = {{"shape", Shape{2, 5, 3}}, {"axis", int64_t{1}}, {"dtype", DType::f32}},
           .differentiable = false},
          {.inputs = {},
           .attributes = {{"shape", Shape{4}}, {"axis", int64_t{0}}, {"dtype", DType::i64}},
           .differentiable = false}};
}

}  // namespace

const OpDef iota_def{.name = "iota",
                     .rule = "iota needs a shape, one of its axes, and a dtype that can hold each index along it",
                     .shape = shape,
                     .no_gradient = "an index does not depend on values",
                     .plan = plan,
                     .samples = samples};

Tensor iota(Graph& graph, const Shape& shape, int axis, DType dtype, SourceLocation location) {
  return graph.add(iota_def, {}, {{"shape", shape}, {"axis", int64_t{axis}}, {"dtype", dtype}}, location);
}

}  // namespace gradloom::inline v0
