// What follows products of constant weights goes into the weights, and only then.
#include "formula_helper.hpp"
#include <gradloom/nn/batch_norm.hpp>
#include <gradloom/nn/conv.hpp>
#include <gradloom/nn/dense.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/convolution.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/runtime/passes_internal.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

using namespace gradloom;

namespace {

Array random_array(const Tensor& like, std::mt19937_64& engine, double low, double high) {
  Array array(like.shape().sizes(), like.dtype());
  std::uniform_real_distribution<double> in(low, high);
  if (like.dtype() == DType::f64) {
    for (double& element : array.data<double>()) element = in(engine);
  } else {
    for (float& element : array.data<float>()) element = static_cast<float>(in(engine));
  }
  return array;
}

/// All parameters positive: some are variances.
State random_state(const Graph& graph) {
  State state;
  std::mt19937_64 engine(1);
  for (const Tensor& parameter : graph.parameters())
    state.set(parameter.node().name, random_array(parameter, engine, 0.25, 2));
  return state;
}

/// The formula of `y` after the pass, with all parameters constants. The values must be those of the graph as written.
std::string folded(const Tensor& y, const State& state) {
  Module module = select_mode(Rewriter(y.graph(), std::vector{y}, {}).run(), Mode::inference);
  module = fold(simplify(bake_constants(module, state), {}));

  Batch inputs;
  std::mt19937_64 engine(2);
  for (const Tensor& input : y.graph().inputs()) inputs.set(input.node().name, random_array(input, engine, -1, 1));
  const auto values = [&](Optimize optimize) {
    const Program program =
        compile({.outputs = {y}, .mode = Mode::inference, .optimize = optimize, .constants = &state});
    const Array result = program.run(Executor{}, State(), inputs)[0];
    std::vector<double> elements;
    if (y.dtype() == DType::f64) {
      for (const double element : result.data<const double>()) elements.push_back(element);
    } else {
      for (const float element : result.data<const float>()) elements.push_back(element);
    }
    return elements;
  };
  const std::vector<double> expected = values(Optimize::none), got = values(Optimize::all);
  double largest = 0, error = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::fabs(expected[i]));
    error = std::max(error, std::fabs(expected[i] - got[i]));
  }
  BOOST_TEST(largest > 0);
  BOOST_TEST(error <= largest * (y.dtype() == DType::f64 ? 1e-14 : 5e-6));
  return test::formula(module.outputs[0]);
}

/// The same for a function of an input `x` of that shape.
std::string folded(const Shape& shape, const std::function<Tensor(Graph&, const Tensor&)>& f,
                   DType dtype = DType::f32) {
  Graph g;
  const Tensor y = f(g, g.input("x", shape, dtype));
  return folded(y, random_state(g));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_fold)

BOOST_AUTO_TEST_CASE(batch_norm_goes_into_the_layer_before_it) {
  for (const bool bias : {false, true}) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      BOOST_TEST(folded(
                     {2, 5, 6, 3},
                     [&](Graph&, const Tensor& x) {
                       const Tensor y = nn::conv(x, 8, {3}, {.strides = {2}, .padding = 1, .bias = bias});
                       return relu(nn::batch_norm(y));
                     },
                     dtype) == "relu(add(convolution(x, constant), constant))");
      BOOST_TEST(folded(
                     {4, 3}, [&](Graph&, const Tensor& x) { return nn::batch_norm(nn::dense(x, 8, {.bias = bias})); },
                     dtype) == "add(matmul(x, constant), constant)");
    }
  }
  // Two in a row, and a convolution of 1x1, which is a matmul.
  BOOST_TEST(folded({2, 4, 4, 3}, [](Graph&, const Tensor& x) {
               return nn::batch_norm(nn::batch_norm(nn::conv(x, 5, {1})));
             }) == "add(matmul(x, constant), constant)");
}

BOOST_AUTO_TEST_CASE(a_scale_meets_the_weights_of_its_channel) {
  const auto scaled = [](Graph& g, const Tensor& y) {
    return y * g.parameter("s", {y.dim(-1)}, {}, {.dtype = y.dtype()});
  };
  const auto weights = [](Graph& g, const Shape& shape, DType dtype = DType::f32) {
    return g.parameter("w", shape, {}, {.dtype = dtype});
  };
  BOOST_TEST(folded({2, 7, 6}, [&](Graph& g, const Tensor& x) {
               return scaled(g, convolution(x, weights(g, {3, 2, 9}), {.groups = 3}));
             }) == "convolution(x, constant)");
  for (const int64_t groups : {1, 3}) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      BOOST_TEST(folded(
                     {2, 4, 5, 6},
                     [&](Graph& g, const Tensor& x) {
                       const Tensor w = weights(g, {2, 2, 4, 6}, dtype);
                       return scaled(g, conv_transpose(x, w, {.strides = {2}, .groups = groups}));
                     },
                     dtype) == "convolution_data_gradient(x, constant)");
    }
  }
  for (const bool transpose : {false, true}) {
    const MatmulOptions how{.transpose_b = transpose};
    BOOST_TEST(folded({3, 4}, [&](Graph& g, const Tensor& x) {
                 return scaled(g, matmul(x, weights(g, transpose ? Shape{5, 4} : Shape{4, 5}), how));
               }) == "matmul(x, constant)");
    BOOST_TEST(folded({2, 3, 4}, [&](Graph& g, const Tensor& x) {
                 return scaled(g, matmul(x, weights(g, transpose ? Shape{2, 5, 4} : Shape{2, 4, 5}), how));
               }) == "matmul(x, constant)");
  }
}

