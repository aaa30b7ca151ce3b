// slice: part of each axis, with a step that may be negative. Its gradient is pad, see ranges_internal.hpp.
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/ranges_internal.hpp>
#include <gradloom/ops/refuse_internal.hpp>
#include <gradloom/ops/sample.hpp>
#include <gradloom/ops/strided_copy.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

void check_ranges(const ShapeContext& context, const Shape& counts, const Shape& of) {
  const Shape& starts = context.attributes().get<Shape>("starts");
  const Steps& steps = context.attributes().get<Steps>("steps");
  const int rank = of.rank();
  if (starts.rank() != rank || counts.rank() != rank || static_cast<int>(steps.size()) != rank) {
    context.fail("there is not one range for each axis");
  }
  for (int axis = 0; axis < rank; ++axis) {
    const int64_t step = steps[static_cast<size_t>(axis)];
    const Dim &first = starts[axis], &count = counts[axis];
    if (step == 0) context.fail(fmt::format("the step of axis {} is 0", axis));
    if (count.known() && count.value() < 0)
      context.fail(fmt::format("axis {} would get size {}", axis, count.to_string()));
    if (count == Dim(0)) continue;
    const Dim last = first + (count - 1) * step;
    const Dim& low = step > 0 ? first : last;
    const Dim above = of[axis] - 1 - (step > 0 ? last : first);
    if ((low.known() && low.value() < 0) || (above.known() && above.value() < 0)) {
      context.fail(fmt::format("the range takes the elements {} to {} of axis {}, which has size {}", first.to_string(),
                               last.to_string(), axis, of[axis].to_string()));
    }
  }
}

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  const Shape& to = context.attributes().get<Shape>("shape");
  check_ranges(context, to, context.shape(0));
  return {{context.dtype(0), to}};
}

Gradients vjp(const Vjp& v) {
  const Tensor cotangent = v.cotangent();
  return {v.graph().add(pad_def, {&cotangent, 1},
                        {{"starts", v.attributes().get<Shape>("starts")},
                         {"steps", v.attributes().get<Steps>("steps")},
                         {"shape", v.input(0).shape()},
                         {"value", 0.0}},
                        v.node().location)};
}

KernelPlan plan(const KernelRequest& request) {
  const std::vector<int64_t> starts = request.attributes().get<Shape>("starts").sizes();
  const Steps& steps = request.attributes().get<Steps>("steps");
  std::vector<int64_t> strides = row_major_strides(request.input_sizes(0));
  int64_t offset = 0;
  for (size_t axis = 0; axis < strides.size(); ++axis) {
    offset += starts[axis] * strides[axis];
    strides[axis] *= steps[axis];
  }
  return plan_strided_copy(request.output_sizes(), strides, offset, size_of(request.output().dtype));
}

bool takes_all(const Shape& from, const Shape& starts, const Steps& steps, const Shape& to) {
  for (const int64_t step : steps) {
    if (step != 1) return false;
  }
  for (const Dim& start : starts) {
    if (start != Dim(0)) return false;
  }
  return from == to;
}

Tensor simplify(Graph&, const Node& node, std::span<const Tensor> inputs) {
  const bool all = takes_all(inputs[0].shape(), node.attributes.get<Shape>("starts"),
                             node.attributes.get<Steps>("steps"), node.outputs[0].shape);
  return all ? inputs[0] : Tensor();
}

std::vector<Sample> samples() {
  return {
      {.inputs = {{{7}}}, .attributes = {{"starts", Shape{2}}, {"steps", Steps{1}}, {"shape", Shape{4}}}},
      {.inputs = {{{3, 9}}}, .attributes = {{"starts", Shape{0, 8}}, {"steps", Steps{2, -3}}, {"shape", Shape{2, 3}}}},
      {.inputs = {{{4, 3}}}, .attributes = {{"starts", Shape{3, 0}}, {"steps", Steps{-1, 1}}, {"shape", Shape{4, 3}}}},
      {.inputs = {{{4, 3}}}, .attributes = {{"starts", Shape{4, 0}}, {"steps", Steps{1, 1}}, {"shape", Shape{0, 3}}}}};
}

std::string to_string(const Range& range) {
  const auto bound = [](const Dim& dim) { return dim == Dim(Range::open) ? std::string() : dim.to_string(); };
  return fmt::format("{}:{}:{}", bound(range.start), bound(range.stop), range.step);
}

// A bound as an index from 0: `fallback` if open, from the end if negative.
Dim bound(const Dim& given, const Dim& size, const Dim& fallback) {
  if (given == Dim(Range::open)) return fallback;
  return given.known() && given.value() < 0 ? given + size : given;
}

}  // namespace

const OpDef slice_def{.name = "slice",
                      .inputs = {"x"},
                      .rule = "slice takes elements that x has, at most one range per axis, and no step of 0",
                      .shape = shape,
                      .vjp = vjp,
                      .plan = plan,
                      .properties = {.takes_bf16 = true},
                      .simplify = simplify,
                      .samples = samples};

Tensor slice(const Operand& x, const std::vector<Range>& ranges) {
  const SourceScope scope(x, "slice");
  const Tensor& tensor = x.tensor();
  const auto fail = [&](const std::string& problem) { refuse(slice_def, {&tensor, 1}, problem, x.location()); };
  const size_t rank = static_cast<size_t>(tensor.rank());
  if (ranges.size() > rank) fail(fmt::format("{} ranges were given for {} axes", ranges.size(), rank));
  std::vector<Dim> starts, sizes;
  Steps steps;
  for (size_t axis = 0; axis < rank; ++axis) {
    const Range range = axis < ranges.size() ? ranges[axis] : Range{};
    const Dim& size = tensor.dim(static_cast<int>(axis));
    if (range.step == 0) fail(fmt::format("the step of axis {} is 0", axis));
    const bool up = range.step > 0;
    const Dim start = bound(range.start, size, up ? Dim(0) : size - 1);
    const Dim stop = bound(range.stop, size, up ? size : Dim(-1));
    // ceil(length / |step|)
    const Dim length = up ? stop - start : start - stop, step = up ? Dim(range.step) : Dim(0) - Dim(range.step);
    if (length.known() && length.value() < 0)
      fail(fmt::format("the range {} of axis {} runs backwards", to_string(range), axis));
    starts.push_back(start);
    sizes.push_back((length + step - 1) / step);
    steps.push_back(range.step);
  }
  const Shape from(std::move(starts)), to(std::move(sizes));
  if (takes_all(tensor.shape(), from, steps, to)) return tensor;
  return tensor.graph().add(slice_def, {&tensor, 1}, {{"starts", from}, {"steps", steps}, {"shape", to}}, x.location());
}

Tensor slice(const Operand& x, int axis, const Range& range) {
  const SourceScope scope(x, "slice");
  const Tensor& tensor = x.tensor();
  const int rank = tensor.rank();
  if (axis < -rank || axis >= rank) {
    refuse(slice_def, {&tensor, 1}, fmt::format("there is no axis {} in a tensor of rank {}", axis, rank),
           x.location());
  }
  std::vector<Range> ranges(static_cast<size_t>(axis < 0 ? axis + rank : axis));
  ranges.push_back(range);
  return slice(x, ranges);
}

}  // namespace gradloom::inline v0
