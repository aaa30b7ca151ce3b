// concat: tensors one after another along an axis; stack, split and split_sizes in terms of it and of slice.
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/refuse_internal.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

#include <cstring>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  std::vector<Dim> dims = context.shape(0).dims();
  const int rank = context.shape(0).rank();
  const int along = context.axis(context.attributes().get<int64_t>("axis"), rank);
  for (int i = 1; i < context.input_count(); ++i) {
    const Shape& other = context.shape(i);
    if (context.dtype(i) != context.dtype(0)) context.fail("the dtypes differ");
    if (other.rank() != rank) context.fail(fmt::format("the ranks differ, {} and {}", rank, other.rank()));
    for (int axis = 0; axis < rank; ++axis) {
      Dim& dim = dims[static_cast<size_t>(axis)];
      dim = axis == along ? dim + other[axis]
                          : context.require_equal(dim, other[axis], fmt::format("the sizes of axis {}", axis));
    }
  }
  return {{context.dtype(0), Shape(std::move(dims))}};
}

Gradients vjp(const Vjp& v) {
  const int axis = static_cast<int>(v.attributes().get<int64_t>("axis"));
  Gradients gradients;
  Dim offset = 0;
  for (int i = 0; i < v.input_count(); ++i) {
    const Dim end = offset + v.input(i).dim(axis);
    gradients.emplace_back(slice(v.cotangent(), axis, {offset, end}));
    offset = end;
  }
  return gradients;
}

// All in bytes: a row of the result is one run of each input.
struct ConcatParams {
  std::vector<size_t> ends;  // of the runs, within a row
  size_t total = 0;
};

constexpr size_t grain = size_t{256} * 1024;

void concat_bytes(const KernelCall& call) {
  const auto& params = *static_cast<const ConcatParams*>(call.params);
  const size_t row_bytes = params.ends.back();
  const int64_t total = static_cast<int64_t>(params.total);
  size_t at = static_cast<size_t>(chunk_begin(total, call.chunks, call.chunk));
  const size_t end = static_cast<size_t>(chunk_begin(total, call.chunks, call.chunk + 1));
  call.count(static_cast<int64_t>(end - at), static_cast<int64_t>(end - at));
  size_t row = at / row_bytes, column = at % row_bytes, input = 0;
  while (params.ends[input] <= column) ++input;
  while (at < end) {
    const size_t begin = input == 0 ? 0 : params.ends[input - 1];
    const size_t run = params.ends[input] - begin, left = params.ends[input] - column;
    const size_t bytes = left < end - at ? left : end - at;
    if (bytes > 0) {
      std::memcpy(static_cast<std::byte*>(call.outputs[0]) + at,
                  static_cast<const std::byte*>(call.inputs[input]) + row * run + (column - begin), bytes);
    }
    at += bytes;
    column += bytes;
    if (++input == params.ends.size()) {
      input = column = 0;
      ++row;
    }
  }
}

KernelPlan plan(const KernelRequest& request) {
  const std::vector<int64_t> sizes = request.output_sizes();
  const size_t along = static_cast<size_t>(request.attributes().get<int64_t>("axis"));
  int64_t inner = 1, outer = 1;
  for (size_t axis = along + 1; axis < sizes.size(); ++axis) inner *= sizes[axis];
  for (size_t axis = 0; axis < along; ++axis) outer *= sizes[axis];
  auto params = std::make_shared<ConcatParams>();
  size_t end = 0;
  for (int i = 0; i < request.input_count(); ++i) {
    end += static_cast<size_t>(request.input_sizes(i)[along] * inner) * size_of(request.output().dtype);
    params->ends.push_back(end);
  }
  params->total = end * static_cast<size_t>(outer);
  KernelPlan plan;
  if (params->total == 0) return plan;
  plan.steps = {{concat_bytes, chunk_count(static_cast<int64_t>(params->total), grain)}};
  plan.nanoseconds =
      20 + 0.03 * static_cast<double>(params->total) + 5 * static_cast<double>(outer * request.input_count());
  plan.params = std::move(params);
  return plan;
}

std::vector<Sample> samples() {
  return {{.inputs = {{{3}}, {{2}}}, .attributes = {{"axis", int64_t{0}}}},
          {.inputs = {{{2, 3, 2}}, {{2, 1, 2}}, {{2, 0, 2}}}, .attributes = {{"axis", int64_t{1}}}},
          {.inputs = {{{4, 1}}, {{4, 1}}}, .attributes = {{"axis", int64_t{1}}}}};
}

void require_tensors(const std::vector<Tensor>& tensors, std::string_view function, SourceLocation location) {
  const auto fail = [&](const std::string& problem) {
    throw Error({.problem = problem,
                 .op = std::string(function),
                 .location = to_string(location),
                 .rule = fmt::format("{} needs at least one Tensor", function)});
  };
  if (tensors.empty()) fail("the list is empty");
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i].valid()) fail(fmt::format("input {} is an empty Tensor", i + 1));
  }
}

}  // namespace

const OpDef concat_def{.name = "concat",
                       .inputs = {"input"},
                       .variadic = true,
                       .rule = "concat needs tensors of one rank and dtype whose sizes agree but for those of the axis",
                       .shape = shape,
                       .vjp = vjp,
                       .plan = plan,
                       .properties = {.takes_bf16 = true},
                       .samples = samples};

Tensor concat(const std::vector<Tensor>& tensors, int axis, SourceLocation location) {
  require_tensors(tensors, "concat", location);
  const SourceScope scope({tensors.front(), location}, "concat");
  DType dtype = DType::boolean;
  for (const Tensor& tensor : tensors) dtype = promote(dtype, tensor.dtype());
  std::vector<Tensor> inputs;
  for (const Tensor& tensor : tensors) inputs.push_back(cast({tensor, location}, dtype));
  const int rank = inputs.front().rank();
  if (axis < -rank || axis >= rank) {
    refuse(concat_def, inputs, fmt::format("there is no axis {} in tensors of rank {}", axis, rank), location);
  }
  if (inputs.size() == 1) return inputs.front();
  return inputs.front().graph().add(concat_def, inputs, {{"axis", int64_t{axis < 0 ? axis + rank : axis}}}, location);
}

Tensor stack(const std::vector<Tensor>& tensors, int axis, SourceLocation location) {
  require_tensors(tensors, "stack", location);
  const SourceScope scope({tensors.front(), location}, "stack");
  std::vector<Tensor> expanded;
  for (const Tensor& tensor : tensors) expanded.push_back(expand_dims({tensor, location}, axis));
  return concat(expanded, axis, location);
}

}  // namespace gradloom::inline v0
