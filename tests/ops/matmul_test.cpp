#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/node_plan_internal.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

namespace {

int64_t product_of(const std::vector<int64_t>& sizes) {
  int64_t product = 1;
  for (const int64_t size : sizes) product *= size;
  return product;
}

/// Small integers, of which sums of products are exact in every dtype.
Values small_integers(DType dtype, const std::vector<int64_t>& sizes, unsigned seed) {
  std::minstd_rand random(seed);
  std::uniform_int_distribution<int> small(-3, 3);
  std::vector<double> elements(static_cast<size_t>(product_of(sizes)));
  for (double& element : elements) element = small(random);
  return Values::from_doubles(dtype, sizes, elements);
}

/// The element at `index` of the output's batch axes, aligned at the right and stretched, plus (row, col).
double element(const Values& values, const std::vector<int64_t>& index, int64_t row, int64_t col) {
  const std::vector<int64_t>& sizes = values.sizes;
  int64_t at = 0;
  for (size_t axis = 0; axis + 2 < sizes.size(); ++axis) {
    const int64_t i = index[index.size() + 2 - sizes.size() + axis];
    at = at * sizes[axis] + (sizes[axis] == 1 ? 0 : i);
  }
  at = (at * sizes[sizes.size() - 2] + row) * sizes.back() + col;
  return values.as_doubles()[static_cast<size_t>(at)];
}

/// The definition of the product, in doubles.
std::vector<double> multiply(const Values& a, const Values& b, MatmulOptions options, const std::vector<int64_t>& c) {
  const int64_t m = c[c.size() - 2], n = c.back();
  const int64_t k = a.sizes[a.sizes.size() - (options.transpose_a ? 2 : 1)];
  std::vector<double> result;
  for (int64_t batch = 0; batch < product_of({c.begin(), c.end() - 2}); ++batch) {
    std::vector<int64_t> index(c.size() - 2);
    for (int64_t axis = static_cast<int64_t>(index.size()) - 1, rest = batch; axis >= 0; --axis) {
      index[static_cast<size_t>(axis)] = rest % c[static_cast<size_t>(axis)];
      rest /= c[static_cast<size_t>(axis)];
    }
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t p = 0; p < k; ++p) {
          sum += (options.transpose_a ? element(a, index, p, i) : element(a, index, i, p)) *
                 (options.transpose_b ? element(b, index, j, p) : element(b, index, p, j));
        }
        result.push_back(sum);
      }
    }
  }
  return result;
}

struct Case {
  std::vector<int64_t> a, b, c;  // without transposes
};

void swap_last(std::vector<int64_t>& sizes) { std::swap(sizes[sizes.size() - 2], sizes.back()); }

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_matmul)

