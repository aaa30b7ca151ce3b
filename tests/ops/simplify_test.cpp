// The identities that ops state about themselves (OpDef::simplify).
#include "evaluate_helper.hpp"
#include "formula_helper.hpp"
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/ops/where.hpp>
#include <gradloom/runtime/passes_internal.hpp>

#include <boost/test/unit_test.hpp>

#include <functional>

using namespace gradloom;
using test::evaluate;
using test::formula;
using test::Values;

namespace {

/// The formula that f(x, y) is simplified to; x and y are of that dtype and shape. Its values must be the same bits.
std::string simplified(const std::function<Tensor(Tensor, Tensor)>& f, DType dtype = DType::f32,
                       const Shape& shape = {2, 3}) {
  Graph g;
  const Tensor x = g.input("x", shape, dtype), y = g.input("y", shape, dtype);
  const Module written = Rewriter(g, std::vector{f(x, y)}, {}).run();
  const Module module = simplify(written, {});
  const auto draw = [&](double first) {
    std::vector<double> elements;
    for (int64_t i = 0; i < shape.element_count().value(); ++i) elements.push_back(first + 3 * static_cast<double>(i));
    return Values::from_doubles(dtype, shape.sizes(), elements);
  };
  const double first = dtype == DType::u8 || dtype == DType::boolean ? 0 : -7;
  const std::map<std::string, Values> inputs{{"x", draw(first)}, {"y", draw(first + 1)}};
  const Values before = evaluate(written.outputs, inputs)[0], after = evaluate(module.outputs, inputs)[0];
  BOOST_TEST((before.dtype == after.dtype));
  BOOST_TEST(before.sizes == after.sizes, boost::test_tools::per_element());
  BOOST_TEST((before.bytes == after.bytes), "the values differ");
  return formula(module.outputs[0]);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_simplify)

BOOST_AUTO_TEST_CASE(arithmetic) {
  for (const DType dtype : {DType::f32, DType::f64, DType::i32, DType::i64}) {
    const auto check = [&](const std::string& expected, const std::function<Tensor(Tensor, Tensor)>& f) {
      BOOST_TEST(simplified(f, dtype) == expected);
    };
    check("x", [](auto x, auto) { return x + 0; });
    check("x", [](auto x, auto) { return 0 + x; });
    check("x", [](auto x, auto) { return x - 0; });
    check("neg(x)", [](auto x, auto) { return 0 - x; });
    check("x", [](auto x, auto) { return x * 1; });
    check("x", [](auto x, auto) { return 1 * x; });
    check("neg(x)", [](auto x, auto) { return x * -1; });
    check("x", [](auto x, auto) { return x / 1; });
    check("neg(x)", [](auto x, auto) { return x / -1; });
    check("x", [](auto x, auto) { return -(-x); });
    check("add(x, y)", [](auto x, auto y) { return x - (-y); });
    check("sub(x, y)", [](auto x, auto y) { return x + (-y); });
    check("sub(y, x)", [](auto x, auto y) { return -x + y; });
    check("mul(x, y)", [](auto x, auto y) { return -x * -y; });
    check("mul(x, 0)", [](auto x, auto) { return x * 0; });  // nan * 0 is nan
    check("sub(x, x)", [](auto x, auto) { return x - x; });
  }
  BOOST_TEST(simplified([](auto x, auto) { return x / 8; }) == "mul(x, 0.125)");
  BOOST_TEST(simplified([](auto x, auto) { return x / 3; }) == "div(x, 3)");
  BOOST_TEST(simplified([](auto x, auto) { return x / 8; }, DType::i32) == "div(x, 8)");
  BOOST_TEST(simplified([](auto x, auto y) { return -x / -y; }) == "div(x, y)");
  BOOST_TEST(simplified([](auto x, auto) { return 0 - x; }, DType::u8) == "sub(0, x)");
}

BOOST_AUTO_TEST_CASE(powers_and_signs) {
  BOOST_TEST(simplified([](auto x, auto) { return pow(x, 0); }) == "1");
  BOOST_TEST(simplified([](auto x, auto) { return pow(x, 1); }) == "x");
  BOOST_TEST(simplified([](auto x, auto) { return pow(x, 2); }) == "square(x)");
  BOOST_TEST(simplified([](auto x, auto) { return pow(x, 3); }) == "mul(x, square(x))");
  BOOST_TEST(simplified([](auto x, auto) { return pow(x, -1); }) == "reciprocal(x)");
  BOOST_TEST(simplified([](auto x, auto) { return square(-x); }) == "square(x)");
  BOOST_TEST(simplified([](auto x, auto) { return square(abs(x)); }) == "square(x)");
  BOOST_TEST(simplified([](auto x, auto) { return abs(-x); }) == "abs(x)");
  BOOST_TEST(simplified([](auto x, auto) { return abs(abs(x)); }) == "abs(x)");
  BOOST_TEST(simplified([](auto x, auto) { return relu(relu(x)); }) == "relu(x)");
  BOOST_TEST(simplified([](auto x, auto) { return maximum(x + 1, x + 1); }) == "add(x, 1)");
}

BOOST_AUTO_TEST_CASE(conditions) {
  const auto constant_like = [](const Tensor& x, bool value) {
    return full(x.graph(), x.shape(), value, DType::boolean);
  };
  BOOST_TEST(simplified([&](auto x, auto y) { return where(constant_like(x, true), x, y); }) == "x");
  BOOST_TEST(simplified([&](auto x, auto y) { return where(constant_like(x, false), x, y); }) == "y");
  BOOST_TEST(simplified([](auto x, auto y) { return where(x < y, x, x); }) == "x");
  BOOST_TEST(simplified([](auto x, auto y) { return where(logical_not(x < y), x, y); }) == "where(less(x, y), y, x)");
  BOOST_TEST(simplified([&](auto x, auto y) { return logical_and(x < y, constant_like(x, true)); }) == "less(x, y)");
  BOOST_TEST(simplified([&](auto x, auto y) { return logical_or(constant_like(x, false), x < y); }) == "less(x, y)");
  BOOST_TEST(simplified([](auto x, auto y) { return logical_and(x < y, x < y); }) == "less(x, y)");
  BOOST_TEST(simplified([](auto x, auto y) { return logical_not(logical_not(x < y)); }) == "less(x, y)");
}

BOOST_AUTO_TEST_CASE(casts) {
  const auto by_way_of = [](DType middle, DType last) {
    return [=](const Tensor& x, const Tensor&) { return cast(cast(x, middle), last); };
  };
  BOOST_TEST(simplified(by_way_of(DType::f64, DType::f32)) == "x");
  BOOST_TEST(simplified(by_way_of(DType::f64, DType::i32)) == "to_i32(x)");
  BOOST_TEST(simplified(by_way_of(DType::i32, DType::f32)) == "to_f32(to_i32(x))");
  BOOST_TEST(simplified(by_way_of(DType::i64, DType::i32), DType::i32) == "x");
  BOOST_TEST(simplified(by_way_of(DType::f32, DType::i32), DType::i32) == "to_i32(to_f32(x))");
  BOOST_TEST(simplified(by_way_of(DType::f32, DType::u8), DType::u8) == "x");
  BOOST_TEST(simplified(by_way_of(DType::i32, DType::f32), DType::boolean) == "to_f32(x)");
}

BOOST_AUTO_TEST_CASE(movement) {
  BOOST_TEST(simplified([](auto x, auto) { return transpose(transpose(x)); }) == "x");
  BOOST_TEST(simplified([](auto x, auto) { return reshape(reshape(x, {6}), {2, 3}); }) == "x");
  BOOST_TEST(simplified([](auto x, auto) { return broadcast(broadcast(x, {4, 2, 3}), {5, 4, 2, 3}); }) == "x");
  BOOST_TEST(simplified([](auto x, auto) {
               return transpose(reshape(broadcast(sum(x), {2, 3}), {6, 1}));
             }) == "sum(x)");
  BOOST_TEST(simplified([](auto x, auto) { return slice(x, {{0, 2}}); }) == "x");
}

// What the gradients of the parts of one tensor add up to.
BOOST_AUTO_TEST_CASE(sums_of_ranges_that_follow_each_other) {
  const auto at = [](const Tensor& x, int64_t before, int64_t after) {
    return pad(x, {.low = {0, before}, .high = {0, after}});
  };
  BOOST_TEST(simplified([&](Tensor x, Tensor y) { return at(x, 0, 3) + at(y, 3, 0); }) == "concat(x, y)");
  BOOST_TEST(simplified([&](Tensor x, Tensor y) { return at(x, 4, 0) + at(y, 1, 3); }) == "pad(concat(y, x))");
  BOOST_TEST(simplified([&](Tensor x, Tensor y) { return at(x, 6, 0) + (at(y, 3, 3) + at(x, 0, 6)); }) ==
             "concat(x, y, x)");
  BOOST_TEST(simplified([&](Tensor x, Tensor y) { return at(x, 0, 4) + at(y, 4, 0); }) == "add(pad(x), pad(y))");
  BOOST_TEST(simplified([&](Tensor x, Tensor y) { return at(x, 2, 0) + at(y, 0, 2); }) == "add(pad(x), pad(y))");
  BOOST_TEST(simplified([&](Tensor x, Tensor y) {
               return at(x, 0, 3) + pad(y, {.low = {0, 3}, .value = 1});
             }) == "add(pad(x), pad(y))");
}

BOOST_AUTO_TEST_CASE(reductions_of_single_elements) {
  for (const bool keepdims : {false, true}) {
    const ReduceOptions options{.axes = {0, 2}, .keepdims = keepdims};
    for (const auto reduction : {sum, prod, max, min}) {
      BOOST_TEST(simplified([&](auto x, auto) { return reduction(x, options); }, DType::f32, {1, 3, 1}) == "x");
    }
  }
  BOOST_TEST(simplified([](auto x, auto) { return sum(x, {.axes = {0}}); }, DType::f32, {2, 3}) == "sum(x)");
}

BOOST_AUTO_TEST_CASE(the_sum_of_centred_values_is_zero) {
  const auto check = [](const std::string& expected, ReduceOptions of_mean, ReduceOptions of_sum, const Shape& shape) {
    of_mean.keepdims = true;
    BOOST_TEST(simplified([&](Tensor x, Tensor) { return sum(x - mean(x, of_mean), of_sum); }, DType::f32, shape) ==
               expected);
  };
  check("0", {.axes = {1}}, {.axes = {1}}, {2, 3});
  check("0", {.axes = {1}}, {.axes = {1}, .keepdims = true}, {2, 4});
  check("0", {.axes = {0, 1}}, {.axes = {0, 1}}, {2, 3, 2});
  check("sum(sub(x, div(sum(x), 3)))", {.axes = {1}}, {.axes = {0}}, {2, 3});
  BOOST_TEST(simplified([](Tensor x, Tensor y) {
               return sum(x - mean(y, {.axes = {1}, .keepdims = true}), {.axes = {1}});
             }) != "0");
  // A mean of each row, subtracted from each column.
  const auto of_square = [](const std::function<Tensor(Tensor)>& f) {
    return simplified([&](Tensor x, Tensor) { return f(x); }, DType::f32, {3, 3});
  };
  BOOST_TEST(of_square([](Tensor x) { return sum(x - mean(x, {.axes = {1}}), {.axes = {1}}); }) != "0");
  BOOST_TEST(of_square([](Tensor x) {
               return sum(x - reshape(mean(x, {.axes = {1}, .keepdims = true}), {1, 3}), {.axes = {1}});
             }) != "0");
  BOOST_TEST(of_square([](Tensor x) { return sum(x - mean(x, {.axes = {0}}), {.axes = {0}}); }) == "0");
  BOOST_TEST(of_square([](Tensor x) {
               return sum(x - reshape(mean(x, {.axes = {1}}), {3, 1}), {.axes = {1}});
             }) == "0");
}

BOOST_AUTO_TEST_CASE(factors_that_a_sum_of_rows_can_take_last) {
  const ReduceOptions rows{.axes = {1}, .keepdims = true}, last{.axes = {-1}};
  const auto check = [](const std::string& expected, const std::function<Tensor(Tensor, Tensor)>& f) {
    BOOST_TEST(simplified(f) == expected);
  };
  check("neg(sum(x))", [&](auto x, auto) { return sum(-x, rows); });
  check("mul(sum(x), max(y))", [&](auto x, auto y) { return sum(x * max(y, rows), rows); });
  check("mul(sum(x), max(y))", [&](auto x, auto y) { return sum(max(y, rows) * x, last); });
  check("div(sum(x), sign(max(x)))", [&](auto x, auto) { return sum(x / sign(max(x, rows)), rows); });
  check("mul(sum(x), 3)", [&](auto x, auto) { return sum(x * 3, last); });
  check("sub(mul(sum(x), max(y)), mul(sum(y), max(x)))",
        [&](auto x, auto y) { return sum(x * max(y, rows) - y * max(x, rows), rows); });
  // Not a factor that differs within a row, not half of what is added, and no other sums.
  check("sum(mul(x, max(y)))", [&](auto x, auto y) { return sum(x * max(y, {.axes = {0}}), rows); });
  check("sum(add(x, mul(y, max(x))))", [&](auto x, auto y) { return sum(x + y * max(x, rows), rows); });
  check("sum(mul(x, 3))", [&](auto x, auto) { return sum(x * 3); });
  check("sum(mul(x, 3))", [&](auto x, auto) { return sum(x * 3, {.axes = {0}}); });
}

BOOST_AUTO_TEST_CASE(extrema_beside_ordinary_numbers) {
  BOOST_TEST(simplified([](auto x, auto) { return maximum(x, 2); }) == "at_least(x, 2)");
  BOOST_TEST(simplified([](auto x, auto) { return minimum(2, x); }) == "at_most(x, 2)");
  BOOST_TEST(simplified([](auto x, auto) { return clamp(x, -1, 5); }) == "at_most(at_least(x, -1), 5)");
  // The sign of zero: maximum(-0, 0) is 0.
  BOOST_TEST(simplified([](auto x, auto) { return maximum(x, 0); }) == "maximum(x, 0)");
  BOOST_TEST(simplified([](auto x, auto y) { return clamp(x, y, 5); }) == "clamp(x, y, 5)");
}

BOOST_AUTO_TEST_CASE(gradients_at_kinks) {
  const auto check = [](const std::string& expected, const std::function<Tensor(Tensor, Tensor)>& f) {
    BOOST_TEST(simplified(f) == expected);
  };
  check("if_greater(y, x, 0)", [](auto x, auto y) { return where(x > 0, y, 0); });
  check("if_greater_equal(y, 2, x)", [](auto x, auto y) { return where(x <= 2, y, 0); });
  check("if_larger(y, x, 2)", [](auto x, auto y) { return where(x > 2, y, where(equal(x, 2), 0.5 * y, 0)); });
  check("if_larger(y, 2, x)", [](auto x, auto y) { return where(x < 2, y, where(equal(x, 2), 0.5 * y, 0)); });
  check("with_sign(y, x)", [](auto x, auto y) { return sign(x) * y; });
  check("where(greater(x, 2), y, x)", [](auto x, auto y) { return where(x > 2, y, x); });
  check("where(greater(x, 2), y, where(equal(x, 2), y, 0))",
        [](auto x, auto y) { return where(x > 2, y, where(equal(x, 2), y, 0)); });
}

BOOST_AUTO_TEST_CASE(functions_of_repeated_numbers_are_taken_before_they_are_repeated) {
  const ReduceOptions rows{.axes = {1}, .keepdims = true};
  BOOST_TEST(simplified([&](auto x, auto y) {
               return x * (max(y, rows) + broadcast(max(x, rows), {2, 3}));
             }) == "mul(x, add(max(y), max(x)))");
}

BOOST_AUTO_TEST_CASE(powers_of_two_go_with_single_numbers) {
  const ReduceOptions rows{.axes = {1}, .keepdims = true};
  BOOST_TEST(simplified([&](auto x, auto y) { return x * 2 * max(y, rows); }) == "mul(x, mul(max(y), 2))");
  BOOST_TEST(simplified([](auto x, auto) { return x * 3 * 2; }) == "mul(x, 6)");
  BOOST_TEST(simplified([&](auto x, auto y) { return x * 3 * max(y, rows); }) == "mul(mul(x, 3), max(y))");
}

BOOST_AUTO_TEST_CASE(matmul_takes_transposes_as_flags) {
  Graph g;
  const Tensor a = g.input("a", {2, 4, 3}), b = g.input("b", {4, 5});
  const Tensor c = matmul(transpose(a, {0, 2, 1}), transpose(transpose(b)));
  const Tensor d = matmul(transpose(b), transpose(a, {0, 2, 1}), {.transpose_b = true});
  const Module module = simplify(Rewriter(g, std::vector{c, d}, {}).run(), {});
  BOOST_TEST(formula(module.outputs[0]) == "matmul(a, b)");
  BOOST_TEST(module.outputs[0].node().attributes.get<bool>("transpose_a"));
  BOOST_TEST(!module.outputs[0].node().attributes.get<bool>("transpose_b"));
  BOOST_TEST(formula(module.outputs[1]) == "matmul(b, a)");
  BOOST_TEST(module.outputs[1].node().attributes.get<bool>("transpose_a"));
  BOOST_TEST(!module.outputs[1].node().attributes.get<bool>("transpose_b"));
}

BOOST_AUTO_TEST_CASE(constants_are_folded_behind_broadcasts) {
  BOOST_TEST(simplified([](auto x, auto) { return x * square(full(x.graph(), x.shape(), 3) + 1); }) == "mul(x, 16)");
  BOOST_TEST(simplified([](auto x, auto) { return x * (full(x.graph(), {1000, 2, 3}, 3) / 2); }) == "mul(x, 1.5)");
  BOOST_TEST(simplified([](auto x, auto) {
               return x * exp(constant<float>(x.graph(), {3}, {1, 2, 3}) + 1);
             }) == "mul(x, constant)");
}

BOOST_AUTO_TEST_SUITE_END()
