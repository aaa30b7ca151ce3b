#include <gradloom/ops/philox.hpp>
#include <gradloom/ops/random_plan_internal.hpp>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

struct RandomParams {
  RandomLoop loop = nullptr;
  uint64_t stream = 0;
  int64_t count = 0;
  double a = 0, b = 0, c = 0;
  size_t element_bytes = 0;
};

/// Chunks are whole tiles of all dtypes, so that none is computed twice.
constexpr int64_t tile = 256;
constexpr int64_t tiles_per_chunk = 64;

void fill_chunk(const KernelCall& call) {
  const auto& params = *static_cast<const RandomParams*>(call.params);
  const int64_t tiles = (params.count + tile - 1) / tile;
  const int64_t begin = chunk_begin(tiles, call.chunks, call.chunk) * tile;
  const int64_t end = std::min(params.count, chunk_begin(tiles, call.chunks, call.chunk + 1) * tile);
  call.count(0, (end - begin) * static_cast<int64_t>(params.element_bytes));
  params.loop({.key = philox_key(call.run->seed, params.stream),
               .step = call.run->step,
               .begin = begin,
               .end = end,
               .a = params.a,
               .b = params.b,
               .c = params.c,
               .output = static_cast<std::byte*>(call.outputs[0]) + static_cast<size_t>(begin) * params.element_bytes});
}

}  // namespace

std::vector<TensorType> random_shape(const ShapeContext& context) {
  const Shape& shape = context.attributes().get<Shape>("shape");
  for (const Dim& dim : shape) {
    if (dim.known() && dim.value() < 0) context.fail("the shape " + shape.to_string() + " has a negative size");
  }
  return {{context.attributes().get<DType>("dtype"), shape}};
}

KernelPlan plan_random(const KernelRequest& request, const RandomKernels& kernels, double a, double b, double c) {
  const TensorType& type = request.output();
  auto params = std::make_shared<RandomParams>();
  params->loop = kernels.loops[static_cast<size_t>(type.dtype)];
  params->stream = static_cast<uint64_t>(request.attributes().get<int64_t>("stream"));
  params->count = type.shape.element_count().value();
  params->a = a;
  params->b = b;
  params->c = c;
  params->element_bytes = size_of(type.dtype);
  KernelPlan plan;
  if (params->count > 0) plan.steps = {{fill_chunk, chunk_count((params->count + tile - 1) / tile, tiles_per_chunk)}};
  plan.nanoseconds = 50 + static_cast<double>(params->count);
  plan.params = std::move(params);
  return plan;
}

}  // namespace gradloom::inline v0
