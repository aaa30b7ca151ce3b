// pad: a constant before, after and between the elements of x. Its gradient is slice, see ranges_internal.hpp.
#include <gradloom/graph/with_type_internal.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/fits_internal.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/ranges_internal.hpp>
#include <gradloom/ops/refuse_internal.hpp>
#include <gradloom/ops/sample.hpp>
#include <gradloom/ops/strided_copy.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  const Shape& to = context.attributes().get<Shape>("shape");
  check_ranges(context, context.shape(0), to);
  for (int axis = 0; axis < to.rank(); ++axis) {
    if (to[axis].known() && to[axis].value() < 0) {
      context.fail(fmt::format("axis {} would get size {}", axis, to[axis].to_string()));
    }
  }
  const double value = context.attributes().get<double>("value");
  if (!fits(value, context.dtype(0))) context.fail(fmt::format("{} is no {}", value, to_string(context.dtype(0))));
  return {{context.dtype(0), to}};
}

Gradients vjp(const Vjp& v) {
  const Tensor cotangent = v.cotangent();
  return {v.graph().add(slice_def, {&cotangent, 1},
                        {{"starts", v.attributes().get<Shape>("starts")},
                         {"steps", v.attributes().get<Steps>("steps")},
                         {"shape", v.input(0).shape()}},
                        v.node().location)};
}

// Per axis of the result: its size, and where x's elements are in it.
struct PadAxis {
  int64_t size = 0, start = 0, step = 1, count = 0;
  int64_t stride = 0;  // of x, in elements
};

struct PadParams {
  std::vector<PadAxis> axes;  // at least one
  int64_t rows = 0;           // of the result: product of all sizes but the last
  uint64_t value = 0;         // its bytes come first
};

constexpr int64_t grain = int64_t{64} * 1024;

// The offset in x of the row of the result, or -1 if the row is padding throughout.
int64_t source_of(const PadParams& params, int64_t row) {
  int64_t at = 0;
  for (size_t i = params.axes.size() - 1; i-- > 0;) {
    const PadAxis& axis = params.axes[i];
    const int64_t distance = row % axis.size - axis.start;
    row /= axis.size;
    const int64_t index = distance / axis.step;
    if (distance % axis.step != 0 || index < 0 || index >= axis.count) return -1;
    at += index * axis.stride;
  }
  return at;
}

template <class T>
void fill(T* to, int64_t n, T value) {
  for (int64_t i = 0; i < n; ++i) to[i] = value;
}

template <class T>
void pad_rows(const KernelCall& call) {
  const auto& params = *static_cast<const PadParams*>(call.params);
  const PadAxis& last = params.axes.back();
  T value;
  std::memcpy(&value, &params.value, sizeof(T));
  const int64_t end = chunk_begin(params.rows, call.chunks, call.chunk + 1);
  for (int64_t row = chunk_begin(params.rows, call.chunks, call.chunk); row < end; ++row) {
    T* const to = static_cast<T*>(call.outputs[0]) + row * last.size;
    const int64_t source = last.count == 0 ? -1 : source_of(params, row);
    call.count((source < 0 ? 0 : last.count) * static_cast<int64_t>(sizeof(T)),
               last.size * static_cast<int64_t>(sizeof(T)));
    if (source < 0) {
      fill(to, last.size, value);
      continue;
    }
    const T* const from = static_cast<const T*>(call.inputs[0]) + source;
    if (last.step == 1) {
      fill(to, last.start, value);
      std::memcpy(to + last.start, from, static_cast<size_t>(last.count) * sizeof(T));
      fill(to + last.start + last.count, last.size - last.start - last.count, value);
    } else {
      fill(to, last.size, value);
      for (int64_t i = 0; i < last.count; ++i) to[last.start + i * last.step] = from[i];
    }
  }
}

KernelPlan plan(const KernelRequest& request) {
  const std::vector<int64_t> from = request.input_sizes(0), to = request.output_sizes();
  const std::vector<int64_t> starts = request.attributes().get<Shape>("starts").sizes(),
                             strides = row_major_strides(from);
  const Steps& steps = request.attributes().get<Steps>("steps");
  auto params = std::make_shared<PadParams>();
  int64_t count = 1;
  for (size_t i = 0; i < to.size(); ++i) {
    count *= to[i];
    PadAxis axis{to[i], starts[i], steps[i], from[i], strides[i]};
    const bool whole = axis.count == axis.size && axis.step == 1;
    // An axis without padding continues the rows of the one before it, so that rows are long.
    if (whole && !params->axes.empty() && params->axes.back().step == 1) {
      const PadAxis& before = params->axes.back();
      axis = {before.size * to[i], before.start * to[i], 1, before.count * to[i], axis.stride};
      params->axes.back() = axis;
    } else {
      params->axes.push_back(axis);
    }
  }
  if (params->axes.empty()) params->axes.push_back({1, 0, 1, 1, 1});
  KernelPlan plan;
  if (count == 0) return plan;
  params->rows = count / params->axes.back().size;
  with_type(request.output().dtype, [&](auto zero) {
    const auto value = static_cast<decltype(zero)>(request.attributes().get<double>("value"));
    std::memcpy(&params->value, &value, sizeof(value));
  });
  const size_t bytes = size_of(request.output().dtype);
  const int64_t pieces = chunk_count(count, grain);
  plan.steps = {{bytes == 1   ? pad_rows<uint8_t>
                 : bytes == 2 ? pad_rows<uint16_t>
                 : bytes == 4 ? pad_rows<uint32_t>
                              : pad_rows<uint64_t>,
                 pieces < params->rows ? pieces : params->rows}};
  plan.nanoseconds =
      20 + 0.03 * static_cast<double>(count) * static_cast<double>(bytes) + 3 * static_cast<double>(params->rows);
  plan.params = std::move(params);
  return plan;
}

