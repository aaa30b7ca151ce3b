#include "linear_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/movement.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_without_lines_of;
using test::scattered;
using test::Values;

namespace {

using Sizes = std::vector<int64_t>;

// By its definition, element by element.
Values transposed(const Values& x, const Sizes& permutation) {
  const size_t rank = permutation.size(), bytes = size_of(x.dtype);
  Values y{x.dtype, Sizes(rank), std::vector<std::byte>(x.bytes.size())};
  for (size_t i = 0; i < rank; ++i) y.sizes[i] = x.sizes[static_cast<size_t>(permutation[i])];
  Sizes stride(rank, 1), index(rank, 0);
  for (size_t i = rank; i-- > 1;) stride[i - 1] = stride[i] * x.sizes[i];
  for (size_t to = 0; to < y.bytes.size(); to += bytes) {
    size_t from = 0;
    for (size_t i = 0; i < rank; ++i)
      from += static_cast<size_t>(index[i] * stride[static_cast<size_t>(permutation[i])]);
    std::copy_n(x.bytes.begin() + static_cast<std::ptrdiff_t>(from * bytes), bytes,
                y.bytes.begin() + static_cast<std::ptrdiff_t>(to));
    for (size_t i = rank; i-- > 0 && ++index[i] == y.sizes[i];) index[i] = 0;
  }
  return y;
}

void check(DType dtype, const Sizes& sizes, const Sizes& permutation) {
  Graph g;
  const Tensor x = g.input("x", Shape(std::span<const int64_t>(sizes)), dtype);
  const Values given = scattered(dtype, sizes), expected = transposed(given, permutation);
  const Values y = evaluate({transpose(x, permutation)}, {{"x", given}})[0];
  BOOST_TEST((y.sizes == expected.sizes));
  BOOST_TEST((y.bytes == expected.bytes), to_string(dtype) << Shape(std::span<const int64_t>(sizes)).to_string());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_transpose)

BOOST_AUTO_TEST_CASE(every_order_of_four_axes_for_every_dtype) {
  for (int i = 0; i < dtype_count; ++i) {
    Sizes permutation{0, 1, 2, 3};
    do {
      check(static_cast<DType>(i), {2, 3, 4, 5}, permutation);
      check(static_cast<DType>(i), {3, 1, 33, 2}, permutation);
    } while (std::next_permutation(permutation.begin(), permutation.end()));
  }
}

BOOST_AUTO_TEST_CASE(sizes_around_the_tile) {
  for (const int64_t rows : {1, 31, 32, 33, 64, 100}) {
    for (const int64_t columns : {1, 2, 31, 32, 33, 65}) {
      check(DType::f32, {rows, columns}, {1, 0});
      check(DType::f64, {2, rows, columns}, {2, 0, 1});
      check(DType::u8, {rows, 3, columns}, {2, 1, 0});
    }
  }
}

BOOST_AUTO_TEST_CASE(large_ones_are_cut_into_chunks) {
  check(DType::f32, {301, 5, 130}, {2, 0, 1});
  check(DType::i64, {70, 3000}, {1, 0});
  check(DType::u8, {3, 100000}, {1, 0});
  check(DType::u8, {100000, 3}, {1, 0});
}

BOOST_AUTO_TEST_CASE(the_default_reverses_and_negative_axes_count_from_the_end) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 3, 4});
  BOOST_TEST((transpose(x).shape() == Shape{4, 3, "batch"}));
  BOOST_TEST((transpose(x, {0, -1, -2}).shape() == Shape{"batch", 4, 3}));
  BOOST_TEST(same(transpose(x, {0, 1, 2}), x));
}

BOOST_AUTO_TEST_CASE(sizes_of_zero_and_scalars) {
  check(DType::f32, {2, 0, 3}, {2, 1, 0});
  Graph g;
  const Tensor s = g.input("s", {});
  BOOST_TEST(same(transpose(s), s));
}

BOOST_AUTO_TEST_CASE(gradients) {
  Graph g;
  const Tensor x = g.input("x", {2, 3, 4}, DType::f64);
  test::check_vjp_of_linear(transpose(x, {2, 0, 1}), {{"x", scattered(DType::f64, {2, 3, 4})}});
}

BOOST_AUTO_TEST_CASE(two_in_a_row_become_one_and_one_that_moves_nothing_a_reshape) {
  Graph g;
  const Tensor x = g.input("x", {2, 1, 3});
  const Tensor y = transpose(x, {2, 0, 1}), z = transpose(y, {1, 0, 2});
  const Tensor simpler = z.node().op->simplify(g, z.node(), {&y, 1});
  BOOST_TEST((simpler.node().op == &reshape_def));
  BOOST_TEST((simpler.shape() == z.shape()));
  const Tensor a = g.input("a", {2, 5, 3});
  const Tensor b = transpose(a, {2, 0, 1}), c = transpose(b, {1, 0, 2});
  const Tensor one = c.node().op->simplify(g, c.node(), {&b, 1});
  BOOST_TEST((one.node().attributes.get<Sizes>("permutation") == Sizes{0, 2, 1}));
  BOOST_TEST(one.node().inputs[0].node == a.node_id());
}

BOOST_AUTO_TEST_CASE(errors) {
  Graph g;
  const Tensor x = g.input("x", {2, 3});
  const std::string at = "transpose_test.cpp";
  const auto expected = [&](const std::string& problem) {
    return at + ": transpose: " + problem + "\n  x \"x\"  f32[2, 3]  input, " + at +
           "\n  a permutation names each axis once";
  };
  BOOST_TEST(message_without_lines_of([&] { (void)transpose(x, {0, 0}); }) == expected("[0, 0] is no order of 2 axes"));
  BOOST_TEST(message_without_lines_of([&] { (void)transpose(x, {0}); }) == expected("[0] is no order of 2 axes"));
  BOOST_TEST(message_without_lines_of([&] { (void)transpose(x, {0, 2}); }) == expected("[0, 2] is no order of 2 axes"));
  BOOST_TEST(message_without_lines_of([&] {
               (void)transpose(x, {-3, 1});
             }) == expected("[-1, 1] is no order of 2 axes"));
}

BOOST_AUTO_TEST_SUITE_END()
