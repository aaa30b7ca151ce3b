// Casts are in the conformance tests; here is what bf16, which only they compute with, does elsewhere.
#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/gradloom.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::message_without_lines_of;

namespace {

BFloat16 b(double x) { return BFloat16(x); }

Batch given(const std::string& name, const Array& value) {
  Batch batch;
  batch.set(name, value);
  return batch;
}

Array run(const Tensor& y, const Array& x) {
  State state;
  return compile({.outputs = {y}}).run(state, given("x", x))[0];
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_cast)

BOOST_AUTO_TEST_CASE(what_computes_takes_bf16_as_f32) {
  Graph g;
  const Tensor x = g.input("x", {4}, DType::bf16), m = reshape(x, {2, 2}), i = g.input("i", {4}, DType::i64);
  for (const Tensor& y :
       {x + x, exp(x), x * 2, x + i, relu(x), abs(x), floor(x), sum(x), max(x), mean(x), cumsum(x), softmax(x),
        matmul(m, m), einsum("ij,jk->ik", {m, m}), where(x > 0, x, 0), nn::dense(m, 3), argmax(x) + x}) {
    BOOST_TEST_CONTEXT(y.name()) { BOOST_TEST((y.dtype() == DType::f32)); }
  }
  BOOST_TEST(((x + g.input("d", {4}, DType::f64)).dtype() == DType::f64));
  BOOST_TEST(((x > 0).dtype() == DType::boolean));
  const Array values = Array::from({b(0.5), b(-1.5), b(2.25), b(3)});
  BOOST_TEST((run(floor(x), values).to_vector<float>() == std::vector<float>{0, -2, 2, 3}));
  BOOST_TEST(run(sum(x), values).item<float>() == 4.25F);
  BOOST_TEST((run(cumsum(x), values).to_vector<float>() == std::vector<float>{0.5F, -1, 1.25F, 4.25F}));
  BOOST_TEST((run(x * x, values).to_vector<float>() == std::vector<float>{0.25F, 2.25F, 5.0625F, 9}));
}

BOOST_AUTO_TEST_CASE(what_moves_keeps_it) {
  Graph g;
  const Tensor x = g.input("x", {2, 3}, DType::bf16), at = g.input("at", {2}, DType::i64);
  for (const Tensor& y :
       {reshape(x, {6}), transpose(x), broadcast(x, {4, 2, 3}), slice(x, 1, {1}), pad(x, {.low = {1, 0}}),
        concat({x, x}, 0), gather(x, at), take_along_axis(x, reshape(at, {2, 1}), 1), stop_gradient(x), flip(x, {1})}) {
    BOOST_TEST_CONTEXT(y.name()) { BOOST_TEST((y.dtype() == DType::bf16)); }
  }
  const Array values = Array::from(std::vector{b(1), b(2), b(3), b(4), b(5), b(6)}, {2, 3});
  BOOST_TEST((run(transpose(x), values).to_vector<BFloat16>() == std::vector{b(1), b(4), b(2), b(5), b(3), b(6)}));
  BOOST_TEST(run(x, values).to_string() == "bf16[2, 3]\n[[1, 2, 3],\n [4, 5, 6]]");
}

BOOST_AUTO_TEST_CASE(gradients_by_bf16_are_f32_and_not_rounded) {
  Graph g;
  const Tensor x = g.input("x", {2, 2}, DType::bf16), w = g.input("w", {2, 2});
  // By way of casts there and back, movement and a product.
  const Tensor y = sum(matmul(transpose(x), w) * 1.001) + sum(cast(x + w, DType::bf16) * w);
  const std::vector<Tensor> slopes = gradients(y, {x, w});
  BOOST_TEST((slopes[0].dtype() == DType::f32));
  Batch inputs = given("x", Array::from(std::vector{b(1), b(2), b(3), b(4)}, {2, 2}));
  inputs.set("w", Array::from(std::vector<float>{0.1F, 0.2F, 0.3F, 0.4F}, {2, 2}));
  State state;
  const auto got = compile({.outputs = slopes}).run(state, inputs)[0].to_vector<float>();
  const std::vector<float> expected = {0.3F * 1.001F + 0.1F, 0.3F * 1.001F + 0.2F, 0.7F * 1.001F + 0.3F,
                                       0.7F * 1.001F + 0.4F};
  for (size_t i = 0; i < got.size(); ++i) BOOST_TEST(got[i] == expected[i], boost::test_tools::tolerance(1e-6F));
}

BOOST_AUTO_TEST_CASE(a_cast_to_bf16_and_back_rounds) {
  Graph g;
  const Tensor x = g.input("x", {3});
  const Array values = Array::from({1.001F, 257.0F, -1e-3F});
  BOOST_TEST((run(cast(cast(x, DType::bf16), DType::f32), values).to_vector<float>() ==
              std::vector<float>{1, 256, BFloat16(-1e-3F)}));
  // The other way round nothing is lost, so nothing is done.
  const Tensor half = g.input("half", {3}, DType::bf16);
  State state;
  const Program same = compile({.outputs = {cast(cast(half, DType::f32), DType::bf16)}});
  BOOST_TEST(same.explain().substr(same.explain().find("---- simplify")).find("to_f32") == std::string::npos);
  BOOST_TEST((same.run(state, given("half", Array::from({b(1.5), b(-2), b(3)})))[0].to_vector<BFloat16>() ==
              std::vector{b(1.5), b(-2), b(3)}));
}

BOOST_AUTO_TEST_CASE(a_network_with_weights_of_bf16) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 3});
  const Tensor w = g.parameter("w", {3, 2}, nn::glorot(), {.dtype = DType::bf16, .trainable = false});
  State state;
  const Program program = compile({.outputs = {matmul(x, w)}});
  const Array made = program.run(state, given("x", Array::from(std::vector<float>{1, 0, 0, 0, 1, 0}, {2, 3})))[0];
  const auto weights = state.get("w").to_vector<BFloat16>();
  BOOST_TEST((made.to_vector<float>() == std::vector<float>(weights.begin(), weights.begin() + 4)));
}

BOOST_AUTO_TEST_CASE(mistakes_are_told) {
  Graph g;
  const Tensor x = g.input("x", {1, 4, 4, 1}, DType::bf16);
  BOOST_TEST(message_without_lines_of([&] {
               (void)max_pool(x, {.window = {2, 2}});
             }) ==
             "cast_test.cpp: max_pool: x is bf16, which is for storage: it must be cast to f32\n"
             "  x \"x\"  bf16[1, 4, 4, 1]  input, cast_test.cpp\n"
             "  max_pool needs numbers [batch, spatial..., channels] with one to three spatial axes, and windows that "
             "fit them");
}

BOOST_AUTO_TEST_SUITE_END()