/// A tensor that is zero outside of a range along one axis.
struct PaddedRange {
  Tensor inside;
  int64_t axis = 0, begin = 0, end = 0;
};

std::optional<PaddedRange> padded_range(const Tensor& x) {
  if (!made_by(x, pad_def)) return std::nullopt;
  const Attributes& attributes = x.node().attributes;
  const Shape& starts = attributes.get<Shape>("starts");
  const Steps& steps = attributes.get<Steps>("steps");
  if (attributes.get<double>("value") != 0 || std::any_of(steps.begin(), steps.end(), [](int64_t s) { return s != 1; }))
    return std::nullopt;
  PaddedRange range{input_of(x)};
  int padded = 0;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const Dim &size = range.inside.dim(axis), &start = starts[axis];
    if (size == x.dim(axis)) continue;
    if (!size.known() || !start.known() || ++padded > 1) return std::nullopt;
    range.axis = axis;
    range.begin = start.value();
    range.end = start.value() + size.value();
  }
  return padded == 1 ? std::optional(range) : std::nullopt;
}

std::vector<Sample> samples() {
  return {{.inputs = {{{3}}},
           .attributes = {{"starts", Shape{2}}, {"steps", Steps{1}}, {"shape", Shape{6}}, {"value", 0.0}}},
          {.inputs = {{{2, 3}}},
           .attributes = {{"starts", Shape{1, 6}}, {"steps", Steps{3, -2}}, {"shape", Shape{5, 8}}, {"value", 1.0}}},
          {.inputs = {{{2, 3, 2}}},
           .attributes =
               {{"starts", Shape{0, 1, 0}}, {"steps", Steps{1, 1, 1}}, {"shape", Shape{2, 5, 2}}, {"value", 0.0}}},
          {.inputs = {{{0, 2}}},
           .attributes = {{"starts", Shape{1, 0}}, {"steps", Steps{1, 1}}, {"shape", Shape{2, 2}}, {"value", 1.0}}}};
}

}  // namespace

const OpDef pad_def{
    .name = "pad",
    .inputs = {"x"},
    .rule = "pad adds a number of elements to each axis: low, high and interior have one for each, or none",
    .shape = shape,
    .vjp = vjp,
    .plan = plan,
    .properties = {.takes_bf16 = true},
    .samples = samples};

Tensor pad(const Operand& x, const PadOptions& options) {
  const SourceScope scope(x, "pad");
  const Tensor& tensor = x.tensor();
  const auto fail = [&](const std::string& problem) { refuse(pad_def, {&tensor, 1}, problem, x.location()); };
  const int rank = tensor.rank();
  const auto amounts = [&](const char* which, const std::vector<Dim>& given) {
    if (given.empty()) return std::vector<Dim>(static_cast<size_t>(rank), 0);
    if (given.size() != static_cast<size_t>(rank))
      fail(fmt::format("{} has {} numbers for {} axes", which, given.size(), rank));
    for (const Dim& dim : given) {
      if (dim.known() && dim.value() < 0) fail(fmt::format("{} has a negative number, {}", which, dim.to_string()));
    }
    return given;
  };
  const std::vector<Dim> low = amounts("low", options.low.dims()), high = amounts("high", options.high.dims());
  const std::vector<Dim> interior = amounts("interior", {options.interior.begin(), options.interior.end()});
  std::vector<Dim> to;
  Steps steps;
  bool adds = false;
  for (size_t axis = 0; axis < low.size(); ++axis) {
    const Dim& size = tensor.dim(static_cast<int>(axis));
    to.push_back(low[axis] + size + (size == Dim(0) ? Dim(0) : (size - 1) * interior[axis]) + high[axis]);
    steps.push_back(interior[axis].value() + 1);
    if (to.back() != size) adds = true;
  }
  if (!adds) return tensor;
  return tensor.graph().add(
      pad_def, {&tensor, 1},
      {{"starts", Shape(low)}, {"steps", steps}, {"shape", Shape(std::move(to))}, {"value", options.value}},
      x.location());
}

Tensor sum_of_ranges(const Tensor& a, const Tensor& b) {
  std::optional<PaddedRange> first = padded_range(a), last = padded_range(b);
  if (!first || !last || first->axis != last->axis) return {};
  if (first->begin > last->begin) std::swap(first, last);
  if (first->end != last->begin) return {};
  const int64_t axis = first->axis;
  std::vector<Tensor> parts;
  for (const PaddedRange* range : {&*first, &*last}) {
    const Node& made = range->inside.node();
    if (made_by(range->inside, concat_def) && made.attributes.get<int64_t>("axis") == axis) {
      for (int i = 0; i < static_cast<int>(made.inputs.size()); ++i) parts.push_back(input_of(range->inside, i));
    } else {
      parts.push_back(range->inside);
    }
  }
  std::vector<Dim> low(static_cast<size_t>(a.rank())), high(static_cast<size_t>(a.rank()));
  low[static_cast<size_t>(axis)] = first->begin;
  high[static_cast<size_t>(axis)] = a.dim(static_cast<int>(axis)) - last->end;
  return pad(concat(parts, static_cast<int>(axis)), {.low = Shape(low), .high = Shape(high)});
}

}  // namespace gradloom::inline v0
