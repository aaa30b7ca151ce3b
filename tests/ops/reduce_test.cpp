#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/reduce.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

using Sizes = std::vector<int64_t>;
using Reduce = Tensor (*)(const Operand&, const ReduceOptions&);

struct Reference {
  Reduce op;
  double neutral;
  double (*fold)(double, double);
};

const Reference references[] = {
    {sum, 0, [](double a, double b) { return a + b; }},
    {prod, 1, [](double a, double b) { return a * b; }},
    {max, -infinite, [](double a, double b) { return a > b || std::isnan(a) ? a : b; }},
    {min, infinite, [](double a, double b) { return a < b || std::isnan(a) ? a : b; }},
};

Sizes axes_in(int set, int rank) {
  Sizes axes;
  for (int axis = 0; axis < rank; ++axis) {
    if ((set >> axis & 1) != 0) axes.push_back(axis);
  }
  return axes;
}

int64_t count_of(const Sizes& sizes) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  return count;
}

// A plain loop: every element is folded into the element of the result that it belongs to.
std::vector<double> fold(const Reference& reference, const std::vector<double>& x, const Sizes& sizes, int set) {
  Sizes strides(sizes.size(), 0);
  int64_t count = 1;
  for (size_t axis = sizes.size(); axis-- > 0;) {
    if ((set >> axis & 1) != 0) continue;
    strides[axis] = count;
    count *= sizes[axis];
  }
  std::vector<double> result(static_cast<size_t>(count), reference.neutral);
  for (size_t i = 0; i < x.size(); ++i) {
    int64_t at = 0, rest = static_cast<int64_t>(i);
    for (size_t axis = sizes.size(); axis-- > 0;) {
      at += rest % sizes[axis] * strides[axis];
      rest /= sizes[axis];
    }
    result[static_cast<size_t>(at)] = reference.fold(result[static_cast<size_t>(at)], x[i]);
  }
  return result;
}

uint32_t random_bits() {
  static uint32_t state = 12345;
  state = state * 1664525u + 1013904223u;
  return state >> 16;
}

// Multiples of 1/8, small enough that every sum is exact. For products 1, -1, 2 and 1/2; many of these would overflow.
std::vector<double> values_for(const Reference& reference, int64_t count) {
  std::vector<double> x;
  const double factors[] = {1, -1, 2, 0.5};
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t bits = random_bits();
    x.push_back(reference.op == prod ? factors[bits % (count < 1000 ? 4 : 2)]
                                     : (static_cast<double>(bits % 65) - 32) / 8);
  }
  return x;
}

Tensor input_like(Graph& g, const Sizes& sizes, DType dtype = DType::f32) {
  return g.input("x", Shape(std::span<const int64_t>(sizes)), dtype);
}

// Runs a node's plan with the chunks of each step from the last to the first, and scratch full of garbage.
std::vector<std::byte> run_backwards(const Tensor& y, const std::vector<std::byte>& x, Isa isa) {
  const KernelPlan plan = y.node().op->plan({y.graph(), y.node(), isa});
  std::vector<std::byte> result(static_cast<size_t>(y.shape().element_count().value()) * size_of(y.dtype()),
                                std::byte{0xff});
  std::vector<double> shared(plan.shared_bytes / sizeof(double) + 1, not_a_number);
  const void* const inputs[] = {x.data()};
  void* const outputs[] = {result.data()};
  for (const KernelStep& step : plan.steps) {
    for (int64_t chunk = step.chunks; chunk-- > 0;) {
      step.run({.inputs = inputs,
                .outputs = outputs,
                .params = plan.params.get(),
                .shared = shared.data(),
                .chunk = chunk,
                .chunks = step.chunks});
    }
  }
  return result;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_reduce)

