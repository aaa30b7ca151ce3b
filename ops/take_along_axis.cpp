// take_along_axis and add_along_axis: one element for each index. Each is the gradient of the other.
#include <gradloom/graph/with_type_internal.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/index_check_internal.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> take_shape(const ShapeContext& context) {
  require_index_dtype(context, 1);
  const Shape &from = context.shape(0), &indices = context.shape(1);
  if (from.rank() != indices.rank())
    context.fail(fmt::format("the ranks differ, {} and {}", from.rank(), indices.rank()));
  const int along = context.axis(context.attributes().get<int64_t>("axis"), from.rank());
  for (int axis = 0; axis < from.rank(); ++axis) {
    if (axis != along)
      (void)context.require_equal(from[axis], indices[axis], fmt::format("the sizes of axis {}", axis));
  }
  return {{context.dtype(0), indices}};
}

std::vector<TensorType> add_shape(const ShapeContext& context) {
  require_index_dtype(context, 1);
  if (context.dtype(0) == DType::boolean) context.fail("booleans cannot be added");
  const Shape &updates = context.shape(0), &indices = context.shape(1);
  if (updates.rank() != indices.rank())
    context.fail(fmt::format("the ranks differ, {} and {}", updates.rank(), indices.rank()));
  const int along = context.axis(context.attributes().get<int64_t>("axis"), updates.rank());
  const Dim& size = context.attributes().get<Dim>("size");
  if (size.known() && size.value() < 0) context.fail("the size " + size.to_string() + " is negative");
  std::vector<Dim> dims;
  for (int axis = 0; axis < updates.rank(); ++axis) {
    const Dim dim = context.require_equal(updates[axis], indices[axis], fmt::format("the sizes of axis {}", axis));
    dims.push_back(axis == along ? size : dim);
  }
  return {{context.dtype(0), Shape(std::move(dims))}};
}

Gradients take_vjp(const Vjp& v) {
  const int axis = static_cast<int>(v.attributes().get<int64_t>("axis"));
  return {add_along_axis(v.cotangent(), v.input(1), v.input(0).dim(axis), axis), Gradient::none()};
}

Gradients add_vjp(const Vjp& v) {
  const int axis = static_cast<int>(v.attributes().get<int64_t>("axis"));
  return {take_along_axis(v.cotangent(), v.input(1), axis), Gradient::none()};
}

// The tensor that is indexed is [outer, size, inner], the indices are [outer, count, inner].
struct AlongParams {
  IndexCheck check;
  AxisView view;      // of the indexed tensor
  int64_t count = 0;  // of the indices along the axis
};

constexpr int64_t grain = int64_t{32} * 1024;

template <class T>
void take(const KernelCall& call) {
  const auto& params = *static_cast<const AlongParams*>(call.params);
  const int64_t inner = params.view.inner, size = params.view.size, per_block = params.count * inner;
  const T* const from = static_cast<const T*>(call.inputs[0]);
  T* const to = static_cast<T*>(call.outputs[0]);
  const int64_t begin = chunk_begin(params.check.count, call.chunks, call.chunk);
  const int64_t end = chunk_begin(params.check.count, call.chunks, call.chunk + 1);
  with_indices(params.check, call.inputs, [&](const auto* indices) {
    call.count((end - begin) * static_cast<int64_t>(sizeof(T) + sizeof(*indices)),
               (end - begin) * static_cast<int64_t>(sizeof(T)));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t block = i / per_block, column = i % inner;
      to[i] = from[(block * size + static_cast<int64_t>(indices[i])) * inner + column];
    }
  });
}

// A chunk owns whole blocks (of the outer axes), so that no two add to one element.
template <class T>
void add(const KernelCall& call) {
  const auto& params = *static_cast<const AlongParams*>(call.params);
  const int64_t inner = params.view.inner, size = params.view.size;
  const T* const updates = static_cast<const T*>(call.inputs[0]);
  T* const to = static_cast<T*>(call.outputs[0]);
  const int64_t first = chunk_begin(params.view.outer, call.chunks, call.chunk);
  const int64_t last = chunk_begin(params.view.outer, call.chunks, call.chunk + 1);
  std::fill(to + first * size * inner, to + last * size * inner, T{});
  with_indices(params.check, call.inputs, [&](const auto* indices) {
    call.count((last - first) * params.count * inner * static_cast<int64_t>(sizeof(T) + sizeof(*indices)),
               (last - first) * size * inner * static_cast<int64_t>(sizeof(T)));
    for (int64_t row = first * params.count; row < last * params.count; ++row) {
      T* const block = to + row / params.count * size * inner;
      for (int64_t column = 0; column < inner; ++column) {
        T& sum = block[static_cast<int64_t>(indices[row * inner + column]) * inner + column];
        sum = static_cast<T>(sum + updates[row * inner + column]);
      }
    }
  });
}

