// What a user calls: options made into attributes, and the poolings that are compositions.
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/pooling.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/refuse_internal.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/ops/where.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace gradloom::inline v0 {

namespace {

using Numbers = std::vector<int64_t>;

constexpr std::string_view rank_rule = "pooling needs x [batch, spatial..., channels] with one to three spatial axes";

[[noreturn]] void fail(std::string_view function, const Operand& x, const std::string& problem) {
  refuse(function, rank_rule, x.tensor(), problem, x.location());
}

size_t spatial_axes(std::string_view function, const Operand& x) {
  const int axes = x.tensor().rank() - 2;
  if (axes < 1 || axes > 3) fail(function, x, fmt::format("the rank is {}", x.tensor().rank()));
  return static_cast<size_t>(axes);
}

Numbers for_each_axis(const Numbers& given, size_t axes, const Numbers& otherwise) {
  if (given.empty()) return otherwise;
  return given.size() == 1 ? Numbers(axes, given[0]) : given;  // the shape rule counts them
}

// Options as the attributes of an op; with `extra`, how much `ceil` adds behind each axis.
struct Windows {
  Numbers window, strides, dilations, low, high, extra;

  Windows(std::string_view function, const Operand& x, const Shape& sizes, const PoolOptions& options) {
    const size_t axes = static_cast<size_t>(sizes.rank());
    window = for_each_axis(options.window, axes, {});
    strides = for_each_axis(options.strides, axes, window);
    dilations = for_each_axis(options.dilations, axes, Numbers(axes, 1));
    if (window.size() != axes || strides.size() != axes || dilations.size() != axes) {
      fail(function, x,
           fmt::format("window, strides and dilations have {}, {} and {} numbers for {} spatial axes", window.size(),
                       strides.size(), dilations.size(), axes));
    }
    extra = low = high = Numbers(axes, 0);
    if (options.padding.given()) {
      low = for_each_axis(options.padding.low(), axes, low);
      high = for_each_axis(options.padding.high(), axes, high);
    }
    for (size_t i = 0; i < axes && low.size() == axes && high.size() == axes; ++i) {
      if (strides[i] < 1) continue;  // the shape rule complains
      const Dim& size = sizes[static_cast<int>(i)];
      const int64_t extent = (window[i] - 1) * dilations[i] + 1;
      const bool same = !options.padding.given() && options.padding.rule() == Pad::same;
      if (!size.known() && ((same && strides[i] > 1) || options.ceil)) {
        fail(function, x,
             fmt::format("the size of spatial axis {} is {}, not known, and the windows depend on it", i,
                         size.to_string()));
      }
      if (same) {
        const int64_t windows = size.known() ? (size.value() + strides[i] - 1) / strides[i] : 0;
        const int64_t total = size.known() ? (windows - 1) * strides[i] + extent - size.value() : extent - 1;
        low[i] = std::max<int64_t>(0, total) / 2;
        high[i] = std::max<int64_t>(0, total) - low[i];
      }
      if (options.ceil) {
        const int64_t room = size.value() + low[i] + high[i] - extent;
        int64_t last = (room + strides[i] - 1) / strides[i];  // the window's number
        if (last * strides[i] >= size.value() + low[i]) --last;
        extra[i] = std::max<int64_t>(0, last * strides[i] - room);
      }
    }
  }

  [[nodiscard]] Attributes attributes() const {
    Numbers behind = high;
    for (size_t i = 0; i < behind.size() && i < extra.size(); ++i) behind[i] += extra[i];
    return {{"window", window}, {"strides", strides}, {"dilations", dilations}, {"low", low}, {"high", behind}};
  }
};

Shape spatial(const Tensor& x) { return Shape(std::vector<Dim>(x.shape().begin() + 1, x.shape().end() - 1)); }

Numbers spatial_numbers(const Tensor& x) {
  Numbers axes;
  for (int axis = 1; axis + 1 < x.rank(); ++axis) axes.push_back(axis);
  return axes;
}

Tensor pool(const OpDef& op, const Operand& x, const Windows& windows) {
  const Tensor inputs[] = {x.tensor()};
  return x.tensor().graph().add(op, inputs, windows.attributes(), x.location());
}

Tensor max_pool_of(const Operand& x, const PoolOptions& options) {
  (void)spatial_axes("max_pool", x);
  return pool(max_pool_def, x, Windows("max_pool", x, spatial(x.tensor()), options));
}

// How many elements each window sees, [1, pooled..., 1].
Tensor counts(const Operand& x, const Windows& windows, bool with_padding) {
  const Tensor& value = x.tensor();
  const size_t axes = windows.window.size();
  std::vector<Dim> dims(value.shape().begin(), value.shape().end());
  dims.front() = dims.back() = 1;
  const Tensor ones = full(value.graph(), Shape(dims), 1, value.dtype(), x.location());
  if (!with_padding) return pool(pool_sum_def, {ones, x.location()}, windows);
  PadOptions padding{.value = 1};
  std::vector<Dim> low(axes + 2, 0), high(axes + 2, 0);
  std::copy(windows.low.begin(), windows.low.end(), low.begin() + 1);
  std::copy(windows.high.begin(), windows.high.end(), high.begin() + 1);
  padding.low = Shape(std::move(low));
  padding.high = Shape(std::move(high));
  Windows padded = windows;
  padded.low.assign(axes, 0);
  padded.high.assign(axes, 0);
  return pool(pool_sum_def, {pad({ones, x.location()}, padding), x.location()}, padded);
}

bool any(const Numbers& numbers) {
  return std::any_of(numbers.begin(), numbers.end(), [](int64_t number) { return number != 0; });
}

// total^(1/p) of sums of |x|^p. It has no derivative at 0, so that element takes a way of its own, as in norm.
Tensor root(const Tensor& total, double p) {
  if (p == 1) return total;
  const Tensor zero = equal(total, 0);
  const Tensor positive = where(zero, 1, total);
  return where(zero, 0, p == 2 ? sqrt(positive) : pow(positive, 1 / p));
}

Tensor powers(const Tensor& x, double p) { return p == 1 ? abs(x) : p == 2 ? square(x) : pow(abs(x), p); }

void require_power(std::string_view function, const Operand& x, double p) {
  if (!(p > 0)) refuse(function, "p is greater than 0", x.tensor(), fmt::format("p is {}", p), x.location());
}

// Windows that differ in size: the bounds of each.
struct Span {
  int64_t begin, end;
};
std::vector<Span> adaptive_windows(int64_t from, int64_t to) {
  std::vector<Span> spans;
  for (int64_t i = 0; i < to; ++i) spans.push_back({i * from / to, ((i + 1) * from + to - 1) / to});
  return spans;
}

// `regular` where windows are equal along all axes, else `axis` for one after the other.
Tensor adaptive(std::string_view function, const Operand& x, const Numbers& sizes,
                const std::function<Tensor(const PoolOptions&)>& regular,
                const std::function<Tensor(const Tensor&, int, const std::vector<Span>&)>& along) {
  const size_t axes = spatial_axes(function, x);
  const Numbers to = for_each_axis(sizes, axes, {});
  if (to.size() != axes) fail(function, x, fmt::format("{} sizes for {} spatial axes", to.size(), axes));
  Numbers window;
  bool equal = true;
  for (size_t i = 0; i < axes; ++i) {
    const Dim& from = x.tensor().dim(static_cast<int>(i) + 1);
    if (!from.known())
      fail(function, x, fmt::format("the size {} of spatial axis {} is not known", from.to_string(), i));
    if (to[i] < 1 || from.value() < 1)
      fail(function, x, fmt::format("spatial axis {} cannot go from size {} to {}", i, from.value(), to[i]));
    window.push_back(from.value() / to[i]);
    equal = equal && from.value() % to[i] == 0;
  }
  if (equal) return regular({.window = window});
  Tensor y = x.tensor();
  for (size_t i = 0; i < axes; ++i) {
    const int64_t from = y.dim(static_cast<int>(i) + 1).value();
    if (from != to[i]) y = along(y, static_cast<int>(i) + 1, adaptive_windows(from, to[i]));
  }
  return y;
}

}  // namespace

Tensor max_pool(const Operand& x, const PoolOptions& options) {
  (void)spatial_axes("max_pool", x);
  const SourceScope scope(x, "max_pool");
  return max_pool_of(x, options);
}

MaxPool max_pool_with_index(const Operand& x, const PoolOptions& options) {
  const SourceScope scope(x, "max_pool");
  const Tensor value = max_pool_of(x, options);
  return {value, value.graph().tensor(value.node_id(), 1)};
}

Tensor max_unpool(const Operand& y, const Tensor& index, const Shape& sizes, const PoolOptions& options) {
  const SourceScope scope(y, "max_unpool");
  (void)spatial_axes("max_unpool", y);
  Attributes attributes = Windows("max_unpool", y, sizes, options).attributes();
  attributes.set("sizes", sizes);
  const Tensor inputs[] = {y.tensor(), index};
  return y.tensor().graph().add(max_unpool_def, inputs, attributes, y.location());
}

Tensor pool_sum(const Operand& x, const PoolOptions& options) {
  const SourceScope scope(x, "pool_sum");
  (void)spatial_axes("pool_sum", x);
  const Tensor value = as_float(x);
  return pool(pool_sum_def, {value, x.location()}, Windows("pool_sum", x, spatial(value), options));
}

Tensor average_pool(const Operand& x, const PoolOptions& options) {
  const SourceScope scope(x, "average_pool");
  (void)spatial_axes("average_pool", x);
  const Tensor value = as_float(x);
  const Windows windows("average_pool", x, spatial(value), options);
  const Tensor total = pool(pool_sum_def, {value, x.location()}, windows);
  const bool whole = !any(windows.extra) && (options.count_padding || (!any(windows.low) && !any(windows.high)));
  if (!whole) return total / counts({value, x.location()}, windows, options.count_padding);
  double count = 1;
  for (const int64_t size : windows.window) count *= static_cast<double>(size);
  return total / count;
}

Tensor lp_pool(const Operand& x, double p, const PoolOptions& options) {
  const SourceScope scope(x, "lp_pool");
  (void)spatial_axes("lp_pool", x);
  require_power("lp_pool", x, p);
  return root(pool_sum({powers(as_float(x), p), x.location()}, options), p);
}

Tensor global_max_pool(const Operand& x) {
  const SourceScope scope(x, "global_max_pool");
  (void)spatial_axes("global_max_pool", x);
  return max(x, {.axes = spatial_numbers(x.tensor())});
}

Tensor global_average_pool(const Operand& x) {
  const SourceScope scope(x, "global_average_pool");
  (void)spatial_axes("global_average_pool", x);
  return mean(x, {.axes = spatial_numbers(x.tensor())});
}

Tensor global_lp_pool(const Operand& x, double p) {
  const SourceScope scope(x, "global_lp_pool");
  (void)spatial_axes("global_lp_pool", x);
  require_power("global_lp_pool", x, p);
  return root(sum(powers(as_float(x), p), {.axes = spatial_numbers(x.tensor())}), p);
}

// Each window's elements are gathered side by side, the last one repeated where a window is short.
Tensor adaptive_max_pool(const Operand& x, const std::vector<int64_t>& sizes) {
  const SourceScope scope(x, "adaptive_max_pool");
  return adaptive(
      "adaptive_max_pool", x, sizes, [&](const PoolOptions& options) { return max_pool(x, options); },
      [&](const Tensor& y, int axis, const std::vector<Span>& spans) {
        int64_t longest = 0;
        for (const Span& span : spans) longest = std::max(longest, span.end - span.begin);
        std::vector<int32_t> indices;
        for (const Span& span : spans) {
          for (int64_t k = 0; k < longest; ++k)
            indices.push_back(static_cast<int32_t>(std::min(span.begin + k, span.end - 1)));
        }
        const int64_t shape[] = {static_cast<int64_t>(spans.size()), longest};
        const Tensor index =
            constant(y.graph(), DType::i32, shape, std::as_bytes(std::span<const int32_t>(indices)), x.location());
        return max(gather({y, x.location()}, index, axis), {.axes = {axis + 1}});
      });
}

// The mean of a box is that of means along one axis; along that, a product with a matrix.
Tensor adaptive_average_pool(const Operand& x, const std::vector<int64_t>& sizes) {
  const SourceScope scope(x, "adaptive_average_pool");
  const Operand value(as_float(x), x.location());
  return adaptive(
      "adaptive_average_pool", value, sizes, [&](const PoolOptions& options) { return average_pool(value, options); },
      [&](const Tensor& y, int axis, const std::vector<Span>& spans) {
        const int64_t from = y.dim(axis).value(), to = static_cast<int64_t>(spans.size());
        std::vector<double> weights(static_cast<size_t>(from * to), 0);
        for (size_t i = 0; i < spans.size(); ++i) {
          const auto row = weights.begin() + static_cast<int64_t>(i) * from;
          std::fill(row + spans[i].begin, row + spans[i].end, 1 / static_cast<double>(spans[i].end - spans[i].begin));
        }
        const Tensor matrix = cast(constant<double>(y.graph(), {to, from}, weights, x.location()), y.dtype());
        std::vector<Dim> dims(y.shape().begin(), y.shape().end());
        Dim before = 1, behind = 1;
        for (int i = 0; i < axis; ++i) before = before * y.dim(i);
        for (int i = axis + 1; i < y.rank(); ++i) behind = behind * y.dim(i);
        dims[static_cast<size_t>(axis)] = to;
        return reshape(matmul(matrix, reshape({y, x.location()}, {before, from, behind})), Shape(dims));
      });
}

}  // namespace gradloom::inline v0