BOOST_AUTO_TEST_CASE(chains_of_scales_and_shifts_end_as_one_bias) {
  const auto dense = [](const Tensor& x) { return nn::dense(x, 5, {.bias = false}); };
  const auto row = [](Graph& g, const char* name) { return g.parameter(name, {5}); };
  BOOST_TEST(folded({3, 4}, [&](Graph&, const Tensor& x) { return dense(x) * 0.3; }) == "matmul(x, constant)");
  BOOST_TEST(folded({3, 4}, [&](Graph& g, const Tensor& x) {
               return (row(g, "a") + dense(x)) * 0.3 * row(g, "b") - row(g, "c") + row(g, "d");
             }) == "add(matmul(x, constant), constant)");
  // As the formula of a norm is written elsewhere.
  BOOST_TEST(folded({3, 4}, [&](Graph& g, const Tensor& x) {
               return (dense(x) - row(g, "mean")) * rsqrt(row(g, "variance") + 1e-5);
             }) == "add(matmul(x, constant), constant)");
}

BOOST_AUTO_TEST_CASE(what_others_read_stays) {
  const auto dense = [](const Tensor& x) { return nn::dense(x, 5, {.bias = false}); };
  const auto row = [](Graph& g) { return g.parameter("s", {5}); };
  BOOST_TEST(folded({3, 4}, [&](Graph& g, const Tensor& x) {
               const Tensor y = dense(x);
               return exp(y) + y * row(g);
             }) == "add(exp(matmul(x, constant)), mul(matmul(x, constant), constant))");
  BOOST_TEST(folded({3, 4}, [&](Graph& g, const Tensor& x) {
               const Tensor y = dense(x) + 1;
               return exp(y) + y * row(g);
             }) == "add(exp(add(matmul(x, constant), 1)), mul(add(matmul(x, constant), 1), constant))");
}

BOOST_AUTO_TEST_CASE(what_does_not_belong_to_a_channel_stays) {
  const auto dense = [](const Tensor& x) { return nn::dense(x, 5, {.bias = false}); };
  BOOST_TEST(folded({5, 4}, [&](Graph& g, const Tensor& x) {
               return dense(x) * g.parameter("s", {5, 1});
             }) == "mul(matmul(x, constant), constant)");
  BOOST_TEST(folded({5, 4}, [&](Graph& g, const Tensor& x) {
               return dense(x) * g.parameter("s", {5, 5});
             }) == "mul(matmul(x, constant), constant)");
  BOOST_TEST(folded({3, 4}, [&](Graph& g, const Tensor& x) { return dense(x) * g.input("s", {5}); }) ==
             "mul(matmul(x, constant), s)");
  BOOST_TEST(folded({3, 4}, [&](Graph& g, const Tensor& x) {
               return matmul(g.parameter("w", {5, 3}), x) * g.parameter("s", {4});
             }) == "mul(matmul(constant, x), constant)");
}

BOOST_AUTO_TEST_CASE(weights_stay_finite) {
  for (const float last : {3e30F, 3e4F}) {
    Graph g;
    const Tensor x = g.input("x", {3, 4}), w = g.parameter("w", {4, 5}), s = g.parameter("s", {5});
    Array weights({4, 5}), scale({5});
    for (float& element : weights.data<float>()) element = 3e30F;
    for (float& element : scale.data<float>()) element = 2;
    scale.data<float>()[4] = last;
    State state;
    state.set("w", weights);
    state.set("s", scale);
    const Module module = bake_constants(Rewriter(g, std::vector{matmul(x, w) * s}, {}).run(), state);
    BOOST_TEST(test::formula(fold(module).outputs[0]) ==
               (last > 1e10F ? "mul(matmul(x, 2.999999894026671e+30), constant)" : "matmul(x, constant)"));
  }
}

BOOST_AUTO_TEST_CASE(only_programs_for_inference_with_constants_fold) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 6, 6, 16});
  const Tensor y = relu(nn::batch_norm(nn::conv(x, 16, {3}, {.bias = false})));
  const State state = random_state(g);
  const std::vector<SymbolBinding> sizes{{"batch", 2}};
  const auto explained = [&](const CompileOptions& options) { return compile(options).explain(sizes); };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  const std::string baked = explained({.outputs = {y}, .mode = Mode::inference, .constants = &state});
  BOOST_TEST(has(baked, " region(convolution, add, relu) "));
  const std::string free = explained({.outputs = {y}, .mode = Mode::inference});
  BOOST_TEST(!has(free, "---- fold"));
  BOOST_TEST(has(free, " region(convolution, mul, add, relu) "));
  BOOST_TEST(!has(explained({.outputs = {y}, .mode = Mode::training, .constants = &state}), "---- fold"));
}

BOOST_AUTO_TEST_SUITE_END()
