// Interpolation is separable: one axis after the other.
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/refuse_internal.hpp>
#include <gradloom/ops/resample.hpp>
#include <gradloom/ops/resize.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gradloom::inline v0 {

namespace {

constexpr std::string_view rule =
    "resize needs x [batch, spatial..., channels] and a size of at least 1 for each spatial axis";

double place_of(int64_t i, int64_t from, int64_t to, Coordinates coordinates) {
  const double at = static_cast<double>(i), n = static_cast<double>(from), m = static_cast<double>(to);
  switch (coordinates) {
    case Coordinates::half_pixel:
      return (at + 0.5) * n / m - 0.5;
    case Coordinates::align_corners:
      return to == 1 ? 0 : at * (n - 1) / (m - 1);
    case Coordinates::asymmetric:
      break;
  }
  return at * n / m;
}

// Keys' kernel at a distance of x.
double cubic(double x, double a) {
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

Tensor nearest(const Tensor& x, int axis, int64_t from, int64_t to, const ResizeOptions& options,
               SourceLocation location) {
  std::vector<int32_t> indices;
  for (int64_t i = 0; i < to; ++i) {
    const double place = place_of(i, from, to, options.coordinates);
    const double index = options.interpolation == Interpolation::floor ? std::floor(place) : std::ceil(place - 0.5);
    indices.push_back(static_cast<int32_t>(std::clamp<double>(index, 0, static_cast<double>(from - 1))));
  }
  return gather({x, location}, constant<int32_t>(x.graph(), {to}, indices, location), axis);
}

Resampling weighted(int64_t from, int64_t to, const ResizeOptions& options) {
  const bool is_cubic = options.interpolation == Interpolation::cubic;
  Resampling made{.taps = is_cubic ? 4 : 2};
  for (int64_t i = 0; i < to; ++i) {
    double place = place_of(i, from, to, options.coordinates);
    if (!is_cubic) place = std::clamp<double>(place, 0, static_cast<double>(from - 1));
    const double before = std::floor(place), t = place - before;
    for (int64_t k = 0; k < made.taps; ++k) {
      const int64_t offset = is_cubic ? k - 1 : k;
      made.indices.push_back(std::clamp<int64_t>(static_cast<int64_t>(before) + offset, 0, from - 1));
      made.weights.push_back(is_cubic ? cubic(t - static_cast<double>(offset), options.cubic_coefficient)
                                      : (k == 0 ? 1 - t : t));
    }
  }
  return made;
}

}  // namespace

Tensor resize(const Operand& x, const std::vector<int64_t>& sizes, const ResizeOptions& options) {
  const SourceScope scope(x, "resize");
  const auto fail = [&](const std::string& problem) { refuse("resize", rule, x.tensor(), problem, x.location()); };
  const int axes = x.tensor().rank() - 2;
  if (axes < 1) fail(fmt::format("the rank is {}", x.tensor().rank()));
  if (sizes.size() != 1 && static_cast<int>(sizes.size()) != axes)
    fail(fmt::format("{} sizes for {} spatial axes", sizes.size(), axes));
  Tensor y = x.tensor();
  for (int i = 0; i < axes; ++i) {
    const int64_t to = sizes[sizes.size() == 1 ? 0 : static_cast<size_t>(i)];
    const Dim size = y.dim(i + 1);
    if (to < 1) fail(fmt::format("the size {} was asked for", to));
    if (!size.known()) fail(fmt::format("the size {} of spatial axis {} is not known", size.to_string(), i));
    const int64_t from = size.value();
    if (from < 1) fail(fmt::format("spatial axis {} is empty", i));
    if (from == to) continue;
    const bool picks = options.interpolation == Interpolation::nearest || options.interpolation == Interpolation::floor;
    y = picks ? nearest(y, i + 1, from, to, options, x.location())
              : resample({y, x.location()}, i + 1, weighted(from, to, options));
  }
  return y;
}

Tensor upsample_nearest(const Operand& x, int64_t factor) {
  const SourceScope scope(x, "upsample_nearest");
  const Tensor& value = x.tensor();
  if (value.rank() < 3 || factor < 1) {
    refuse("upsample_nearest", "upsample_nearest needs x [batch, spatial..., channels] and a factor of at least 1",
           value, fmt::format("the rank is {}, the factor {}", value.rank(), factor), x.location());
  }
  std::vector<Dim> apart{value.dim(0)}, repeated{value.dim(0)}, together{value.dim(0)};
  for (int axis = 1; axis + 1 < value.rank(); ++axis) {
    apart.insert(apart.end(), {value.dim(axis), 1});
    repeated.insert(repeated.end(), {value.dim(axis), factor});
    together.push_back(value.dim(axis) * factor);
  }
  for (std::vector<Dim>* dims : {&apart, &repeated, &together}) dims->push_back(value.dim(-1));
  return reshape(broadcast(reshape(x, Shape(apart)), Shape(repeated)), Shape(together));
}

}  // namespace gradloom::inline v0
