// Operators that change the sizes of images: blocks of pixels, and interpolation.
#include "onnx/onnx_call_helper.hpp"
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/depth_to_space.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/resample.hpp>
#include <gradloom/ops/resize.hpp>
#include <gradloom/ops/where.hpp>

#include <algorithm>
#include <cmath>
#include <map>

namespace gradloom::test::onnx {

Tensors depth_moved_to_space(Call& c) {
  const DepthOrder order = c.s("mode", "DCR") == "DCR" ? DepthOrder::block_first : DepthOrder::channels_first;
  return {channels_first(depth_to_space(channels_last(c.x()), c.i("blocksize", 1), order))};
}

Tensors space_moved_to_depth(Call& c) {
  return {channels_first(space_to_depth(channels_last(c.x()), c.i("blocksize", 1)))};
}

namespace {

/// What Resize asks for, one number for each axis.
struct Wanted {
  std::string mode, places, nearest;
  Ints sizes{};
  std::vector<double> scales{}, begin{}, end{};
  bool exclude_outside = false;
  double cubic_coefficient = 0;
};

Wanted wanted_of(const Call& c) {
  const bool upsample = c.node.op == "Upsample";
  Wanted wanted{.mode = c.s("mode", "nearest"),
                .places = upsample ? "asymmetric" : c.s("coordinate_transformation_mode", "half_pixel"),
                .nearest = upsample ? "floor" : c.s("nearest_mode", "round_prefer_floor"),
                .exclude_outside = c.i("exclude_outside", 0) != 0,
                .cubic_coefficient = c.f("cubic_coeff_a", -0.75)};
  const Ints from = sizes_of(c.x());
  if (const size_t k = upsample ? 1 : 2; c.has(k)) wanted.scales = c.floats_of(k);
  if (!wanted.scales.empty()) {
    for (size_t k = 0; k < from.size(); ++k) {
      wanted.sizes.push_back(static_cast<int64_t>(std::floor(static_cast<double>(from[k]) * wanted.scales[k])));
    }
  } else {
    wanted.sizes = c.ints_of(3);
    for (size_t k = 0; k < from.size(); ++k) {
      wanted.scales.push_back(static_cast<double>(wanted.sizes[k]) / static_cast<double>(from[k]));
    }
  }
  if (wanted.places == "tf_crop_and_resize") {
    const std::vector<double> crop = c.floats_of(1);
    const auto half = crop.begin() + static_cast<std::ptrdiff_t>(from.size());
    wanted.begin.assign(crop.begin(), half);
    wanted.end.assign(half, crop.end());
  }
  return wanted;
}

/// By resize(), where it has all of that.
Tensor resized_whole(const Tensor& x, const Wanted& wanted) {
  const std::map<std::string, Coordinates> places = {{"half_pixel", Coordinates::half_pixel},
                                                     {"align_corners", Coordinates::align_corners},
                                                     {"asymmetric", Coordinates::asymmetric}};
  const std::map<std::string, Interpolation> modes = {
      {"nearest", wanted.nearest == "floor" ? Interpolation::floor : Interpolation::nearest},
      {"linear", Interpolation::linear},
      {"cubic", Interpolation::cubic}};
  const Ints from = sizes_of(x);
  const bool rounds = wanted.nearest == "floor" || wanted.nearest == "round_prefer_floor";
  bool fits = rounds && !wanted.exclude_outside && places.contains(wanted.places) && wanted.sizes[0] == from[0] &&
              wanted.sizes[1] == from[1];
  for (size_t k = 2; k < from.size(); ++k) {  // resize() takes the scales from the sizes
    fits = fits && static_cast<double>(from[k]) * wanted.scales[k] == static_cast<double>(wanted.sizes[k]);
  }
  if (!fits) return {};
  return channels_first(resize(channels_last(x), Ints(wanted.sizes.begin() + 2, wanted.sizes.end()),
                               {.interpolation = modes.at(wanted.mode),
                                .coordinates = places.at(wanted.places),
                                .cubic_coefficient = wanted.cubic_coefficient}));
}

/// Where the elements of an axis that is resized lie on it.
std::vector<double> places_of(const Wanted& wanted, size_t axis, int64_t from) {
  std::vector<double> places;
  for (int64_t i = 0; i < wanted.sizes[axis]; ++i) {
    const double middle = static_cast<double>(i) + 0.5;
    if (wanted.places == "half_pixel") {
      places.push_back(middle / wanted.scales[axis] - 0.5);
    } else if (wanted.places == "tf_half_pixel_for_nn") {
      places.push_back(middle / wanted.scales[axis]);
    } else if (wanted.places == "tf_crop_and_resize") {
      const double begin = wanted.begin[axis], end = wanted.end[axis];
      const double part =
          wanted.sizes[axis] > 1 ? static_cast<double>(i) / static_cast<double>(wanted.sizes[axis] - 1) : 0.5;
      places.push_back((begin + part * (end - begin)) * static_cast<double>(from - 1));
    } else {
      throw NoCounterpart{"Resize with the coordinates " + wanted.places};
    }
  }
  return places;
}

/// Keys 1981, Cubic convolution interpolation for digital image processing, eq. 4 to 15, at a distance of t.
double cubic(double t, double a) {
  t = std::fabs(t);
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

/// One axis by resample(), with weights that resize() does not make.
Tensor resampled(const Tensor& x, int axis, const std::vector<double>& places, const Wanted& wanted) {
  const int64_t last = x.dim(axis).value() - 1;
  Resampling made{.taps = wanted.mode == "cubic" ? 4 : wanted.mode == "linear" ? 2 : 1};
  for (const double place : places) {
    // Of halves the lower one.
    const auto before = static_cast<int64_t>(made.taps == 1 ? std::ceil(place - 0.5) : std::floor(place));
    double total = 0;
    for (int64_t k = 0; k < made.taps; ++k) {
      const int64_t index = before + (made.taps == 4 ? k - 1 : k);
      const double distance = place - static_cast<double>(index);
      double weight = made.taps == 4   ? cubic(distance, wanted.cubic_coefficient)
                      : made.taps == 2 ? 1 - std::fabs(distance)
                                       : 1;
      if (wanted.exclude_outside && (index < 0 || index > last)) weight = 0;
      made.indices.push_back(std::clamp<int64_t>(index, 0, last));
      made.weights.push_back(weight);
      total += weight;
    }
    for (auto weight = made.weights.end() - made.taps; weight != made.weights.end(); ++weight) *weight /= total;
  }
  return resample(x, axis, made);
}

}  // namespace

Tensors resized(Call& c) {
  const Wanted wanted = wanted_of(c);
  if (const Tensor y = resized_whole(c.x(), wanted); y.valid()) return {y};
  if (wanted.nearest != "round_prefer_floor") throw NoCounterpart{"Resize to the nearest by " + wanted.nearest};
  Tensor y = c.x();
  for (int axis = 0; axis < c.x().rank(); ++axis) {
    const auto k = static_cast<size_t>(axis);
    const int64_t from = c.x().dim(axis).value();
    const bool crops = !wanted.begin.empty() && (wanted.begin[k] != 0 || wanted.end[k] != 1);
    if (wanted.sizes[k] == from && !crops) continue;
    const std::vector<double> places = places_of(wanted, k, from);
    y = resampled(y, axis, places, wanted);
    if (!crops) continue;
    Array inside({static_cast<int64_t>(places.size())}, DType::boolean);
    for (size_t i = 0; i < places.size(); ++i) {
      inside.data<bool>()[i] = places[i] >= 0 && places[i] <= static_cast<double>(from - 1);
    }
    Tensor mask = constant_of(c.graph, inside);
    for (int behind = axis + 1; behind < c.x().rank(); ++behind) mask = expand_dims(mask, -1);
    y = where(mask, y, c.f("extrapolation_value", 0));
  }
  return {y};
}

}  // namespace gradloom::test::onnx
