// update_slice: some slices of a tensor replaced, at a place that is a value of the graph. Who may throw must not write
// to the State: so slice_start checks that place, and update_slice, which takes what that returns, writes.
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/index_check_internal.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  require_index_dtype(context, 2);
  const Shape &x = context.shape(0), &update = context.shape(1);
  if (context.dtype(0) != context.dtype(1)) context.fail("the dtypes differ");
  if (context.shape(2).rank() != 0) context.fail("the start is no scalar");
  if (update.rank() != x.rank()) context.fail(fmt::format("the ranks differ, {} and {}", x.rank(), update.rank()));
  const int along = context.axis(context.attributes().get<int64_t>("axis"), x.rank());
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (axis != along) {
      (void)context.require_equal(x[axis], update[axis], fmt::format("the sizes of axis {}", axis));
    } else if (x[axis].known() && update[axis].known() && update[axis].value() > x[axis].value()) {
      context.fail(fmt::format("x has {} slices, the update {}", x[axis].value(), update[axis].value()));
    }
  }
  return {{context.dtype(0), x}};
}

Gradients vjp(const Vjp& v) {
  const int axis = static_cast<int>(v.attributes().get<int64_t>("axis"));
  const Tensor update = v.input(1), start = v.input(2);
  const Tensor inputs[] = {v.cotangent(), zeros_like(update), start};
  const Tensor places = start + iota(v.graph(), {update.dim(axis)}, 0, start.dtype());
  return {v.graph().add_copy(v.node(), inputs, v.attributes()), gather(v.cotangent(), places, axis), Gradient::none()};
}

// All in bytes: the tensor is `outer` rows of `row` bytes, of which the update replaces `part`, from a multiple of
// `slice` on.
struct UpdateParams {
  int64_t outer = 1, row = 0, part = 0, slice = 1;
  bool wide = true;  // is the start i64?
};

int64_t start_of(const UpdateParams& params, const void* start) {
  const int64_t given = params.wide ? *static_cast<const int64_t*>(start) : *static_cast<const int32_t*>(start);
  const int64_t last = params.slice == 0 ? 0 : (params.row - params.part) / params.slice;
  return std::clamp(given, int64_t{0}, last) * params.slice;
}

// Where the result has the memory of x, there is only the update to write.
void write_slices(const KernelCall& call) {
  const auto& params = *static_cast<const UpdateParams*>(call.params);
  const auto* const x = static_cast<const std::byte*>(call.inputs[0]);
  const auto* const update = static_cast<const std::byte*>(call.inputs[1]);
  auto* const to = static_cast<std::byte*>(call.outputs[0]);
  const int64_t start = start_of(params, call.inputs[2]), total = params.outer * params.row;
  const int64_t begin = chunk_begin(total, call.chunks, call.chunk),
                end = chunk_begin(total, call.chunks, call.chunk + 1);
  // Bytes `low` to `high` of a row, as far as they are the chunk's, which begin at `from` + low.
  const auto copy = [&](int64_t low, int64_t high, int64_t at, const std::byte* from) {
    low = std::max(low, begin - at);
    high = std::min(high, end - at);
    if (low >= high) return;
    std::memcpy(to + at + low, from + low, static_cast<size_t>(high - low));
    call.count(high - low, high - low);
  };
  for (int64_t i = begin / std::max<int64_t>(1, params.row); i * params.row < end; ++i) {
    const int64_t at = i * params.row;
    if (x != to) {
      copy(0, start, at, x + at);
      copy(start + params.part, params.row, at, x + at);
    }
    copy(start, start + params.part, at, update + i * params.part - start);
  }
}

KernelPlan plan(const KernelRequest& request) {
  constexpr int64_t grain = int64_t{1} << 20;
  const int64_t axis = request.attributes().get<int64_t>("axis");
  const AxisView x(request.output_sizes(), axis), update(request.input_sizes(1), axis);
  const auto size = static_cast<int64_t>(size_of(request.output().dtype));
  auto params = std::make_shared<UpdateParams>();
  *params = {x.outer, x.size * x.inner * size, update.size * x.inner * size, x.inner * size,
             request.input(2).dtype == DType::i64};
  KernelPlan plan;
  const int64_t total = params->outer * params->row;
  if (total == 0) return plan;
  plan.steps = {{write_slices, chunk_count(total, grain)}};
  plan.nanoseconds = 20 + 0.03 * static_cast<double>(total);
  plan.in_place = {{0, 0}};
  plan.params = std::move(params);
  return plan;
}

