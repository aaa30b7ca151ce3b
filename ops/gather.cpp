// gather: slices of x picked by indices. Its gradient is scatter_add.
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/index_check_internal.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  require_index_dtype(context, 1);
  const Shape &from = context.shape(0), &indices = context.shape(1);
  const int axis = context.axis(context.attributes().get<int64_t>("axis"), from.rank());
  std::vector<Dim> dims(from.begin(), from.begin() + axis);
  dims.insert(dims.end(), indices.begin(), indices.end());
  dims.insert(dims.end(), from.begin() + axis + 1, from.end());
  return {{context.dtype(0), Shape(std::move(dims))}};
}

Gradients vjp(const Vjp& v) {
  const int axis = static_cast<int>(v.attributes().get<int64_t>("axis"));
  return {scatter_add(v.cotangent(), v.input(1), v.input(0).dim(axis), axis), Gradient::none()};
}

struct GatherParams {
  IndexCheck check;
  AxisView from;
  size_t row_bytes = 0;  // of one slice: inner elements
};

constexpr size_t grain = size_t{256} * 1024;

void copy_rows(const KernelCall& call) {
  const auto& params = *static_cast<const GatherParams*>(call.params);
  const int64_t count = params.check.count, rows = params.from.outer * count;
  const size_t bytes = params.row_bytes;
  const auto* const from = static_cast<const std::byte*>(call.inputs[0]);
  auto* const to = static_cast<std::byte*>(call.outputs[0]);
  with_indices(params.check, call.inputs, [&](const auto* indices) {
    const int64_t begin = chunk_begin(rows, call.chunks, call.chunk);
    const int64_t end = chunk_begin(rows, call.chunks, call.chunk + 1);
    call.count((end - begin) * static_cast<int64_t>(bytes + sizeof(*indices)),
               (end - begin) * static_cast<int64_t>(bytes));
    for (int64_t row = begin; row < end; ++row) {
      const int64_t source = row / count * params.from.size + static_cast<int64_t>(indices[row % count]);
      std::memcpy(to + static_cast<size_t>(row) * bytes, from + static_cast<size_t>(source) * bytes, bytes);
    }
  });
}

KernelPlan plan(const KernelRequest& request) {
  const int64_t axis = request.attributes().get<int64_t>("axis");
  auto params = std::make_shared<GatherParams>();
  params->from = AxisView(request.input_sizes(0), axis);
  params->check =
      make_index_check(request, 1, params->from.size, fmt::format("axis {} of x has size {}", axis, params->from.size));
  params->row_bytes = static_cast<size_t>(params->from.inner) * size_of(request.output().dtype);
  const int64_t rows = params->from.outer * params->check.count;
  const int64_t bytes = rows * static_cast<int64_t>(params->row_bytes);
  KernelPlan plan;
  if (params->check.count > 0) plan.steps.push_back({check_indices, 1});
  if (bytes > 0) plan.steps.push_back({copy_rows, std::min(rows, chunk_count(bytes, static_cast<int64_t>(grain)))});
  plan.nanoseconds = 20 + static_cast<double>(params->check.count + 4 * rows) + 0.03 * static_cast<double>(bytes);
  plan.params = std::move(params);
  return plan;
}

std::vector<Sample> samples() {
  return {{.inputs = {{{5, 3}}, {{2, 4}, 0, 4, DType::i64}}, .attributes = {{"axis", int64_t{0}}}},
          {.inputs = {{{2, 4, 3}}, {{5}, 0, 3, DType::i32}}, .attributes = {{"axis", int64_t{1}}}},
          {.inputs = {{{4}}, {{}, 0, 3, DType::i64}}, .attributes = {{"axis", int64_t{0}}}}};
}

}  // namespace

const OpDef gather_def{.name = "gather",
                       .inputs = {"x", "indices"},
                       .rule = "gather needs indices from 0 to below the size of x's axis, i32 or i64",
                       .shape = shape,
                       .vjp = vjp,
                       .plan = plan,
                       .properties = {.may_throw = true, .takes_bf16 = true},
                       .samples = samples};

Tensor gather(const Operand& x, const Tensor& indices, int axis) {
  const SourceScope scope(x, "gather");
  const Tensor inputs[] = {x.tensor(), indices};
  return x.tensor().graph().add(gather_def, inputs, {{"axis", from_front(axis, x.tensor().rank())}}, x.location());
}

}  // namespace gradloom::inline v0
