#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/argreduce.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

namespace {

using Sizes = std::vector<int64_t>;

// The first best element of a strided line, a nan being better than all.
int64_t first_best(const std::vector<double>& x, size_t at, size_t n, size_t stride, bool largest) {
  size_t best = 0;
  for (size_t i = 1; i < n; ++i) {
    const double a = x[at + best * stride], b = x[at + i * stride];
    if (std::isnan(a)) break;
    if (std::isnan(b) || (largest ? b > a : b < a)) best = i;
  }
  return static_cast<int64_t>(best);
}

std::vector<int64_t> reference(const std::vector<double>& x, const Sizes& sizes, size_t axis, bool largest) {
  size_t outer = 1, inner = 1;
  for (size_t i = 0; i < axis; ++i) outer *= static_cast<size_t>(sizes[i]);
  for (size_t i = axis + 1; i < sizes.size(); ++i) inner *= static_cast<size_t>(sizes[i]);
  const size_t n = static_cast<size_t>(sizes[axis]);
  std::vector<int64_t> result;
  for (size_t i = 0; i < outer; ++i) {
    for (size_t j = 0; j < inner; ++j) result.push_back(first_best(x, i * n * inner + j, n, inner, largest));
  }
  return result;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_argreduce)

BOOST_AUTO_TEST_CASE(the_first_of_equal_ones_along_every_axis) {
  uint32_t state = 1;
  for (const Sizes& sizes : std::vector<Sizes>{
           {1}, {100}, {3, 17}, {40, 5}, {5, 600}, {70, 300}, {2, 3, 4}, {4, 33, 3}, {0, 3}, {2, 3, 4, 5}}) {
    std::vector<double> x;
    int64_t count = 1;
    for (const int64_t size : sizes) count *= size;
    for (int64_t i = 0; i < count; ++i) {
      state = state * 1664525u + 1013904223u;
      x.push_back(static_cast<double>((state >> 16) % 7));
    }
    for (const DType dtype : {DType::f32, DType::f64, DType::i32, DType::i64, DType::u8}) {
      for (size_t axis = 0; axis < sizes.size(); ++axis) {
        if (sizes[axis] == 0) continue;
        Graph g;
        const Tensor input = g.input("x", Shape(std::span<const int64_t>(sizes)), dtype);
        const int64_t along = static_cast<int64_t>(axis);
        const std::vector<Tensor> ys = {argmax(input, {.axis = along}),
                                        argmin(input, {.axis = along, .keepdims = true})};
        for (const Isa isa : supported_isas()) {
          const auto values = evaluate(ys, {{"x", Values::from_doubles(dtype, sizes, x)}}, isa);
          BOOST_TEST((values[0].as<int64_t>() == reference(x, sizes, axis, true)));
          BOOST_TEST((values[1].as<int64_t>() == reference(x, sizes, axis, false)));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(nan_beats_everything_and_zero_equals_minus_zero) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {inf, nan, 1, nan, -inf, 2, nan, -inf, -0.0f, 0, -0.0f, 0};
  Graph g;
  const Tensor rows = g.input("x", {3, 4}), columns = g.input("y", {4, 3});
  std::vector<float> transposed(12);
  for (size_t i = 0; i < 12; ++i) transposed[i % 4 * 3 + i / 4] = x[i];
  for (const Isa isa : supported_isas()) {
    for (const Values& values :
         evaluate({argmax(rows), argmin(rows), argmax(columns, {.axis = 0}), argmin(columns, {.axis = 0})},
                  {{"x", Values::of({3, 4}, x)}, {"y", Values::of({4, 3}, transposed)}}, isa)) {
      BOOST_TEST((values.as<int64_t>() == std::vector<int64_t>{1, 2, 0}));
    }
  }
}

BOOST_AUTO_TEST_CASE(booleans_and_shapes) {
  Graph g;
  const Tensor x = g.input("x", {2, 3}, DType::boolean), b = g.input("b", {"batch", 10});
  BOOST_TEST((argmax(b).shape() == Shape{"batch"}));
  BOOST_TEST((argmax(b, {.axis = 0, .keepdims = true}).shape() == Shape{1, 10}));
  BOOST_TEST((argmax(b).dtype() == DType::i64));
  const auto values =
      evaluate({argmax(x), argmin(x)}, {{"x", Values::of<bool>({2, 3}, {false, true, true, true, true, true})}});
  BOOST_TEST((values[0].as<int64_t>() == std::vector<int64_t>{1, 0}));
  BOOST_TEST((values[1].as<int64_t>() == std::vector<int64_t>{0, 0}));
}

BOOST_AUTO_TEST_CASE(errors) {
  Graph g;
  const int made = __LINE__ + 1;
  const Tensor scalar = g.input("s", {}), none = g.input("none", {2, 0});
  const std::string operands = "  input, argreduce_test.cpp:" + std::to_string(made) + "\n  ";
  const auto at = [](int line) { return "argreduce_test.cpp:" + std::to_string(line) + ": "; };

  int line = __LINE__ + 1;
  std::string text = message_of([&] { (void)argmax(scalar); });
  BOOST_TEST(text == at(line) + "argmax: there is no axis -1 in a tensor of rank 0\n  x \"s\"  f32[]" + operands +
                         "argmax needs one axis of x, not of size 0");
  line = __LINE__ + 1;
  text = message_of([&] { (void)argmin(none, {.axis = 1}); });
  BOOST_TEST(text == at(line) + "argmin: axis 1 has size 0\n  x \"none\"  f32[2, 0]" + operands +
                         "argmin needs one axis of x, not of size 0");
}

BOOST_AUTO_TEST_SUITE_END()