std::vector<Sample> samples() {
  return {
      {.inputs = {{{5, 3}}, {{2, 3}}, {{}, 0, 3, DType::i64}}, .attributes = {{"axis", int64_t{0}}}},
      {.inputs = {{{2, 4, 3}}, {{2, 3, 3}}, {{}, 0, 1, DType::i32}}, .attributes = {{"axis", int64_t{1}}}},
      {.inputs = {{{3, 6}}, {{3, 1}}, {{}, 0, 5, DType::i64}}, .attributes = {{"axis", int64_t{1}}}},
  };
}

// ---- slice_start

std::vector<TensorType> start_shape(const ShapeContext& context) {
  require_index_dtype(context, 0);
  if (context.shape(0).rank() != 0) context.fail("the start is no scalar");
  return {{context.dtype(0), Shape{}}};
}

void copy_start(const KernelCall& call) {
  const auto& check = *static_cast<const IndexCheck*>(call.params);
  std::memcpy(call.outputs[0], call.inputs[0], size_of(check.dtype));
}

KernelPlan plan_start(const KernelRequest& request) {
  const int64_t slices = request.attributes().get<Dim>("slices").value(),
                updated = request.attributes().get<Dim>("updated").value();
  auto check = std::make_shared<IndexCheck>(make_index_check(
      request, 0, slices - updated + 1, fmt::format("x has {} slices, the update {}", slices, updated)));
  check->error.op = update_slice_def.name;
  KernelPlan plan;
  plan.steps = {{check_indices, 1}, {copy_start, 1}};
  plan.nanoseconds = 20;
  plan.params = std::move(check);
  return plan;
}

std::vector<Sample> start_samples() {
  const Attributes attributes{{"slices", Dim(7)}, {"updated", Dim(3)}};
  return {{.inputs = {{{}, 0, 4, DType::i64}}, .attributes = attributes},
          {.inputs = {{{}, 0, 4, DType::i32}}, .attributes = attributes}};
}

}  // namespace

const OpDef slice_start_def{.name = "slice_start",
                            .inputs = {"start"},
                            .rule = "update_slice needs a scalar start, i32 or i64, that leaves room for the update",
                            .shape = start_shape,
                            .no_gradient = "it is an index",
                            .plan = plan_start,
                            .properties = {.may_throw = true},
                            .samples = start_samples};

const OpDef update_slice_def{.name = "update_slice",
                             .inputs = {"x", "update", "start"},
                             .rule =
                                 "update_slice needs x, an update of its dtype and its shape but for fewer slices, and "
                                 "a scalar start, i32 or i64",
                             .shape = shape,
                             .vjp = vjp,
                             .plan = plan,
                             .properties = {.takes_bf16 = true},
                             .samples = samples};

Tensor update_slice(const Operand& x, const Tensor& update, const Tensor& start, int axis) {
  const SourceScope scope(x, "update_slice");
  const Tensor& tensor = x.tensor();
  Graph& graph = tensor.graph();
  const int64_t along = from_front(axis, tensor.rank());
  Tensor inputs[] = {tensor, update, start};
  const bool has_start =
      start.valid() && start.rank() == 0 && (start.dtype() == DType::i32 || start.dtype() == DType::i64);
  if (has_start && update.valid() && update.rank() == tensor.rank() && along >= 0 && along < tensor.rank()) {
    const int at = static_cast<int>(along);
    const Attributes room{{"slices", tensor.dim(at)}, {"updated", update.dim(at)}};
    inputs[2] = graph.add(slice_start_def, {&start, 1}, room, x.location());
  }  // else the rule below complains
  return graph.add(update_slice_def, inputs, {{"axis", along}}, x.location());
}

}  // namespace gradloom::inline v0
