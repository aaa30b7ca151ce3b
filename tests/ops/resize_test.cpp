#include "evaluate_helper.hpp"
#include "linear_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/resample.hpp>
#include <gradloom/ops/resize.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::evaluate;
using test::message_without_lines_of;
using test::Values;

namespace {

std::vector<double> resized(const std::vector<double>& line, int64_t size, const ResizeOptions& options) {
  Graph g;
  const int64_t n = static_cast<int64_t>(line.size());
  const Tensor y = resize(g.input("x", {1, n, 1}, DType::f64), {size}, options);
  return evaluate({y}, {{"x", Values::of({1, n, 1}, line)}})[0].as<double>();
}

void check(const std::vector<double>& made, const std::vector<double>& expected) {
  BOOST_REQUIRE(made.size() == expected.size());
  for (size_t i = 0; i < made.size(); ++i) BOOST_TEST(std::fabs(made[i] - expected[i]) < 1e-5, i << ": " << made[i]);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_resize)

BOOST_AUTO_TEST_CASE(values_along_a_line) {
  const std::vector<double> line = {1, 2, 4, 8};
  const auto linear = Interpolation::linear, cubic = Interpolation::cubic, nearest = Interpolation::nearest,
             floor = Interpolation::floor;
  const auto half = Coordinates::half_pixel, corners = Coordinates::align_corners, asymmetric = Coordinates::asymmetric;
  check(resized(line, 8, {linear, half}), {1, 1.25, 1.75, 2.5, 3.5, 5, 7, 8});
  check(resized(line, 7, {linear, corners}), {1, 1.5, 2, 3, 4, 6, 8});
  check(resized(line, 8, {linear, asymmetric}), {1, 1.5, 2, 3, 4, 6, 8, 8});
  check(resized(line, 2, {linear, half}), {1.5, 6});
  check(resized(line, 1, {linear, corners}), {1});
  check(resized(line, 8, {nearest, half}), {1, 1, 2, 2, 4, 4, 8, 8});
  check(resized(line, 3, {nearest, half}), {1, 2, 8});  // at 1/6, 1.5, 17/6: a half goes down
  check(resized(line, 3, {floor, asymmetric}), {1, 2, 4});
  check(resized(line, 7, {nearest, corners}), {1, 1, 2, 2, 4, 4, 8});
  // Half way between 2 and 4: (9 (2 + 4) - (1 + 8)) / 16 for a = -0.5, and 5/8 and -1/8 - 3/32 for a = -0.75.
  check({resized(line, 7, {cubic, corners, -0.5})[3]}, {(9.0 * 6 - 9) / 16});
  check({resized(line, 7, {cubic, corners})[3]}, {0.59375 * 6 - 0.09375 * 9});
  check(resized({3, 3, 3}, 7, {cubic, half}), {3, 3, 3, 3, 3, 3, 3});
}

BOOST_AUTO_TEST_CASE(axes_are_resized_one_after_the_other_on_every_instruction_set) {
  for (const Isa isa : supported_isas()) {
    Graph g;
    const Tensor x = g.input("x", {2, 3, 4, 19}), y = resize(x, {5, 2});
    BOOST_TEST((y.shape() == Shape{2, 5, 2, 19}));
    const Values given = test::scattered(DType::f32, {2, 3, 4, 19});
    const std::vector<double> from = given.as_doubles();
    const std::vector<double> made = evaluate({y}, {{"x", given}}, isa)[0].as_doubles();
    for (size_t n = 0; n < 2; ++n) {
      for (size_t i = 0; i < 5; ++i) {
        const double place = std::fmin(std::fmax((static_cast<double>(i) + 0.5) * 0.6 - 0.5, 0), 2),
                     t = place - std::floor(place);
        const size_t a = static_cast<size_t>(place), b = std::min<size_t>(a + 1, 2);
        for (size_t j = 0; j < 2; ++j) {
          for (size_t c = 0; c < 19; ++c) {
            const auto at = [&](size_t row) {
              const double* const line = &from[(n * 3 + row) * 4 * 19 + c];
              return (line[2 * j * 19] + line[(2 * j + 1) * 19]) / 2;  // at 0.5 and 2.5
            };
            BOOST_TEST(std::fabs(made[((n * 5 + i) * 2 + j) * 19 + c] - ((1 - t) * at(a) + t * at(b))) < 1e-5);
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(gradients_by_finite_differences) {
  const Array x = Array::from<double>({0.3, -1.2, 0.7, 1.9, -0.4, 0.8}).reshaped({1, 2, 3, 1});
  for (const Interpolation interpolation :
       {Interpolation::nearest, Interpolation::floor, Interpolation::linear, Interpolation::cubic}) {
    const GradcheckReport report = gradcheck(
        [&](std::span<const Tensor> v) {
          return resize(v[0], {5, 2}, {.interpolation = interpolation});
        },
        {x});
    BOOST_TEST(report.passed, report.message);
  }
}

BOOST_AUTO_TEST_CASE(nearest_takes_every_dtype_and_symbols_by_a_factor) {
  Graph g;
  const Tensor x = g.input("x", {1, 2, 2, 1}, DType::u8);
  const auto made = evaluate({upsample_nearest(x, 2), resize(x, {4}, {.interpolation = Interpolation::nearest})},
                             {{"x", Values::of<uint8_t>({1, 2, 2, 1}, {1, 2, 3, 4})}});
  const std::vector<uint8_t> expected = {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4};
  BOOST_TEST((made[0].as<uint8_t>() == expected));
  BOOST_TEST((made[1].as<uint8_t>() == expected));
  BOOST_TEST((upsample_nearest(g.input("y", {"n", "w", 3}), 3).shape() == Shape{"n", "3 * w", 3}));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_an_error) {
  Graph g;
  const Tensor x = g.input("x", {2, 4, 4, 3}), open = g.input("open", {1, "h", 3}), v = g.input("v", {3});
  const std::string at = "resize_test.cpp: ";
  const auto starts = [&](const auto& f, const std::string& text) {
    const std::string message = message_without_lines_of(f);
    BOOST_TEST(message.substr(0, at.size() + text.size()) == at + text);
  };
  BOOST_TEST(
      message_without_lines_of([&] {
        (void)resize(x, {1, 2, 3});
      }) ==
      "resize_test.cpp: resize: 3 sizes for 2 spatial axes\n  x \"x\"  f32[2, 4, 4, 3]  input, resize_test.cpp\n  "
      "resize needs x [batch, spatial..., channels] and a size of at least 1 for each spatial axis");
  starts([&] { (void)resize(v, {1}); }, "resize: the rank is 1\n");
  starts([&] { (void)resize(x, {0}); }, "resize: the size 0 was asked for\n");
  starts([&] { (void)resize(open, {4}); }, "resize: the size h of spatial axis 0 is not known\n");
  starts([&] { (void)resize(g.input("none", {1, 0, 3}), {4}); }, "resize: spatial axis 0 is empty\n");
  starts([&] { (void)upsample_nearest(x, 0); }, "upsample_nearest: the rank is 4, the factor 0\n");
  starts(
      [&] {
        (void)resample(x, 1, {.taps = 2, .indices = {0, 1, 2}, .weights = {1, 1, 1}});
      },
      "resample: 3 indices are no rows of 2 taps\n");
  starts(
      [&] {
        (void)resample(x, 1, {.taps = 1, .indices = {0, 4}, .weights = {1, 1}});
      },
      "resample: the index 4 is not in axis 1, of size 4\n");
  starts(
      [&] {
        (void)resample(x, 1, {.taps = 1, .indices = {0, 1}, .weights = {1}});
      },
      "resample: there are 2 indices and other weights\n");
  starts([&] { (void)resample(open, 1, {.taps = 1, .indices = {0}, .weights = {1}}); },
         "resample: the size h of axis 1 is not known\n");
}

BOOST_AUTO_TEST_SUITE_END()
