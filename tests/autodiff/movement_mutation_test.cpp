// Would gradcheck notice? Mistakes planted in the gradients of what moves elements: windows, indices, resampling,
// slices, running sums.
#include "gradient_mutation_helper.hpp"
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/pooling.hpp>
#include <gradloom/ops/rearrange.hpp>
#include <gradloom/ops/recurrence.hpp>
#include <gradloom/ops/resample.hpp>

using namespace gradloom;
using test::GradientMutation;
using test::reshaped;

namespace {

using Axes = std::vector<int64_t>;

/// Windows of two elements, one apart, over one axis that has one element of padding in front.
Attributes pool_settings(const char* name = nullptr, AttributeValue value = {}) {
  Attributes attributes{
      {"window", Axes{2}}, {"strides", Axes{1}}, {"dilations", Axes{1}}, {"low", Axes{1}}, {"high", Axes{0}}};
  if (name != nullptr) attributes.set(name, std::move(value));
  return attributes;
}

Gradients node(const Vjp& v, const OpDef& op, const Tensor& x, const Attributes& attributes) {
  return {v.graph().add(op, {&x, 1}, attributes, {})};
}

int axis_of(const Vjp& v) { return static_cast<int>(v.attributes().get<int64_t>("axis")); }

Attributes resampling() {
  Graph g;
  const Tensor x = g.input("x", {3}, DType::f64);
  const Resampling halves{.taps = 2, .indices = {0, 1, 1, 2, 2, 2}, .weights = {0.75, 0.25, 0.5, 0.5, 0.9, 0.1}};
  return resample(x, 0, halves).node().attributes;
}

Attributes transposed_resampling() {
  Attributes attributes = resampling();
  attributes.set("size", int64_t{3});
  return attributes;
}

/// Every other element from the second on.
Attributes ranges(const Shape& shape, bool pads) {
  Attributes attributes{{"starts", Shape{1}}, {"steps", Axes{2}}, {"shape", shape}};
  if (pads) attributes.set("value", 0.0);
  return attributes;
}

std::vector<GradientMutation> mutations() {
  const Array image = reshaped({1, 4, 2}, {0.1, -0.4, 0.9, 0.7, -0.6, 0.2, 0.5, -0.8});
  const Array x = Array::from<double>({0.3, 0.7, 1.2}), y = Array::from<double>({0.5, 1.6, 0.9});
  const Array square = reshaped({2, 2}, {0.5, -1, 2, 0.3});
  const Array indices = Array::from<int64_t>({2, 0, 2}), lower = Array::from<int64_t>({1, 0, 1, 1}).reshaped({2, 2});
  const Array seen = Array::from<int32_t>({0, 0, 1, 1, 1, 2, 3, 2}).reshaped({1, 4, 2});
  const Array one = Array::from(std::vector<int64_t>{1}, {});
  const Attributes first{{"axis", int64_t{0}}}, sized{{"axis", int64_t{0}}, {"size", Dim(3)}};
  return {
      {"max_pool: every element of the window gets it",
       max_pool_def,
       [](const Vjp& v) { return node(v, pool_spread_def, v.cotangent(), pool_settings("sizes", Shape{4})); },
       {image},
       pool_settings()},
      {"max_unpool: the largest of the window instead of the one that the index says",
       max_unpool_def,
       [](const Vjp& v) -> Gradients {
         return {v.graph().add(max_pool_def, {&v.cotangent(), 1}, pool_settings(), {}), Gradient::none()};
       },
       {image, seen},
       pool_settings("sizes", Shape{4})},
      {"pool_sum: as a mean",
       pool_sum_def,
       [](const Vjp& v) { return node(v, pool_spread_def, v.cotangent() / 2, pool_settings("sizes", Shape{4})); },
       {image},
       pool_settings()},
      {"pool_sum: the sides of the padding are swapped",
       pool_sum_def,
       [](const Vjp& v) {
         Attributes swapped = pool_settings("sizes", Shape{4});
         swapped.set("low", Axes{0});
         swapped.set("high", Axes{1});
         return node(v, pool_spread_def, v.cotangent(), swapped);
       },
       {image},
       pool_settings()},
      {"pool_spread: the largest of the window",
       pool_spread_def,
       [](const Vjp& v) { return node(v, max_pool_def, v.cotangent(), pool_settings()); },
       {image},
       pool_settings("sizes", Shape{4})},
      {"gather: an index that comes twice counts once",
       gather_def,
       [](const Vjp& v) -> Gradients {
         const Tensor times = scatter_add(ones_like(v.cotangent()), v.input(1), v.input(0).dim(0));
         const Tensor all = scatter_add(v.cotangent(), v.input(1), v.input(0).dim(0));
         return {all / maximum(times, 1), Gradient::none()};
       },
       {x, indices},
       first},
      {"scatter_add: from the indices' other end",
       scatter_add_def,
       [](const Vjp& v) -> Gradients {
         return {flip(gather(v.cotangent(), v.input(1)), {0}), Gradient::none()};
       },
       {x, Array::from<int64_t>({2, 0, 1})},
       sized},
      {"take_along_axis: along the other axis",
       take_along_axis_def,
       [](const Vjp& v) -> Gradients {
         return {add_along_axis(v.cotangent(), v.input(1), 2, 1 - axis_of(v)), Gradient::none()};
       },
       {square, lower},
       first},
      {"add_along_axis: along the other axis",
       add_along_axis_def,
       [](const Vjp& v) -> Gradients {
         return {take_along_axis(v.cotangent(), v.input(1), 1 - axis_of(v)), Gradient::none()};
       },
       {square, lower},
       {{"axis", int64_t{0}}, {"size", Dim(2)}}},
      {"update_slice: what was replaced gets a gradient as well",
       update_slice_def,
       [](const Vjp& v) -> Gradients {
         return {v.cotangent(), update_slice_def.vjp(v)[1], Gradient::none()};
       },
       {x, Array::from<double>({0.2, 0.4}), one},
       first},
      {"update_slice: the update gets what is meant for the first slices",
       update_slice_def,
       [](const Vjp& v) -> Gradients {
         return {update_slice_def.vjp(v)[0], slice(v.cotangent(), 0, {0, 2}), Gradient::none()};
       },
       {x, Array::from<double>({0.2, 0.4}), one},
       first},
      {"resample: the weights are not transposed",
       resample_def,
       [](const Vjp& v) { return node(v, resample_def, v.cotangent(), resampling()); },
       {x},
       resampling()},
      {"resample_transposed: the weights are transposed again",
       resample_transposed_def,
       [](const Vjp& v) { return node(v, resample_transposed_def, v.cotangent(), transposed_resampling()); },
       {x},
       transposed_resampling()},
      {"slice: the steps are lost",
       slice_def,
       [](const Vjp& v) {
         Attributes attributes = ranges(Shape{5}, true);
         attributes.set("steps", Axes{1});
         return node(v, pad_def, v.cotangent(), attributes);
       },
       {Array::from<double>({0.3, 0.7, 1.2, -0.5, 0.1})},
       ranges(Shape{2}, false)},
      {"pad: from the beginning",
       pad_def,
       [](const Vjp& v) {
         Attributes attributes = ranges(Shape{3}, false);
         attributes.set("starts", Shape{0});
         return node(v, slice_def, v.cotangent(), attributes);
       },
       {x},
       ranges(Shape{7}, true)},
      {"concat: the parts are exchanged",
       concat_def,
       [](const Vjp& v) -> Gradients {
         const Gradients right = concat_def.vjp(v);
         return {right[1], right[0]};
       },
       {x, y},
       first},
      {"exclusive_recurrence: in the order of the steps",
       exclusive_recurrence_def,
       [](const Vjp& v) -> Gradients {
         const Tensor m = exclusive_recurrence(v.input(0), v.cotangent(), {.axes = {0}});
         return {m * v.output(), m};
       },
       {x, y},
       {{"axes", Axes{0}}, {"reverse", false}, {"start", 0.5}}},
      {"exclusive_recurrence: a constant that the next step multiplies",
       exclusive_recurrence_def,
       [](const Vjp& v) -> Gradients {
         const Gradients right = exclusive_recurrence_def.vjp(v);
         return {right[1].tensor() * v.input(1), right[1]};
       },
       {x, y},
       {{"axes", Axes{0}}, {"reverse", false}, {"start", 0.5}}},
  };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(autodiff_movement_mutation)

BOOST_AUTO_TEST_CASE(every_planted_mistake_of_a_gradient_is_caught) {
  for (const GradientMutation& mutation : mutations()) test::check_is_caught(mutation);
}

BOOST_AUTO_TEST_SUITE_END()
