// What follows a convolution runs on parts of its result while they are in the cache: the same bits as its nodes one by
// one, on every instruction set, and each array moves once.
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/ops/activations.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/convolution.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/where.hpp>
#include <gradloom/runtime/program.hpp>
#include <gradloom/runtime/trace.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

using namespace gradloom;

namespace {

template <class T>
void fill(const Array& array, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<double> in(-1, 1);
  for (T& element : array.data<T>()) element = static_cast<T>(in(engine));
}

Batch random_inputs(const Graph& graph) {
  Batch inputs;
  uint64_t seed = 1;
  for (const Tensor& input : graph.inputs()) {
    const Array array(input.shape().sizes(), input.dtype());
    input.dtype() == DType::f64 ? fill<double>(array, seed++) : fill<float>(array, seed++);
    inputs.set(input.name(), array);
  }
  return inputs;
}

struct Traced {
  std::vector<Array> results;
  std::vector<KernelStats> kernels;
};

Traced run(const std::vector<Tensor>& outputs, Isa isa, std::vector<std::string> without, int threads) {
  const Program program = compile({.outputs = outputs, .isa = to_string(isa), .without_passes = std::move(without)});
  State state;
  Trace trace;
  Traced traced;
  traced.results =
      program.run(Executor{{.threads = threads}}, state, random_inputs(outputs[0].graph()), {.trace = &trace});
  traced.kernels = program.stats().traced;
  return traced;
}

/// Compares fused, on two threads, with one node after the other.
void check_fusion(const std::vector<Tensor>& outputs) {
  for (const Isa isa : supported_isas()) {
    const Traced one_by_one = run(outputs, isa, {"fuse"}, 1), fused = run(outputs, isa, {}, 2);
    for (size_t i = 0; i < fused.results.size(); ++i) {
      BOOST_TEST(same_bits(one_by_one.results[i], fused.results[i]), to_string(isa) << ", output " << i);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_convolution_region)

BOOST_AUTO_TEST_CASE(what_follows_a_convolution) {
  struct Case {
    Shape x, w;
    ConvolutionOptions options;
  };
  const std::vector<Case> cases = {
      {{2, 7, 7, 5}, {3, 3, 5, 17}, {.padding = Pad::same}},
      {{2, 7, 7, 5}, {3, 3, 5, 9}, {.padding = Pad::same}},
      {{2, 9, 8, 12}, {3, 3, 1, 12}, {.padding = Pad::same, .groups = 12}},
      {{3, 12, 12, 64}, {3, 3, 64, 8}, {.padding = Pad::same}},
      {{1, 13, 12, 16}, {3, 3, 16, 40}, {.strides = {2}, .padding = 1}},
      {{3, 30, 3}, {5, 3, 16}, {.dilations = {2}}},
      {{1, 9, 9, 600}, {1, 1, 600, 24}, {.strides = {2}}},
      {{2, 8, 9, 64}, {3, 3, 32, 32}, {.padding = Pad::same, .groups = 2}},
      {{2, 9, 8, 33}, {3, 3, 1, 33}, {.padding = Pad::same, .groups = 33}},
      {{1, 19, 12, 160}, {3, 3, 1, 160}, {.padding = Pad::same, .groups = 160}},
      {{2, 14, 14, 288}, {3, 3, 1, 288}, {.padding = Pad::same, .groups = 288}},
      {{1, 5, 300, 24}, {3, 3, 1, 24}, {.padding = Pad::same, .groups = 24}},
      {{1, 6, 90, 40}, {3, 3, 1, 40}, {.padding = 2, .groups = 40}},
      {{1, 11, 12, 48}, {7, 7, 1, 48}, {.padding = Pad::same, .groups = 48}},
      {{2, 9, 12, 16}, {5, 3, 1, 16}, {.strides = {2}, .padding = 1, .groups = 16}},
      {{1, 5, 6, 7, 4}, {3, 3, 3, 4, 16}, {.padding = Pad::same}},
  };
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const Case& c : cases) {
      BOOST_TEST_CONTEXT(to_string(dtype) << " " << c.x.to_string() << " * " << c.w.to_string()) {
        Graph g;
        const Tensor x = g.input("x", c.x, dtype), w = g.input("w", c.w, dtype);
        const Tensor bias = g.input("bias", {c.w[-1]}, dtype);
        const Tensor z = convolution(x, w, c.options) + bias;
        const Tensor beside = g.input("beside", z.shape(), dtype);
        const Tensor y = where(greater(z, beside), tanh(z), beside * z);
        std::vector<Tensor> outputs = gradients(y, {x, w, bias}, beside);
        outputs.insert(outputs.end(), {y, z, greater(z, beside)});
        check_fusion(outputs);
        check_fusion({relu(z)});
        std::vector<Dim> positions = z.shape().dims();
        positions.back() = 1;
        check_fusion({z * g.input("scale", Shape(positions), dtype)});  // a number for each position
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(explain_tells_the_algorithm) {
  const auto tasks = [](const Shape& x, const Shape& weights, ConvolutionOptions options, bool fast = true) {
    Graph g;
    const Tensor y = relu(convolution(g.input("x", x), g.input("w", weights), options));
    const std::string text = compile({.outputs = {y}, .fast_convolution = fast}).explain();
    return text.substr(text.find("---- tasks"));
  };
  const auto has = [](const std::string& text, const std::string& remark) {
    return text.find("       " + remark + "\n") != std::string::npos;
  };
  const Shape x{4, 32, 32, 32}, w{3, 3, 32, 32};
  BOOST_TEST(has(tasks(x, w, {.padding = Pad::same}), "Winograd F(4x4, 3x3)"));
  BOOST_TEST(has(tasks(x, w, {.padding = Pad::same}, false), "implicit GEMM over 9 taps"));
  BOOST_TEST(has(tasks(x, {1, 1, 32, 16}, {.strides = {2}}), "a product"));
  BOOST_TEST(has(tasks(x, {3, 3, 1, 32}, {.groups = 32}), "depthwise: every channel by itself"));
  BOOST_TEST(
      has(tasks({4, 32, 32, 3}, {3, 3, 3, 16}, {}), "implicit GEMM, the windows of few channels copied for each tile"));
}

// conv -> swoosh -> conv + residual, forward and backward.
BOOST_AUTO_TEST_CASE(a_block_is_products) {
  constexpr int64_t batch = 4, side = 12, channels = 32;
  Graph g;
  const Tensor x = g.input("x", {batch, side, side, channels}), dy = g.input("dy", x.shape());
  const Tensor w1 = g.input("w1", {3, 3, channels, channels}), w2 = g.input("w2", w1.shape());
  const Tensor b1 = g.input("b1", {channels}), b2 = g.input("b2", {channels});
  const auto swoosh = [](const Tensor& z) { return z * tanh(softplus(z)); };
  const Tensor h = swoosh(convolution(x, w1, {.padding = Pad::same}) + b1);
  const Tensor y = convolution(h, w2, {.padding = Pad::same}) + b2 + x;
  std::vector<Tensor> outputs = gradients(y, {x, w1, w2, b1, b2}, dy);
  outputs.push_back(y);
  check_fusion(outputs);
  const Traced traced = run(outputs, supported_isas().back(), {}, 2);
  int64_t read = 0, written = 0;
  int convolutions = 0;
  for (const KernelStats& kernel : traced.kernels) {
    const bool is_convolution = kernel.kernel.find("convolution") != std::string::npos;
    // Nothing else but the sum over dy, which no convolution makes.
    BOOST_TEST((is_convolution || kernel.kernel == "sum"), kernel.kernel);
    convolutions += is_convolution ? 1 : 0;
    if (!is_convolution) continue;
    read += kernel.bytes_read;
    written += kernel.bytes_written;
  }
  BOOST_TEST(convolutions >= 3);  // equal kernels share a line
  // z = conv(x, w1) + b1 is kept for the gradient, h; y; dz = dh f'(z) with the sums for b1; dx + dy; dw1 and dw2.
  constexpr double size = batch * side * side * channels, weights = 9 * channels * channels;
  const double expected_read =
      4 * ((size + weights) + (2 * size + weights) + (2 * size + weights) + (2 * size + weights) + 2 * (2 * size));
  const double expected_written = 4 * (2 * size + size + size + size + 2 * weights + channels);
  BOOST_TEST(static_cast<double>(read) == expected_read, boost::test_tools::tolerance(0.01));
  BOOST_TEST(static_cast<double>(written) == expected_written, boost::test_tools::tolerance(0.01));
}

BOOST_AUTO_TEST_SUITE_END()
