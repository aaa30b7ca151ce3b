#include <gradloom/ops/reduce.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

#include <gradloom/graph/error.hpp>
#include <gradloom/graph/graph.hpp>

#include "evaluate_helper.hpp"

using namespace gradloom;
using test::evaluate;
using test::Values;

namespace {

std::vector<int64_t> reduced_axes(int set, int rank) {
  std::vector<int64_t> axes;
  for (int axis = 0; axis < rank; ++axis) {
    if ((set >> axis & 1) != 0) axes.push_back(axis);
  }
  return axes;
}

// Plain loops over doubles: every element is folded into the element of the result that it belongs to.
template <class F>
std::vector<double> fold(const std::vector<double>& x, const std::vector<int64_t>& sizes, int set, double neutral, F f) {
  std::vector<int64_t> strides(sizes.size(), 0);
  int64_t count = 1;
  for (size_t axis = sizes.size(); axis-- > 0;) {
    if ((set >> axis & 1) != 0) continue;
    strides[axis] = count;
    count *= sizes[axis];
  }
  std::vector<double> result(static_cast<size_t>(count), neutral);
  for (size_t i = 0; i < x.size(); ++i) {
    int64_t at = 0, rest = static_cast<int64_t>(i);
    for (size_t axis = sizes.size(); axis-- > 0;) {
      at += rest % sizes[axis] * strides[axis];
      rest /= sizes[axis];
    }
    result[static_cast<size_t>(at)] = f(result[static_cast<size_t>(at)], x[i]);
  }
  return result;
}

// Multiples of 1/8 in [-4, 4], whose sums are exact in f32.
std::vector<double> some_values(int64_t count) {
  std::vector<double> x;
  uint32_t state = 12345;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    x.push_back(static_cast<double>(static_cast<int32_t>(state >> 16) % 65 - 32) / 8);
  }
  return x;
}

int64_t count_of(const std::vector<int64_t>& sizes) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  return count;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_reduce)

BOOST_AUTO_TEST_CASE(sum_over_any_axes) {
  for (const std::vector<int64_t>& sizes : std::vector<std::vector<int64_t>>{
           {0}, {1}, {5}, {64}, {1023}, {200001}, {3, 17}, {17, 3}, {33, 300}, {5000, 31}, {31, 5000}, {3, 5, 7}, {2, 0, 3}, {37, 2, 19},
           {2, 3, 4, 5}, {5, 33, 2, 18}, {1, 4, 1, 3}, {300, 2, 3, 70}}) {
    const std::vector<double> x = some_values(count_of(sizes));
    const int rank = static_cast<int>(sizes.size());
    for (int set = 1; set < 1 << rank; ++set) {
      const std::vector<double> expected = fold(x, sizes, set, 0, [](double a, double b) { return a + b; });
      for (const DType dtype : {DType::f32, DType::f64}) {
        Graph g;
        const Tensor input = g.input("x", Shape(std::span<const int64_t>(sizes)), dtype);
        const Tensor y = sum(input, {.axes = reduced_axes(set, rank)});
        for (const Isa isa : supported_isas()) {
          const auto values = evaluate({y}, {{"x", Values::from_doubles(dtype, sizes, x)}}, isa);
          BOOST_TEST((values[0].as_doubles() == expected));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
