#include "linear_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/nn/initializers.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/program.hpp>
#include <gradloom/runtime/trace.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_without_lines_of;
using test::scattered;
using test::Values;

namespace {

Array scalar(int64_t value) { return Array::from<int64_t>({value}).reshaped({}); }

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_update_slice)

BOOST_AUTO_TEST_CASE(slices_of_every_dtype_are_replaced) {
  for (int d = 0; d < dtype_count; ++d) {
    const DType dtype = static_cast<DType>(d);
    for (const DType index : {DType::i32, DType::i64}) {
      for (const int64_t start : {0, 2, 3}) {
        Graph g;
        const Tensor x = g.input("x", {2, 5, 3}, dtype), update = g.input("update", {2, 2, 3}, dtype);
        const Tensor y = update_slice(x, update, g.input("start", {}, index), -2);
        BOOST_TEST((y.shape() == Shape{2, 5, 3}));
        const Values given = scattered(dtype, {2, 5, 3}), with = scattered(dtype, {2, 2, 3});
        const auto from = given.as_doubles(), in = with.as_doubles();
        const auto to = evaluate({y}, {{"x", given},
                                       {"update", with},
                                       {"start", Values::from_doubles(index, {}, {static_cast<double>(start)})}})[0]
                            .as_doubles();
        for (size_t i = 0; i < to.size(); ++i) {
          const auto slice = static_cast<int64_t>(i / 3 % 5), row = slice - start;
          const bool is_new = row >= 0 && row < 2;
          BOOST_TEST(to[i] == (is_new ? in[i / 15 * 6 + static_cast<size_t>(row) * 3 + i % 3] : from[i]));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(all_of_it_none_of_it_and_nothing_at_all) {
  Graph g;
  const Tensor x = g.input("x", {4, 2}), none = g.input("none", {0, 2}), empty = g.input("empty", {4, 0});
  const Tensor start = g.input("start", {}, DType::i64);
  const auto got =
      evaluate({update_slice(x, x + 1, start), update_slice(x, none, start), update_slice(empty, empty, start)},
               {{"x", scattered(DType::f32, {4, 2})},
                {"none", scattered(DType::f32, {0, 2})},
                {"empty", scattered(DType::f32, {4, 0})},
                {"start", Values::from_doubles(DType::i64, {}, {0})}});
  const auto x_values = scattered(DType::f32, {4, 2}).as_doubles(), all = got[0].as_doubles();
  for (size_t i = 0; i < all.size(); ++i) BOOST_TEST(all[i] == x_values[i] + 1);
  BOOST_TEST(got[1].as_doubles() == x_values);
  BOOST_TEST(got[2].as_doubles().empty());
}

BOOST_AUTO_TEST_CASE(sizes_may_be_symbols) {
  Graph g;
  const Tensor x = g.input("x", {"n"}), update = g.input("update", {"m"});
  const Program program = compile({.outputs = {update_slice(x, update, g.input("start", {}, DType::i64))}});
  const Array from = Array::from<float>({1, 2, 3, 4}), with = Array::from<float>({8, 9});
  State state;
  const auto run = [&](int64_t start) {
    return program.run(state, {{"x", from}, {"update", with}, {"start", scalar(start)}})[0].to_vector<float>();
  };
  BOOST_TEST((run(1) == std::vector<float>{1, 8, 9, 4}));
  BOOST_CHECK_THROW((void)run(3), Error);
}

// Of a parameter of 2 MiB, a run touches the slice: twice, as the update and in the State.
BOOST_AUTO_TEST_CASE(a_parameter_is_changed_in_place) {
  Graph g;
  const Tensor cache = g.parameter("cache", {1024, 512}, nn::constant(1), {.trainable = false});
  const Tensor row = g.input("row", {1, 512}), at = g.input("at", {}, DType::i64);
  const Tensor next = update_slice(cache, row, at);
  const std::vector<Update> updates{{cache, next}};
  Array values({1, 512});
  for (float& x : values.data<float>()) x = 7;
  for (const bool is_read : {false, true}) {
    // Whoever else reads what was there before comes first, and all the same the rest stays where it is.
    std::vector<Tensor> outputs{sum(next)};
    if (is_read) outputs.push_back(sum(cache));
    const Program step = compile({.outputs = outputs, .updates = updates});
    State state;
    Trace trace;
    const auto first = step.run(state, {{"row", values}, {"at", scalar(1000)}}, {.trace = &trace});
    BOOST_TEST(first[0].item<float>() == 512.0F * (1023 + 7));
    if (is_read) BOOST_TEST(first[1].item<float>() == 512.0F * 1024);
    int64_t written = 0;
    for (const KernelStats& kernel : step.stats().traced) {
      if (kernel.kernel == "update_slice") written += kernel.bytes_written;
    }
    BOOST_TEST(written == 2048);
    BOOST_TEST(step.stats().arena_bytes < 64 * 1024);
    const Array after = state.get("cache");
    BOOST_TEST(after.at<float>({1000, 5}) == 7);
    BOOST_TEST(after.at<float>({999, 5}) == 1);
  }
}

BOOST_AUTO_TEST_CASE(an_update_that_does_not_fit_changes_nothing) {
  Graph g;
  const Tensor a = g.parameter("a", {4}, nn::zeros(), {.trainable = false}),
               b = g.parameter("b", {4}, nn::zeros(), {.trainable = false});
  const Tensor x = g.input("x", {3}), at = g.input("at", {}, DType::i64), other = g.input("other", {}, DType::i64);
  const Program step = compile({.updates = {{a, update_slice(a, x, at)}, {b, update_slice(b, x, other)}}});
  Array ones({3});
  for (float& value : ones.data<float>()) value = 1;
  State state;
  for (const int64_t start : {2, -1}) {
    const std::string text = message_without_lines_of([&] {
      (void)step.run(state, {{"x", ones}, {"at", scalar(0)}, {"other", scalar(start)}});
    });
    BOOST_TEST(text == "update_slice_test.cpp: update_slice: the index is " + std::to_string(start) +
                           ", but x has 4 slices, the update 3\n"
                           "  start \"other\"  i64[]  input, update_slice_test.cpp\n"
                           "  update_slice needs a scalar start, i32 or i64, that leaves room for the update");
    BOOST_TEST((!state.has("a") || state.get("a").to_vector<float>() == std::vector<float>(4, 0)));
  }
  (void)step.run(state, {{"x", ones}, {"at", scalar(1)}, {"other", scalar(0)}});
  BOOST_TEST((state.get("a").to_vector<float>() == std::vector<float>{0, 1, 1, 1}));
  BOOST_TEST((state.get("b").to_vector<float>() == std::vector<float>{1, 1, 1, 0}));
}

BOOST_AUTO_TEST_CASE(mistakes_are_told) {
  Graph g;
  const Tensor x = g.input("x", {4, 2}), start = g.input("start", {}, DType::i64);
  const auto message = [&](const Tensor& update, const Tensor& at, int axis) {
    const std::string text = message_without_lines_of([&] { (void)update_slice(x, update, at, axis); });
    return text.substr(0, text.find('\n'));
  };
  const std::string at = "update_slice_test.cpp: update_slice: ";
  BOOST_TEST(message(g.input("long", {5, 2}), start, 0) == at + "x has 4 slices, the update 5");
  BOOST_TEST(message(g.input("wide", {2, 3}), start, 0) == at + "the sizes of axis 1 differ, 2 and 3");
  BOOST_TEST(message(g.input("flat", {2}), start, 0) == at + "the ranks differ, 2 and 1");
  BOOST_TEST(message(g.input("f64", {2, 2}, DType::f64), start, 0) == at + "the dtypes differ");
  BOOST_TEST(message(x, g.input("real", {}), 0) == at + "start are f32, they must be i32 or i64");
  BOOST_TEST(message(x, g.input("starts", {2}, DType::i64), 0) == at + "the start is no scalar");
}

BOOST_AUTO_TEST_SUITE_END()
