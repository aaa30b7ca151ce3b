// Winograd's convolution: chosen by shape, reported, switched off, never in double, and how large its error is.
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/ops/activations.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/convolution.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/runtime/program.hpp>
#include <gradloom/runtime/trace.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>
#include <string_view>

using namespace gradloom;

namespace {

/// Of the outputs of Made.
constexpr std::array kinds{", forward: ", ", data: ", ", weights: "};

/// The same numbers in either dtype: uniform in [-1, 1), weights as an initialiser would draw them.
Batch random_inputs(const Graph& graph) {
  Batch inputs;
  uint64_t seed = 1;
  for (const Tensor& input : graph.inputs()) {
    const Array array(input.shape().sizes(), input.dtype());
    std::mt19937_64 engine(seed++);
    const bool is_weight = input.name() == "w";
    const double terms = is_weight ? static_cast<double>((input.dim(0) * input.dim(1) * input.dim(2)).value()) : 1;
    const double bound = is_weight ? std::sqrt(6.0 / terms) : 1;
    std::uniform_real_distribution<float> in(static_cast<float>(-bound), static_cast<float>(bound));
    if (input.dtype() == DType::f64) {
      for (double& element : array.data<double>()) element = in(engine);
    } else {
      for (float& element : array.data<float>()) element = in(engine);
    }
    inputs.set(input.name(), array);
  }
  return inputs;
}

struct Layer {
  int64_t batch, height, width, in, out;
  Padding padding = 1;
  int64_t kernel = 3;
};

/// The convolution and its gradients, by its data and by its weights.
struct Made {
  Graph graph;
  std::vector<Tensor> outputs;

