#include "linear_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/gather.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::message_without_lines_of;
using test::scattered;
using test::Values;

namespace {

const std::string at = "gather_test.cpp:";

Values indices_below(DType dtype, const std::vector<int64_t>& sizes, int64_t limit) {
  std::vector<double> values = scattered(DType::i64, sizes).as_doubles();
  for (double& value : values) value = static_cast<double>((static_cast<int64_t>(value) + 100) % limit);
  return Values::from_doubles(dtype, sizes, values);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_gather)

BOOST_AUTO_TEST_CASE(gather_takes_slices_of_every_dtype) {
  for (int d = 0; d < dtype_count; ++d) {
    const DType dtype = static_cast<DType>(d);
    for (const DType index : {DType::i32, DType::i64}) {
      Graph g;
      const Tensor x = g.input("x", {2, 5, 3}, dtype), indices = g.input("indices", {4, 2}, index);
      const Tensor y = gather(x, indices, -2);
      BOOST_TEST((y.shape() == Shape{2, 4, 2, 3}));
      const Values given = scattered(dtype, {2, 5, 3}), which = indices_below(index, {4, 2}, 5);
      const auto from = given.as_doubles(), row = which.as_doubles();
      const auto to = evaluate({y}, {{"x", given}, {"indices", which}})[0].as_doubles();
      for (size_t o = 0; o < 2; ++o) {
        for (size_t i = 0; i < 8; ++i) {
          for (size_t c = 0; c < 3; ++c) {
            BOOST_TEST(to[(o * 8 + i) * 3 + c] == from[(o * 5 + static_cast<size_t>(row[i])) * 3 + c]);
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(scalar_indices_symbolic_and_empty_sizes) {
  Graph g;
  const Tensor x = g.input("x", {"n", 3}), i = g.input("i", {}, DType::i64), j = g.input("j", {"batch"}, DType::i32);
  BOOST_TEST((gather(x, i).shape() == Shape{3}));
  BOOST_TEST((gather(x, j).shape() == Shape{"batch", 3}));
  BOOST_TEST((scatter_add(gather(x, j), j, x.dim(0)).shape() == Shape{"n", 3}));
  const Tensor none = g.input("none", {0}, DType::i64), y = g.input("y", {0, 3});
  const auto values = evaluate({gather(y, none), scatter_add(y, none, 2), gather(scatter_add(y, none, 2), none)},
                               {{"y", scattered(DType::f32, {0, 3})}, {"none", scattered(DType::i64, {0})}});
  BOOST_TEST((values[0].sizes == std::vector<int64_t>{0, 3}));
  BOOST_TEST((values[1].as<float>() == std::vector<float>(6, 0)));
  BOOST_TEST((values[2].sizes == std::vector<int64_t>{0, 3}));
}

BOOST_AUTO_TEST_CASE(scatter_add_adds_numbers_of_every_dtype_on_every_instruction_set) {
  for (const Isa isa : supported_isas()) {
    for (const DType dtype : {DType::u8, DType::i32, DType::i64, DType::f32, DType::f64}) {
      for (const int64_t inner : {1, 3, 16, 61}) {
        Graph g;
        const Tensor u = g.input("u", {3, 4, 2, inner}, dtype), indices = g.input("indices", {4, 2}, DType::i64);
        const Values given = scattered(dtype, {3, 4, 2, inner}), which = indices_below(DType::i64, {4, 2}, 5);
        const Values y = evaluate({scatter_add(u, indices, 5, 1)}, {{"u", given}, {"indices", which}}, isa)[0];
        const auto from = given.as_doubles(), row = which.as_doubles();
        std::vector<double> sums(static_cast<size_t>(3 * 5 * inner), 0);
        const size_t columns = static_cast<size_t>(inner);
        for (size_t o = 0; o < 3; ++o) {
          for (size_t i = 0; i < 8; ++i) {
            for (size_t c = 0; c < columns; ++c) {
              sums[(o * 5 + static_cast<size_t>(row[i])) * columns + c] += from[(o * 8 + i) * columns + c];
            }
          }
        }
        BOOST_TEST((y.as_doubles() == sums));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(scatter_add_keeps_the_order_of_additions_in_every_chunk) {
  // Terms of very different sizes, so that another order would round differently; enough of them for many chunks.
  Graph g;
  const Tensor u = g.input("u", {500, 300}), indices = g.input("indices", {500}, DType::i32);
  std::vector<float> terms(500 * 300);
  std::vector<int32_t> rows(500);
  for (size_t i = 0; i < terms.size(); ++i)
    terms[i] = static_cast<float>((i * 7919) % 1000) * (i % 7 == 0 ? 1e6F : 1e-3F);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int32_t>((i * 31) % 3);
  std::vector<float> sums(3 * 300, 0);
  for (size_t i = 0; i < 500; ++i) {
    for (size_t c = 0; c < 300; ++c) sums[static_cast<size_t>(rows[i]) * 300 + c] += terms[i * 300 + c];
  }
  const std::map<std::string, Values> given{{"u", Values::of<float>({500, 300}, terms)},
                                            {"indices", Values::of<int32_t>({500}, rows)}};
  for (const Isa isa : supported_isas()) {
    BOOST_TEST((evaluate({scatter_add(u, indices, 3)}, given, isa)[0].as<float>() == sums));
  }
}

BOOST_AUTO_TEST_CASE(along_an_axis) {
  for (const DType dtype : {DType::u8, DType::i32, DType::i64, DType::f32, DType::f64}) {
    Graph g;
    const Tensor x = g.input("x", {2, 5, 3}, dtype), indices = g.input("indices", {2, 4, 3}, DType::i32);
    const Tensor taken = take_along_axis(x, indices, 1);
    BOOST_TEST((taken.shape() == Shape{2, 4, 3}));
    const Values given = scattered(dtype, {2, 5, 3}), which = indices_below(DType::i32, {2, 4, 3}, 5);
    const auto y = evaluate({taken, add_along_axis(taken, indices, 5, -2)}, {{"x", given}, {"indices", which}});
    const auto from = given.as_doubles(), row = which.as_doubles();
    std::vector<double> elements(24), sums(30, 0);
    for (size_t i = 0; i < 24; ++i) {
      const size_t place = (i / 12 * 5 + static_cast<size_t>(row[i])) * 3 + i % 3;
      elements[i] = from[place];
      sums[place] += from[place];
    }
    BOOST_TEST((y[0].as_doubles() == elements));
    BOOST_TEST((y[1].as_doubles() == sums));
  }
}

BOOST_AUTO_TEST_CASE(take_along_axis_picks_one_a_row) {
  Graph g;
  const Tensor x = g.input("x", {"n", 3}), labels = g.input("labels", {"n", 1}, DType::i64);
  BOOST_TEST((take_along_axis(x, labels).shape() == Shape{"n", 1}));
  BOOST_TEST((add_along_axis(take_along_axis(x, labels), labels, 3).shape() == Shape{"n", 3}));
}

BOOST_AUTO_TEST_CASE(gradients) {
  Graph g;
  const Tensor x = g.input("x", {2, 5, 3}, DType::f64), indices = g.input("indices", {4}, DType::i64);
  const Tensor picks = g.input("picks", {2, 4, 3}, DType::i64), u = g.input("u", {2, 4, 3}, DType::f64);
  const std::map<std::string, Values> given{{"x", scattered(DType::f64, {2, 5, 3})},
                                            {"u", scattered(DType::f64, {2, 4, 3})},
                                            {"indices", indices_below(DType::i64, {4}, 5)},
                                            {"picks", indices_below(DType::i64, {2, 4, 3}, 5)}};
  test::check_vjp_of_linear(gather(x, indices, 1), given);
  test::check_vjp_of_linear(scatter_add(u, indices, 5, 1), given);
  test::check_vjp_of_linear(take_along_axis(x, picks, 1), given);
  test::check_vjp_of_linear(add_along_axis(u, picks, 5, 1), given);
}

BOOST_AUTO_TEST_CASE(one_hot_in_every_dtype) {
  for (int d = 0; d < dtype_count; ++d) {
    Graph g;
    const Tensor labels = g.input("labels", {2, 2}, DType::i32);
    const Tensor y = one_hot(labels, 3, static_cast<DType>(d));
    BOOST_TEST((y.shape() == Shape{2, 2, 3}));
    const auto values = evaluate({y}, {{"labels", Values::of<int32_t>({2, 2}, {0, 2, 1, 2})}})[0];
    BOOST_TEST((values.as_doubles() == std::vector<double>{1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1}));
  }
  Graph g;
  const Tensor labels = g.input("labels", {"n"}, DType::i64);
  BOOST_TEST((one_hot(labels, "classes").shape() == Shape{"n", "classes"}));
}

BOOST_AUTO_TEST_CASE(an_index_out_of_range_names_itself_its_place_and_the_users_line) {
  Graph g;
  const int line = __LINE__ + 1;
  const Tensor x = g.input("x", {4, 3}), i = g.input("i", {2, 2}, DType::i32), u = g.input("u", {2, 2});
  const Tensor y = gather(x, i).named("embedding");
  const std::string from = "  input, " + at + std::to_string(line);
  const auto where = [&](int after) { return at + std::to_string(line + after) + ": "; };
  const std::map<std::string, Values> high{{"x", scattered(DType::f32, {4, 3})},
                                           {"u", scattered(DType::f32, {2, 2})},
                                           {"i", Values::of<int32_t>({2, 2}, {0, 3, 4, 1})}};
  std::map<std::string, Values> negative = high;
  negative["i"] = Values::of<int32_t>({2, 2}, {0, -1, 3, 1});
  const std::string operands = "\n  x \"x\"        f32[4, 3]" + from + "\n  indices \"i\"  i32[2, 2]" + from;
  const std::string rule = "\n  gather needs indices from 0 to below the size of x's axis, i32 or i64";
  BOOST_TEST(message_of([&] { (void)evaluate({y}, high); }) ==
             where(1) + "gather \"embedding\": indices[1, 0] is 4, but axis 0 of x has size 4" + operands + rule);
  BOOST_TEST(message_of([&] { (void)evaluate({y}, negative); }) ==
             where(1) + "gather \"embedding\": indices[0, 1] is -1, but axis 0 of x has size 4" + operands + rule);
}

BOOST_AUTO_TEST_CASE(of_many_indices_out_of_range_the_first_are_named) {
  Graph g;
  const Tensor y = gather(g.input("x", {2}), g.input("i", {8}, DType::i64));
  const std::map<std::string, Values> given{{"x", scattered(DType::f32, {2})},
                                            {"i", Values::of<int64_t>({8}, {1, 2, 3, -4, 0, 5, 6, 7})}};
  BOOST_TEST(message_without_lines_of([&] { (void)evaluate({y}, given); })
                 .starts_with("gather_test.cpp: gather: indices[1] is 2, indices[2] is 3, indices[3] is -4, indices[5] "
                              "is 5, indices[6] is 6, ... (6 in all), but axis 0 of x has size 2\n"));
}

BOOST_AUTO_TEST_CASE(so_do_the_indices_of_the_other_ops) {
  Graph g;
  const Tensor i = g.input("i", {2, 2}, DType::i32), u = g.input("u", {2, 2});
  const std::map<std::string, Values> given{{"u", scattered(DType::f32, {2, 2})},
                                            {"i", Values::of<int32_t>({2, 2}, {0, 3, 4, 1})}};
  const auto text = [&](const Tensor& y) { return message_without_lines_of([&] { (void)evaluate({y}, given); }); };
  const std::string operand_u = "\"u\"  f32[2, 2]  input, gather_test.cpp";
  const std::string operand_i = "\n  indices \"i\"  i32[2, 2]  input, gather_test.cpp";
  const std::string bounds = " 0 to below its size, i32 or i64";
  BOOST_TEST(text(scatter_add(u, i, 4)) ==
             "gather_test.cpp: scatter_add: indices[1, 0] is 4, but axis 0 of the result has size 4\n  updates " +
                 operand_u + operand_i +
                 "\n  scatter_add needs numbers with the indices' axes in the place of the result's axis, and indices "
                 "from" +
                 bounds);
  BOOST_TEST(text(one_hot(i, 4)) == "gather_test.cpp: one_hot: indices[1, 0] is 4, but there are 4 classes" +
                                        operand_i +
                                        "\n  one_hot needs indices from 0 to below the number of classes, i32 or i64");
  BOOST_TEST(text(take_along_axis(u, i)) ==
             "gather_test.cpp: take_along_axis: indices[0, 1] is 3, indices[1, 0] is 4, but axis 1 of x has size 2\n  "
             "x \"u\"        "
             "f32[2, 2]  input, gather_test.cpp" +
                 operand_i +
                 "\n  take_along_axis needs indices of x's shape but for the axis, from 0 to below x's size of it, i32 "
                 "or i64");
  BOOST_TEST(text(add_along_axis(u, i, 3)) ==
             "gather_test.cpp: add_along_axis: indices[0, 1] is 3, indices[1, 0] is 4, but axis 1 of the result has "
             "size 3\n  updates " +
                 operand_u + operand_i +
                 "\n  add_along_axis needs numbers and indices of one shape, the indices from 0 to below the size, i32 "
                 "or i64");
}

BOOST_AUTO_TEST_CASE(errors_of_shape_and_dtype) {
  Graph g;
  const Tensor x = g.input("x", {4, 3}), i = g.input("i", {2}, DType::i64), bad = g.input("bad", {2}),
               b = g.input("b", {2}, DType::boolean);
  const auto problem = [](auto f) {
    try {
      f();
    } catch (const Error& error) {
      return error.op() + ": " + error.problem();
    }
    return std::string("nothing was thrown");
  };
  BOOST_TEST(problem([&] { (void)gather(x, bad); }) == "gather: indices are f32, they must be i32 or i64");
  BOOST_TEST(problem([&] { (void)gather(x, i, 2); }) == "gather: there is no axis 2 in a tensor of rank 2");
  BOOST_TEST(problem([&] { (void)scatter_add(x, i, 4); }) ==
             "scatter_add: axis 0 of updates and axis 0 of indices differ, 4 and 2");
  BOOST_TEST(problem([&] { (void)scatter_add(b, i, 4); }) == "scatter_add: booleans cannot be added");
  BOOST_TEST(problem([&] { (void)scatter_add(i, i, -1); }) == "scatter_add: the size -1 is negative");
  BOOST_TEST(problem([&] { (void)take_along_axis(x, i); }) == "take_along_axis: the ranks differ, 2 and 1");
  BOOST_TEST(problem([&] { (void)one_hot(bad, 3); }) == "one_hot: indices are f32, they must be i32 or i64");
  BOOST_TEST(problem([&] { (void)one_hot(i, -3); }) == "one_hot: the number of classes is -3");
}

BOOST_AUTO_TEST_SUITE_END()
