#include <gradloom/ops/pool_windows_internal.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

using Numbers = std::vector<int64_t>;

int spatial_axes(const ShapeContext& context, const Shape& shape) {
  const int axes = shape.rank() - 2;
  if (axes < 1 || axes > 3) context.fail(fmt::format("the rank is {}", shape.rank()));
  return axes;
}

void check(const ShapeContext& context, const PoolWindows& windows, int axes) {
  const auto numbers = [&](const char* name, const Numbers& given, int64_t least) {
    if (static_cast<int>(given.size()) != axes)
      context.fail(fmt::format("{} has {} numbers for {} spatial axes", name, given.size(), axes));
    for (const int64_t number : given) {
      if (number < least) context.fail(fmt::format("{} has the number {}", name, number));
    }
  };
  numbers("window", windows.window, 1);
  numbers("strides", windows.strides, 1);
  numbers("dilations", windows.dilations, 1);
  numbers("padding", windows.low, 0);
  numbers("padding", windows.high, 0);
  for (size_t axis = 0; axis < windows.low.size(); ++axis) {
    const int64_t extent = windows.extent(axis), padding = std::max(windows.low[axis], windows.high[axis]);
    if (padding >= extent)
      context.fail(fmt::format("the padding {} is not smaller than the window, which spans {}", padding, extent));
  }
}

}  // namespace

PoolWindows::PoolWindows(const Attributes& attributes)
    : window(attributes.get<Numbers>("window")),
      strides(attributes.get<Numbers>("strides")),
      dilations(attributes.get<Numbers>("dilations")),
      low(attributes.get<Numbers>("low")),
      high(attributes.get<Numbers>("high")) {}

Shape pooled_shape(const ShapeContext& context, const Shape& x) {
  const int axes = spatial_axes(context, x);
  const PoolWindows windows(context.attributes());
  check(context, windows, axes);
  std::vector<Dim> dims{x[0]};
  for (int i = 0; i < axes; ++i) {
    const size_t axis = static_cast<size_t>(i);
    const Dim &size = x[i + 1], room = size + windows.low[axis] + windows.high[axis] - windows.extent(axis);
    if (room.known() && room.value() < 0) {
      context.fail(fmt::format("axis {} has size {}, {} with padding, and the window spans {}", i + 1, size.to_string(),
                               (room + windows.extent(axis)).to_string(), windows.extent(axis)));
    }
    dims.push_back(room / windows.strides[axis] + 1);
  }
  dims.push_back(x[-1]);
  return Shape(std::move(dims));
}

Shape unpooled_shape(const ShapeContext& context, const Shape& y) {
  const int axes = spatial_axes(context, y);
  const Shape& sizes = context.attributes().get<Shape>("sizes");
  if (sizes.rank() != axes) context.fail(fmt::format("{} sizes were given for {} spatial axes", sizes.rank(), axes));
  std::vector<Dim> dims{y[0]};
  dims.insert(dims.end(), sizes.begin(), sizes.end());
  dims.push_back(y[-1]);
  Shape before(std::move(dims));
  const Shape after = pooled_shape(context, before);
  for (int axis = 1; axis <= axes; ++axis)
    (void)context.require_equal(y[axis], after[axis], fmt::format("axis {} and what pooling makes of its size", axis));
  return before;
}

PoolPlan::PoolPlan(const KernelRequest& request, bool spreads) {
  const PoolWindows windows(request.attributes());
  const Numbers from = request.input_sizes(0), to = request.output_sizes();
  const size_t axes = windows.window.size();
  table.images = to.front();
  table.channels = to.back();
  visits = static_cast<double>(table.images * table.channels);
  storage_.reserve(6);  // the table points into it
  for (size_t i = 0; i < 3; ++i) {
    const bool exists = i + axes >= 3;  // else a window of one element
    const size_t axis = exists ? i + axes - 3 : 0;
    PoolAxis& made = table.axes[i];
    if (exists) {
      made.to = to[axis + 1];
      made.from = from[axis + 1];
    }
    const int64_t pooled = spreads ? made.from : made.to, size = spreads ? made.to : made.from;
    std::vector<Numbers> sources(static_cast<size_t>(made.to));
    for (int64_t o = 0; o < pooled; ++o) {
      for (int64_t k = 0; k < (exists ? windows.window[axis] : 1); ++k) {
        const int64_t at = exists ? o * windows.strides[axis] + k * windows.dilations[axis] - windows.low[axis] : 0;
        if (at < 0 || at >= size) continue;
        sources[static_cast<size_t>(spreads ? at : o)].push_back(spreads ? o : at);
      }
    }
    Numbers &first = storage_.emplace_back(Numbers{0}), &source = storage_.emplace_back();
    for (const Numbers& list : sources) {
      source.insert(source.end(), list.begin(), list.end());
      first.push_back(static_cast<int64_t>(source.size()));
    }
    made.first = first.data();
    made.source = source.data();
    visits *= static_cast<double>(source.size());
  }
}

int64_t pool_chunks(const PoolPlan& plan) {
  constexpr double grain = 64 * 1024;
  return std::clamp<int64_t>(static_cast<int64_t>(plan.visits / grain), 1, std::max<int64_t>(1, plan.table.rows()));
}

}  // namespace gradloom::inline v0