BOOST_AUTO_TEST_CASE(floats_over_every_set_of_axes) {
  const std::vector<Sizes> shapes = {
      {0},           {1},         {5},          {63},         {65},           {1023},
      {3, 17},       {17, 3},     {33, 300},    {600, 31},    {31, 600},      {3, 5, 7},
      {2, 0, 3},     {37, 2, 19}, {2, 257, 16}, {2, 3, 4, 5}, {5, 33, 2, 18}, {1, 4, 1, 3},
      {30, 2, 3, 70}};
  for (const Reference& reference : references) {
    for (const Sizes& sizes : shapes) {
      const std::vector<double> x = values_for(reference, count_of(sizes));
      const int rank = static_cast<int>(sizes.size());
      for (int set = 1; set < 1 << rank; ++set) {
        if (std::isinf(reference.neutral) && count_of(sizes) == 0 && (set & 2) != (sizes.size() > 1 ? 0 : 2)) continue;
        if (std::isinf(reference.neutral) && sizes == Sizes{0}) continue;
        const std::vector<double> expected = fold(reference, x, sizes, set);
        for (const DType dtype : {DType::f32, DType::f64}) {
          Graph g;
          const Tensor y = reference.op(input_like(g, sizes, dtype), {.axes = axes_in(set, rank)});
          for (const Isa isa : supported_isas()) {
            const Values values = evaluate({y}, {{"x", Values::from_doubles(dtype, sizes, x)}}, isa)[0];
            BOOST_TEST((values.as_doubles() == expected),
                       y.node().op->name << " of " << y.shape().to_string() << " set " << set);
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(long_reductions_are_cut_into_parts) {
  for (const Sizes& sizes : std::vector<Sizes>{
           {150001}, {3, 50003}, {25021, 7}, {500, 301}, {2, 30001, 3}, {2, 300, 3, 101}, {5, 31, 500, 2}}) {
    for (const Reference& reference : {references[0], references[2]}) {  // sum and max; all four share the code
      const std::vector<double> x = values_for(reference, count_of(sizes));
      const int rank = static_cast<int>(sizes.size());
      for (const int set : {1, 2, 5}) {
        if (set >= 1 << rank) continue;
        Graph g;
        const Tensor y = reference.op(input_like(g, sizes), {.axes = axes_in(set, rank)});
        const std::vector<double> expected = fold(reference, x, sizes, set);
        const Values input = Values::from_doubles(DType::f32, sizes, x);
        for (const Isa isa : supported_isas()) {
          BOOST_TEST((evaluate({y}, {{"x", input}}, isa)[0].as_doubles() == expected));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(chunks_in_any_order_give_the_same_bits) {
  for (const Sizes& sizes : std::vector<Sizes>{{300001}, {1000, 301}, {301, 1000}, {7, 100, 513}, {3, 70, 5, 301}}) {
    std::vector<double> x;
    for (int64_t i = 0; i < count_of(sizes); ++i) x.push_back(std::sin(static_cast<double>(i)));
    const int rank = static_cast<int>(sizes.size());
    for (int set = 1; set < 1 << rank; ++set) {
      Graph g;
      const Tensor y = sum(input_like(g, sizes), {.axes = axes_in(set, rank)});
      const Values input = Values::from_doubles(DType::f32, sizes, x);
      for (const Isa isa : supported_isas()) {
        BOOST_TEST((run_backwards(y, input.bytes, isa) == evaluate({y}, {{"x", input}}, isa)[0].bytes));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(large_reductions_have_chunks_to_share) {
  Graph g;
  const Tensor x = input_like(g, {16, 1024, 1024});
  const std::pair<Sizes, int64_t> cases[] = {{{0, 1, 2}, 256}, {{0, 1}, 256}, {{1, 2}, 256}, {{0}, 256}, {{2}, 256}};
  for (const auto& [axes, chunks] : cases) {
    const Tensor y = sum(x, {.axes = axes});
    const KernelPlan plan = y.node().op->plan({g, y.node(), Isa::baseline});
    BOOST_TEST(plan.steps[0].chunks == chunks);
    BOOST_TEST(plan.shared_bytes <= size_t{512} * 1024);
  }
}

BOOST_AUTO_TEST_CASE(the_error_of_a_sum_grows_with_the_logarithm) {
  // 0.1 as a float a million times: left to right the sum is off by 1e-2, as a tree by a few roundings.
  for (const Sizes& sizes : std::vector<Sizes>{{1 << 20}, {1 << 20, 2}}) {
    Graph g;
    const Tensor y = sum(input_like(g, sizes), {.axes = {0}});
    const Values input = Values::of(sizes, std::vector<float>(static_cast<size_t>(count_of(sizes)), 0.1f));
    for (const Isa isa : supported_isas()) {
      const double total = evaluate({y}, {{"x", input}}, isa)[0].as_doubles()[0];
      BOOST_TEST(std::fabs(total / (static_cast<double>(0.1f) * (1 << 20)) - 1) < 1e-6);
    }
  }
}

BOOST_AUTO_TEST_CASE(integers_and_booleans) {
  const std::vector<double> x = {3, 0, 7, 1, 250, 9, 2, 2, 5, 0, 0, 1};
  for (const DType dtype : {DType::u8, DType::i32, DType::i64}) {
    Graph g;
    const Tensor input = input_like(g, {4, 3}, dtype);
    const std::vector<Tensor> ys = {sum(input, {.axes = {1}}), prod(input, {.axes = {0}}), max(input, {.axes = {0}}),
                                    min(input)};
    BOOST_TEST((ys[0].dtype() == DType::i64));
    BOOST_TEST((ys[1].dtype() == DType::i64));
    BOOST_TEST((ys[2].dtype() == dtype));
    for (const Isa isa : supported_isas()) {
      const auto values = evaluate(ys, {{"x", Values::from_doubles(dtype, {4, 3}, x)}}, isa);
      BOOST_TEST((values[0].as_doubles() == std::vector<double>{10, 260, 9, 1}));
      BOOST_TEST((values[1].as_doubles() == std::vector<double>{0, 0, 315}));
      BOOST_TEST((values[2].as_doubles() == std::vector<double>{3, 250, 9}));
      BOOST_TEST((values[3].as_doubles() == std::vector<double>{0}));
    }
  }
  Graph g;
  const Tensor flags = input_like(g, {2, 3}, DType::boolean);
  const auto values = evaluate({sum(flags), max(flags, {.axes = {1}}), min(flags, {.axes = {1}})},
                               {{"x", Values::of<bool>({2, 3}, {true, true, true, false, true, false})}});
  BOOST_TEST((values[0].as<int64_t>() == std::vector<int64_t>{4}));
  BOOST_TEST((values[1].as<bool>() == std::vector<bool>{true, true}));
  BOOST_TEST((values[2].as<bool>() == std::vector<bool>{true, false}));
}

BOOST_AUTO_TEST_CASE(many_integers_of_every_width) {
  for (const DType dtype : {DType::u8, DType::i32, DType::i64}) {
    std::vector<double> x;
    for (int i = 0; i < 211 * 37; ++i)
      x.push_back(dtype == DType::u8 ? random_bits() % 200 : static_cast<double>(random_bits()) - 30000);
    for (const Reference& reference : references) {
      if (reference.op == prod) continue;
      for (int set = 1; set < 4; ++set) {
        Graph g;
        const Tensor y = reference.op(input_like(g, {211, 37}, dtype), {.axes = axes_in(set, 2)});
        const std::vector<double> expected = fold(reference, x, {211, 37}, set);
        for (const Isa isa : supported_isas()) {
          BOOST_TEST(
              (evaluate({y}, {{"x", Values::from_doubles(dtype, {211, 37}, x)}}, isa)[0].as_doubles() == expected));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(integer_sums_and_products_wrap_around) {
  Graph g;
  const Tensor x = input_like(g, {2}, DType::i64);
  const auto values = evaluate({sum(x), prod(x)}, {{"x", Values::of<int64_t>({2}, {INT64_MAX, 2})}});
  BOOST_TEST(values[0].as<int64_t>()[0] == INT64_MIN + 1);
  BOOST_TEST(values[1].as<int64_t>()[0] == -2);
}

BOOST_AUTO_TEST_CASE(nan_wins_wherever_it_stands) {
  for (const Sizes& sizes : std::vector<Sizes>{{200}, {200, 21}}) {
    for (int64_t at = 0; at < 200; at += 7) {
      std::vector<double> x(static_cast<size_t>(count_of(sizes)), 1);
      const int64_t width = sizes.size() > 1 ? sizes[1] : 1;
      x[static_cast<size_t>(at * width + width / 2)] = not_a_number;
      Graph g;
      const Tensor input = input_like(g, sizes);
      for (const Isa isa : supported_isas()) {
        for (const Values& values : evaluate({max(input, {.axes = {0}}), min(input, {.axes = {0}})},
                                             {{"x", Values::from_doubles(DType::f32, sizes, x)}}, isa)) {
          const std::vector<double> result = values.as_doubles();
          for (size_t j = 0; j < result.size(); ++j) {
            BOOST_TEST(std::isnan(result[j]) == (j == static_cast<size_t>(width / 2)));
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(shapes_and_keepdims) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 3, 4});
  BOOST_TEST((sum(x).shape() == Shape{}));
  BOOST_TEST((sum(x, {.keepdims = true}).shape() == Shape{1, 1, 1}));
  BOOST_TEST((sum(x, {.axes = {-1}}).shape() == Shape{"batch", 3}));
  BOOST_TEST((max(x, {.axes = {2, 0}, .keepdims = true}).shape() == Shape{1, 3, 1}));
  BOOST_TEST((mean(x, {.axes = {1}}).shape() == Shape{"batch", 4}));
  BOOST_TEST((norm(x, {.axes = {0}, .keepdims = true}).shape() == Shape{1, 3, 4}));
  BOOST_TEST((variance(x, {.axes = {0, 1}}).shape() == Shape{4}));
  BOOST_TEST((logsumexp(x, {.axes = {1}}).shape() == Shape{"batch", 4}));
  BOOST_TEST((logsumexp(x, {.axes = {1}, .keepdims = true}).shape() == Shape{"batch", 1, 4}));
  const Tensor scalar = g.input("s", {});
  BOOST_TEST(same(sum(scalar), scalar));
}

BOOST_AUTO_TEST_CASE(gradients_of_sum_prod_max_min) {
  const Array x =
      Array::from<double>({0.3, -1.2, 0.7, 1.9, -0.4, 0.8, 1.1, -0.9, 0.2, 0.6, -1.7, 1.3}).reshaped({2, 3, 2});
  for (const Reference& reference : references) {
    for (int set = 1; set < 8; ++set) {
      for (const bool keepdims : {false, true}) {
        const auto y = [&](std::span<const Tensor> v) {
          return reference.op(v[0], {.axes = axes_in(set, 3), .keepdims = keepdims});
        };
        const GradcheckReport report = gradcheck(y, {x});
        BOOST_TEST(report.passed, report.message);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_gradient_of_prod_is_right_at_zeros) {
  const std::vector<std::pair<std::vector<double>, std::vector<double>>> cases = {
      {{2, 0, 3, 4}, {0, 24, 0, 0}}, {{2, 0, 3, 0}, {0, 0, 0, 0}}, {{2, 5, 3, 1}, {15, 6, 10, 30}}};
  for (const auto& [x, expected] : cases) {
    Graph g;
    const Tensor input = input_like(g, {4}, DType::f64);
    for (const Isa isa : supported_isas()) {
      BOOST_TEST(
          (evaluate({gradient(prod(input), input)}, {{"x", Values::of({4}, x)}}, isa)[0].as<double>() == expected));
    }
    const GradcheckReport report =
        gradcheck([](std::span<const Tensor> v) { return prod(v[0], {.axes = {1}}); }, {
                                                                                           Array::from(x, {1, 4}),
                                                                                       });
    BOOST_TEST(report.passed, report.message);
  }
}

BOOST_AUTO_TEST_CASE(ties_share_the_gradient_of_an_extremum) {
  Graph g;
  const Tensor x = input_like(g, {2, 4});
  const Values values = Values::of<float>({2, 4}, {3, 1, 3, 3, -1, 5, 2, 5});
  const auto shares =
      evaluate({gradient(max(x, {.axes = {1}}) * 6, x), gradient(min(x, {.axes = {0}}), x)}, {{"x", values}});
  BOOST_TEST((shares[0].as<float>() == std::vector<float>{2, 0, 2, 2, 0, 3, 0, 3}));
  BOOST_TEST((shares[1].as<float>() == std::vector<float>{0, 1, 0, 1, 1, 0, 1, 0}));
}

BOOST_AUTO_TEST_CASE(errors) {
  Graph g;
  const int made = __LINE__ + 1;
  const Tensor x = g.input("x", {2, 3}), none = g.input("none", {0, 3}), whole = g.input("whole", {2}, DType::i32);
  const std::string operands = "  input, reduce_test.cpp:" + std::to_string(made) + "\n  ";
  const std::string once = "needs axes of x, each once", nonempty = once + " and none of size 0";
  const auto at = [](int line) { return "reduce_test.cpp:" + std::to_string(line) + ": "; };

  int line = __LINE__ + 1;
  std::string text = message_of([&] { (void)sum(x, {.axes = {2}}); });
  BOOST_TEST(text == at(line) + "sum: there is no axis 2 in a tensor of rank 2\n  x \"x\"  f32[2, 3]" + operands +
                         "sum " + once);

  line = __LINE__ + 1;
  text = message_of([&] { (void)prod(x, {.axes = {0, -3}}); });
  BOOST_TEST(text == at(line) + "prod: there is no axis -3 in a tensor of rank 2\n  x \"x\"  f32[2, 3]" + operands +
                         "prod " + once);

  line = __LINE__ + 1;
  text = message_of([&] { (void)mean(x, {.axes = {1, -1}}); });
  BOOST_TEST(text == at(line) + "sum: axis 1 is given twice\n  x \"x\"  f32[2, 3]" + operands + "sum " + once);

  line = __LINE__ + 1;
  text = message_of([&] { (void)max(none); });
  BOOST_TEST(text == at(line) + "max: axis 0 has size 0\n  x \"none\"  f32[0, 3]" + operands + "max " + nonempty);

  line = __LINE__ + 1;
  text = message_of([&] { (void)min(none, {.axes = {0}}); });
  BOOST_TEST(text == at(line) + "min: axis 0 has size 0\n  x \"none\"  f32[0, 3]" + operands + "min " + nonempty);

  // What only a node made by hand, or read from text, can get wrong.
  text = message_of([&] { (void)g.add(sum_def, {&whole, 1}, {{"axes", Sizes{0}}, {"keepdims", false}}, {}); });
  BOOST_TEST(text == "sum: it takes i64, f32, f64, not i32\n  x \"whole\"  i32[2]" + operands + "sum " + once);
  text = message_of([&] { (void)g.add(max_def, {&x, 1}, {{"axes", Sizes{1, 0}}, {"keepdims", false}}, {}); });
  BOOST_TEST(text == "max: the axes are not in rising order\n  x \"x\"  f32[2, 3]" + operands + "max " + nonempty);
}

BOOST_AUTO_TEST_SUITE_END()