  Made(const Layer& layer, DType dtype) {
    const Tensor x = graph.input("x", {layer.batch, layer.height, layer.width, layer.in}, dtype);
    const Tensor w = graph.input("w", {layer.kernel, layer.kernel, layer.in, layer.out}, dtype);
    const Tensor y = convolution(x, w, {.padding = layer.padding});
    outputs = gradients(y, {x, w}, graph.input("dy", y.shape(), dtype));
    outputs.insert(outputs.begin(), y);
  }
};

bool says(const Program& program, std::string_view text) { return program.explain().find(text) != std::string::npos; }
bool says_winograd(const Program& program) { return says(program, "algorithm = \"winograd\""); }
/// Is it among the ways in which the gradient of weights, or what else there is, runs?
bool says_of_weights(const Program& program) {
  return says(program, "Winograd F(3x3, 4x4)") || says(program, "Winograd F(5x5, 2x2)");
}
bool says_of_others(const Program& program) {
  return says(program, "Winograd F(4x4, 3x3)") || says(program, "Winograd F(2x2, 5x5)");
}

std::vector<Array> run(const Made& made, Isa isa, bool fast, int threads = 2) {
  const Program program = compile({.outputs = made.outputs, .isa = to_string(isa), .fast_convolution = fast});
  State state;
  std::vector<Array> results = program.run(Executor{{.threads = threads}}, state, random_inputs(made.graph));
  BOOST_TEST(says_of_others(program) == fast);
  BOOST_TEST(says_of_weights(program) == fast);
  return results;
}

/// The largest difference, as a part of the largest element.
double error(const Array& found, const Array& exact) {
  double largest = 0, difference = 0;
  const std::span<const float> x = found.data<float>();
  const std::span<const double> y = exact.data<double>();
  for (size_t i = 0; i < y.size(); ++i) {
    largest = std::max(largest, std::abs(y[i]));
    difference = std::max(difference, std::abs(static_cast<double>(x[i]) - y[i]));
  }
  return difference / largest;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_winograd)

BOOST_AUTO_TEST_CASE(is_near_the_exact_result) {
  const std::vector<Layer> layers = {{8, 32, 32, 16, 16},
                                     {8, 16, 16, 32, 32},
                                     {8, 8, 8, 64, 64},
                                     {1, 28, 28, 128, 128},
                                     {2, 14, 14, 256, 256},
                                     {2, 9, 13, 16, 48, 0},
                                     {3, 7, 6, 48, 32, {2, 0}},
                                     {1, 17, 30, 528, 16},
                                     {5, 11, 5, 32, 80, Padding::sides({0, 1}, {1, 2})},
                                     {8, 14, 14, 32, 64, 2, 5},
                                     {2, 15, 28, 64, 64, 2, 5},
                                     {2, 10, 14, 16, 48, 0, 5},
                                     {3, 8, 6, 48, 32, {3, 1}, 5},
                                     {5, 11, 7, 32, 80, Padding::sides({0, 3}, {4, 1}), 5}};
  for (const Layer& layer : layers) {
    const Made floats(layer, DType::f32), doubles(layer, DType::f64);
    const Program exact_program = compile({.outputs = doubles.outputs});
    State state;
    const std::vector<Array> exact = exact_program.run(state, random_inputs(doubles.graph));
    BOOST_TEST(!says_winograd(exact_program), "in double");
    for (const Isa isa : supported_isas()) {
      const std::vector<Array> fast = run(floats, isa, true), direct = run(floats, isa, false);
      for (size_t i = 0; i < exact.size(); ++i) {
        BOOST_TEST_CONTEXT(layer.height << "x" << layer.width << ", " << layer.in << " to " << layer.out << ", kernel "
                                        << layer.kernel << ", " << to_string(isa) << ", " << i) {
          BOOST_TEST_MESSAGE(layer.height << "x" << layer.width << ", " << layer.in << " to " << layer.out
                                          << ", kernel " << layer.kernel << ", " << to_string(isa) << kinds[i]
                                          << error(fast[i], exact[i]) << ", direct " << error(direct[i], exact[i]));
          BOOST_TEST(error(fast[i], exact[i]) < 4e-6);
          BOOST_TEST(error(direct[i], exact[i]) < 1e-6);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(has_the_same_bits_on_any_number_of_threads) {
  for (const int64_t kernel : {3, 5}) {
    const Made made({3, 30, 22, 16, 32, 1, kernel}, DType::f32);
    const std::vector<Array> one = run(made, supported_isas().back(), true, 1),
                             three = run(made, supported_isas().back(), true, 3);
    for (size_t i = 0; i < one.size(); ++i) BOOST_TEST(same_bits(one[i], three[i]));
  }
}

// Sums of columns, in groups of 16 rows that end where no row of tiles does.
BOOST_AUTO_TEST_CASE(has_the_same_bits_fused_or_not) {
  for (const Layer& layer :
       {Layer{6, 14, 14, 32, 32}, Layer{5, 7, 9, 16, 48}, Layer{1, 50, 33, 16, 24}, Layer{4, 14, 14, 32, 64, 2, 5}}) {
    Graph g;
    const Tensor x = g.input("x", {layer.batch, layer.height, layer.width, layer.in}),
                 w = g.input("w", {layer.kernel, layer.kernel, layer.in, layer.out});
    const Tensor y = gelu(convolution(x, w, {.padding = Pad::same}) + g.input("bias", {layer.out}));
    const std::vector<Tensor> outputs{y, sum(y, {.axes = {0, 1, 2}}), gradient(sum(y * y), x)};
    for (const Isa isa : supported_isas()) {
      const auto results = [&](std::vector<std::string> without, int threads) {
        const Program program =
            compile({.outputs = outputs, .isa = to_string(isa), .without_passes = std::move(without)});
        BOOST_TEST(says_winograd(program));
        State state;
        return program.run(Executor{{.threads = threads}}, state, random_inputs(g));
      };
      const std::vector<Array> one_by_one = results({"fuse"}, 1), fused = results({}, 2);
      for (size_t i = 0; i < fused.size(); ++i) BOOST_TEST(same_bits(one_by_one[i], fused[i]), to_string(isa) << i);
    }
  }
}

BOOST_AUTO_TEST_CASE(is_chosen_by_shape) {
  for (const bool of_weights : {false, true}) {
    const auto chosen = [&](const Layer& layer, const ConvolutionOptions& options, int64_t kernel = 3) {
      Graph g;
      const Tensor x = g.input("x", {layer.batch, layer.height, layer.width, layer.in}),
                   w = g.input("w", {kernel, kernel, layer.in / options.groups, layer.out});
      const Tensor y = convolution(x, w, options);
      const Program program = compile({.outputs = {of_weights ? gradient(y, w, g.input("dy", y.shape())) : y}});
      (void)program.specialize({});
      const bool says = of_weights ? says_of_weights(program) : says_of_others(program);
      BOOST_TEST(says_winograd(program) == says);
      return says;
    };
    BOOST_TEST_CONTEXT((of_weights ? "gradient of weights" : "forward")) {
      const Layer layer{8, 32, 32, 32, 32};
      BOOST_TEST(chosen(layer, {}));
      BOOST_TEST(!chosen(layer, {.strides = {2}}));
      BOOST_TEST(!chosen(layer, {.dilations = {2}}));
      BOOST_TEST(!chosen(layer, {.groups = 2}));
      BOOST_TEST(chosen(layer, {}, 5));
      BOOST_TEST(!chosen(layer, {}, 4));
      BOOST_TEST(!chosen(layer, {}, 7));
      BOOST_TEST(!chosen({8, 32, 32, 3, 32}, {}));
      BOOST_TEST(!chosen({8, 32, 32, 32, 8}, {}));
      BOOST_TEST(!chosen({1, 40, 200, 32, 32}, {}, 5));  // a row of tiles is more than a block
      BOOST_TEST(!chosen({1, 4, 4, 256, 256}, {}));      // the weights' transform would cost more than it saves
    }
  }
}

// Ranges of positions, parts of the channels and a last vector of columns that is not full.
BOOST_AUTO_TEST_CASE(gradients_of_weights_in_parts_are_near_the_exact_ones) {
  for (const Layer& layer : {Layer{2, 60, 61, 16, 16}, Layer{1, 24, 24, 272, 64}, Layer{3, 12, 70, 144, 41, 0},
                             Layer{2, 26, 70, 80, 33, 2, 5}}) {
    const Made floats(layer, DType::f32), doubles(layer, DType::f64);
    State state;
    const Array exact = compile({.outputs = {doubles.outputs[2]}}).run(state, random_inputs(doubles.graph)).front();
    for (const Isa isa : supported_isas()) {
      const Program program = compile({.outputs = {floats.outputs[2]}, .isa = to_string(isa)});
      const Array one = program.run(Executor{{.threads = 1}}, state, random_inputs(floats.graph)).front();
      BOOST_TEST(says_of_weights(program));
      BOOST_TEST(error(one, exact) < 4e-6, to_string(isa) << " " << layer.in << ": " << error(one, exact));
      const Array three = program.run(Executor{{.threads = 3}}, state, random_inputs(floats.graph)).front();
      BOOST_TEST(same_bits(one, three));
    }
  }
}

BOOST_AUTO_TEST_CASE(constant_weights_are_transformed_once) {
  Graph g;
  const Tensor x = g.input("x", {1, 8, 8, 32});
  Tensor y = x;
  State state;
  for (const char* const name : {"w1", "w2", "w3"}) {
    const int64_t kernel = name[1] == '3' ? 7 : name[1] == '2' ? 5 : 3;
    const Tensor w = g.parameter(name, {kernel, kernel, 32, 32});
    y = convolution(y, w, {.padding = Pad::same});
    if (name[1] == '2') y = relu(y);
    Array values(w.shape().sizes());
    std::minstd_rand engine(static_cast<unsigned>(name[1]));
    std::uniform_real_distribution<float> in(-0.1F, 0.1F);
    for (float& element : values.data<float>()) element = in(engine);
    state.set(name, values);
  }
  const auto run = [&](const State* constants, int64_t& calls) {
    const Program program = compile({.outputs = {y}, .mode = Mode::inference, .constants = constants});
    Trace trace;
    State own = state;
    const std::vector<Array> results = program.run(own, random_inputs(g), {.trace = &trace});
    BOOST_TEST(says_winograd(program));
    calls = 0;
    for (const KernelStats& kernel : program.stats().traced) calls += kernel.calls;
    return results.front();
  };
  int64_t calls = 0, calls_baked = 0;
  const Array result = run(nullptr, calls), baked = run(&state, calls_baked);
  BOOST_TEST(same_bits(result, baked));
  BOOST_TEST(calls_baked + 3 <= calls);  // each convolution packed its weights

  // A layer that transforms of weights would be too dear for.
  Graph deep;
  const Tensor z = convolution(deep.input("x", {1, 4, 4, 256}), deep.parameter("w", {3, 3, 256, 256}), {.padding = 1});
  State of_deep;
  of_deep.set("w", Array({3, 3, 256, 256}));
  const Program program = compile({.outputs = {z}, .constants = &of_deep});
  (void)program.specialize({});
  BOOST_TEST(says_winograd(program));
}

BOOST_AUTO_TEST_SUITE_END()