BOOST_AUTO_TEST_CASE(agrees_with_its_definition) {
  const Case cases[] = {{{1, 1}, {1, 1}, {1, 1}},
                        {{3, 5}, {5, 2}, {3, 2}},
                        {{1, 17}, {17, 9}, {1, 9}},
                        {{9, 17}, {17, 1}, {9, 1}},
                        {{13, 7}, {7, 19}, {13, 19}},
                        {{2, 3, 5}, {5, 4}, {2, 3, 4}},
                        {{3, 5}, {2, 5, 4}, {2, 3, 4}},
                        {{2, 1, 3, 5}, {4, 5, 2}, {2, 4, 3, 2}},
                        {{2, 3, 4, 5}, {2, 3, 5, 1}, {2, 3, 4, 1}},
                        {{2, 1, 2, 3, 3}, {1, 3, 2, 3, 2}, {2, 3, 2, 3, 2}}};
  for (const Case& shapes : cases) {
    for (const MatmulOptions options : {MatmulOptions{false, false}, {true, false}, {false, true}, {true, true}}) {
      for (const DType dtype : {DType::f32, DType::f64, DType::i32, DType::i64}) {
        std::vector<int64_t> a_sizes = shapes.a, b_sizes = shapes.b;
        if (options.transpose_a) swap_last(a_sizes);
        if (options.transpose_b) swap_last(b_sizes);
        const Values a = small_integers(dtype, a_sizes, 1), b = small_integers(dtype, b_sizes, 2);
        const std::vector<double> expected = multiply(a, b, options, shapes.c);
        Graph g;
        const Tensor c = matmul(g.input("a", Shape(a_sizes), dtype), g.input("b", Shape(b_sizes), dtype), options);
        BOOST_TEST((c.shape() == Shape(shapes.c)));
        BOOST_TEST((c.dtype() == dtype));
        for (const Isa isa : supported_isas()) {
          const Values result = evaluate({c}, {{"a", a}, {"b", b}}, isa)[0];
          BOOST_TEST(result.as_doubles() == expected, boost::test_tools::per_element());
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(sizes_of_zero) {
  Graph g;
  const Tensor a = g.input("a", {2, 0}), b = g.input("b", {0, 3});
  const Values none = Values::of<float>({2, 0}, {}), none_b = Values::of<float>({0, 3}, {});
  BOOST_TEST((evaluate({matmul(a, b)}, {{"a", none}, {"b", none_b}})[0].as<float>() == std::vector<float>(6, 0)));
  const Tensor without_rows = matmul(b, g.input("c", {3, 4}));
  BOOST_TEST((without_rows.shape() == Shape{0, 4}));
  const Values c = Values::of<float>({3, 4}, std::vector<float>(12, 1));
  BOOST_TEST(evaluate({without_rows}, {{"b", none_b}, {"c", c}})[0].as<float>().empty());
  const Tensor batch = g.input("batch", {0, 4, 2});
  const Values empty = Values::of<float>({0, 4, 2}, {});
  BOOST_TEST(evaluate({matmul(batch, a)}, {{"a", none}, {"batch", empty}})[0].as<float>().empty());
}

BOOST_AUTO_TEST_CASE(integers_wrap_around) {
  Graph g;
  const Tensor a = g.input("a", {1, 2}, DType::i32), b = g.input("b", {2, 1}, DType::i32);
  const auto values = evaluate(
      {matmul(a, b)}, {{"a", Values::of<int32_t>({1, 2}, {INT32_MAX, 1})}, {"b", Values::of<int32_t>({2, 1}, {1, 1})}});
  BOOST_TEST(values[0].as<int32_t>()[0] == INT32_MIN);
}

BOOST_AUTO_TEST_CASE(dtypes_are_promoted) {
  Graph g;
  const Tensor a = g.input("a", {1, 2}, DType::u8), b = g.input("b", {2, 1}, DType::f64);
  BOOST_TEST((matmul(a, b).dtype() == DType::f64));
  const auto values = evaluate(
      {matmul(a, b)}, {{"a", Values::of<uint8_t>({1, 2}, {200, 2})}, {"b", Values::of<double>({2, 1}, {0.5, 3})}});
  BOOST_TEST(values[0].as<double>()[0] == 106.0);
}

// One large product in blocks, and many small ones in groups: each chunk writes its own part of C alone.
BOOST_AUTO_TEST_CASE(chunks_in_any_order_give_the_same_bits) {
  const Case cases[] = {{{150, 300}, {300, 210}, {150, 210}}, {{700, 11, 12}, {700, 12, 13}, {700, 11, 13}}};
  for (const Case& shapes : cases) {
    Graph g;
    const Tensor c = matmul(g.input("a", Shape(shapes.a)), g.input("b", Shape(shapes.b)));
    std::vector<float> a(static_cast<size_t>(product_of(shapes.a))), b(static_cast<size_t>(product_of(shapes.b)));
    std::minstd_rand random(1);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (float& x : a) x = uniform(random);
    for (float& x : b) x = uniform(random);
    for (const Isa isa : supported_isas()) {
      const auto forward = evaluate({c}, {{"a", Values::of(shapes.a, a)}, {"b", Values::of(shapes.b, b)}}, isa)[0];
      const KernelPlan plan = plan_node({g, c.node(), isa});
      BOOST_REQUIRE(plan.steps.size() == 1u);
      BOOST_TEST(plan.steps[0].chunks > 1);
      std::vector<float> backward(static_cast<size_t>(product_of(shapes.c)), 99);
      std::vector<std::byte> scratch(plan.scratch_bytes + 64);
      void* aligned = scratch.data() + (64 - reinterpret_cast<uintptr_t>(scratch.data()) % 64);
      const void* const inputs[] = {a.data(), b.data()};
      void* const outputs[] = {backward.data()};
      for (int64_t chunk = plan.steps[0].chunks; chunk-- > 0;) {
        plan.steps[0].run({.inputs = inputs,
                           .outputs = outputs,
                           .params = plan.params.get(),
                           .scratch = aligned,
                           .chunk = chunk,
                           .chunks = plan.steps[0].chunks});
      }
      BOOST_TEST((forward.as<float>() == backward));
    }
  }
}

// The product is linear in each operand, so a central difference of any width is exact.
BOOST_AUTO_TEST_CASE(gradients_agree_with_differences) {
  const Case cases[] = {
      {{3, 4}, {4, 2}, {3, 2}}, {{2, 3, 4}, {4, 2}, {2, 3, 2}}, {{2, 1, 3, 4}, {3, 4, 1}, {2, 3, 3, 1}}};
  for (const Case& shapes : cases) {
    for (const MatmulOptions options : {MatmulOptions{false, false}, {true, false}, {false, true}, {true, true}}) {
      std::vector<int64_t> a_sizes = shapes.a, b_sizes = shapes.b;
      if (options.transpose_a) swap_last(a_sizes);
      if (options.transpose_b) swap_last(b_sizes);
      std::map<std::string, Values> values{{"a", small_integers(DType::f64, a_sizes, 1)},
                                           {"b", small_integers(DType::f64, b_sizes, 2)},
                                           {"weights", small_integers(DType::f64, shapes.c, 3)}};
      Graph g;
      const Tensor a = g.input("a", Shape(a_sizes), DType::f64), b = g.input("b", Shape(b_sizes), DType::f64);
      const Tensor y = sum(matmul(a, b, options) * g.input("weights", Shape(shapes.c), DType::f64));
      const std::vector<Tensor> by = gradients(y, {a, b});
      for (int node = y.node_id() + 1; node < g.node_count(); ++node) BOOST_TEST(g.node(node).op->name != "transpose");
      for (const int operand : {0, 1}) {
        Values& at = values[operand == 0 ? "a" : "b"];
        const std::vector<double> gradient = evaluate({by[static_cast<size_t>(operand)]}, values)[0].as<double>();
        const std::vector<double> point = at.as<double>();
        for (size_t i = 0; i < point.size(); ++i) {
          std::vector<double> moved = point;
          moved[i] = point[i] + 1;
          at = Values::of(at.sizes, moved);
          const double above = evaluate({y}, values)[0].as<double>()[0];
          moved[i] = point[i] - 1;
          at = Values::of(at.sizes, moved);
          const double below = evaluate({y}, values)[0].as<double>()[0];
          BOOST_TEST(gradient[i] == (above - below) / 2);
        }
        at = Values::of(at.sizes, point);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(second_order) {
  Graph g;  // y = sum((a b)^2): the Hessian in b, applied to ones, is 2 a^T a 1
  const Tensor a = g.input("a", {3, 2}, DType::f64), b = g.input("b", {2, 1}, DType::f64);
  const Tensor c = matmul(a, b);
  const Tensor first = gradients(sum(c * c), {b})[0];
  const Tensor second = gradients(sum(first), {b})[0];
  const auto values = evaluate(
      {second}, {{"a", Values::of<double>({3, 2}, {1, 2, 3, 4, 5, 6})}, {"b", Values::of<double>({2, 1}, {7, 8})}});
  BOOST_TEST((values[0].as<double>() == std::vector<double>{158, 200}));
}

BOOST_AUTO_TEST_CASE(vectors) {
  Graph g;
  const Tensor v = g.input("v", {3}), m = g.input("m", {3, 2}), batch = g.input("batch", {2, 2, 3});
  const std::map<std::string, Values> values{
      {"v", Values::of<float>({3}, {1, 2, 3})},
      {"m", Values::of<float>({3, 2}, {1, 4, 2, 5, 3, 6})},
      {"batch", Values::of<float>({2, 2, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1})}};
  const auto check = [&](const Tensor& product, const Shape& shape, const std::vector<float>& expected) {
    BOOST_TEST(product.shape().to_string() == shape.to_string());
    BOOST_TEST(evaluate({product}, values)[0].as<float>() == expected, boost::test_tools::per_element());
  };
  check(matmul(v, v), {}, {14});
  check(matmul(v, m), {2}, {14, 32});
  check(matmul(m, v, {.transpose_a = true, .transpose_b = true}), {2}, {14, 32});
  check(matmul(batch, v), {2, 2}, {1, 2, 3, 6});
  check(gradient(matmul(v, m), v), {3}, {5, 7, 9});
}

BOOST_AUTO_TEST_CASE(symbols) {
  Graph g;
  const Tensor x = g.input("x", {"batch", "steps", 8});
  BOOST_TEST((matmul(x, g.input("w", {8, 3})).shape() == Shape{"batch", "steps", 3}));
  BOOST_TEST((matmul(x, x, {.transpose_b = true}).shape() == Shape{"batch", "steps", "steps"}));
  BOOST_TEST((matmul(x, g.input("v", {1, "width", 4})).shape() == Shape{"batch", "steps", 4}));
  BOOST_REQUIRE(g.constraints().size() == 1u);
  BOOST_TEST(g.constraints()[0].what == "inner dimensions");
}

BOOST_AUTO_TEST_CASE(errors) {
  Graph g;
  const auto at = [](int line) { return "matmul_test.cpp:" + std::to_string(line); };
  const std::string rule = "\n  matmul needs lhs [..., m, k] and rhs [..., k, n]";
  const int line = __LINE__ + 1;
  const Tensor x = g.input("x", {32, 784}), w = g.input("w", {512, 10});
  const Tensor p = g.input("p", {2, 3, 4}), q = g.input("q", {3, 4, 5});
  const Tensor u = g.input("u", {2, 2}, DType::u8);
  int call = __LINE__ + 1;
  std::string text = message_of([&] { (void)matmul(x, w); });
  BOOST_TEST(text == at(call) + ": matmul: inner dimensions differ, 784 and 512\n  lhs \"x\"  f32[32, 784]  input, " +
                         at(line) + "\n  rhs \"w\"  f32[512, 10]  input, " + at(line) + rule);
  call = __LINE__ + 1;
  text = message_of([&] { (void)matmul(p, q); });
  BOOST_TEST(text == at(call) +
                         ": matmul: the batch sizes of axis -3 differ, 2 and 3\n  lhs \"p\"  f32[2, 3, 4]  input, " +
                         at(line + 1) + "\n  rhs \"q\"  f32[3, 4, 5]  input, " + at(line + 1) + rule);
  call = __LINE__ + 1;
  text = message_of([&] { (void)matmul(u, u); });
  BOOST_TEST(text == at(call) + ": matmul: it takes i32, i64, f32, f64, not u8\n  lhs \"u\"  u8[2, 2]  input, " +
                         at(line + 2) + "\n  rhs \"u\"  u8[2, 2]  input, " + at(line + 2) + rule);
  const Tensor both[] = {x, g.input("v", {784, 10}, DType::f64)};
  const auto problem = [&](std::span<const Tensor> operands) {
    try {
      g.add(matmul_def, operands, {{"transpose_a", false}, {"transpose_b", false}}, {});
    } catch (const Error& error) {
      return error.problem();
    }
    return std::string("nothing was thrown");
  };
  BOOST_TEST(problem(both) == "the dtypes differ");
  const Tensor row = g.input("r", {784}), rows[] = {row, x}, columns[] = {x, row};
  BOOST_TEST(problem(rows) == "lhs has fewer than two axes");
  BOOST_TEST(problem(columns) == "rhs has fewer than two axes");
  call = __LINE__ + 1;
  BOOST_TEST(message_of([&] { (void)matmul(x, 2); }) == at(call) + ": matmul: rhs is an empty Tensor" + rule);
}

BOOST_AUTO_TEST_SUITE_END()