KernelPlan plan_along(const KernelRequest& request, const std::vector<int64_t>& indexed, std::string_view which) {
  const int64_t axis = request.attributes().get<int64_t>("axis");
  auto params = std::make_shared<AlongParams>();
  params->view = AxisView(indexed, axis);
  params->count = request.input_sizes(1)[static_cast<size_t>(axis)];
  params->check = make_index_check(request, 1, params->view.size,
                                   fmt::format("axis {} of {} has size {}", axis, which, params->view.size));
  KernelPlan plan;
  if (params->check.count > 0) plan.steps.push_back({check_indices, 1});
  plan.nanoseconds = 20 + 4 * static_cast<double>(params->check.count);
  plan.params = std::move(params);
  return plan;
}

KernelPlan plan_take(const KernelRequest& request) {
  KernelPlan plan = plan_along(request, request.input_sizes(0), "x");
  const int64_t count = request.output().shape.element_count().value();
  const size_t bytes = size_of(request.output().dtype);
  const Kernel kernel = bytes == 1   ? take<uint8_t>
                        : bytes == 2 ? take<uint16_t>
                        : bytes == 4 ? take<uint32_t>
                                     : take<uint64_t>;
  if (count > 0) plan.steps.push_back({kernel, chunk_count(count, grain)});
  return plan;
}

KernelPlan plan_add(const KernelRequest& request) {
  const std::vector<int64_t> to = request.output_sizes();
  KernelPlan plan = plan_along(request, to, "the result");
  const int64_t count = request.output().shape.element_count().value();
  const int64_t outer = AxisView(to, request.attributes().get<int64_t>("axis")).outer;
  // Integers wrap around, as unsigned ones do; narrow ones are added as int and cut.
  const Kernel kernel = with_type(request.output().dtype, [](auto zero) -> Kernel {
    using T = NumberOf<decltype(zero)>;
    if constexpr (std::is_integral_v<T>) {
      return add<std::make_unsigned_t<T>>;
    } else {
      return add<T>;
    }
  });
  if (count > 0) plan.steps.push_back({kernel, std::min(outer, chunk_count(count, grain))});
  plan.nanoseconds += 0.2 * static_cast<double>(count);
  return plan;
}

std::vector<Sample> take_samples() {
  return {{.inputs = {{{4, 5}}, {{4, 1}, 0, 4, DType::i64}}, .attributes = {{"axis", int64_t{1}}}},
          {.inputs = {{{2, 3, 4}}, {{2, 6, 4}, 0, 2, DType::i32}}, .attributes = {{"axis", int64_t{1}}}}};
}

std::vector<Sample> add_samples() {
  return {
      {.inputs = {{{4, 1}}, {{4, 1}, 0, 4, DType::i64}}, .attributes = {{"axis", int64_t{1}}, {"size", Dim(5)}}},
      {.inputs = {{{2, 6, 4}}, {{2, 6, 4}, 0, 2, DType::i32}}, .attributes = {{"axis", int64_t{1}}, {"size", Dim(3)}}}};
}

}  // namespace

const OpDef take_along_axis_def{
    .name = "take_along_axis",
    .inputs = {"x", "indices"},
    .rule = "take_along_axis needs indices of x's shape but for the axis, from 0 to below x's size of it, i32 or i64",
    .shape = take_shape,
    .vjp = take_vjp,
    .plan = plan_take,
    .properties = {.may_throw = true, .takes_bf16 = true},
    .samples = take_samples};

const OpDef add_along_axis_def{
    .name = "add_along_axis",
    .inputs = {"updates", "indices"},
    .rule = "add_along_axis needs numbers and indices of one shape, the indices from 0 to below the size, i32 or i64",
    .shape = add_shape,
    .vjp = add_vjp,
    .plan = plan_add,
    .properties = {.may_throw = true},
    .samples = add_samples};

Tensor take_along_axis(const Operand& x, const Tensor& indices, int axis) {
  const SourceScope scope(x, "take_along_axis");
  const Tensor inputs[] = {x.tensor(), indices};
  return x.tensor().graph().add(take_along_axis_def, inputs, {{"axis", from_front(axis, x.tensor().rank())}},
                                x.location());
}

Tensor add_along_axis(const Operand& updates, const Tensor& indices, const Dim& size, int axis) {
  const SourceScope scope(updates, "add_along_axis");
  const Tensor inputs[] = {updates.tensor(), indices};
  return updates.tensor().graph().add(add_along_axis_def, inputs,
                                      {{"axis", from_front(axis, updates.tensor().rank())}, {"size", size}},
                                      updates.location());
}

}  // namespace gradloom::inline v0
