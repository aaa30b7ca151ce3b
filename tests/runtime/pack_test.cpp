// Weights that are packed once: the bits are those of weights that each product packs for itself.
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/runtime/program.hpp>
#include <gradloom/runtime/trace.hpp>

#include <boost/test/unit_test.hpp>
#include <malloc.h>

#include <random>

using namespace gradloom;

namespace {

template <class T>
Array random_array(const std::vector<int64_t>& sizes, uint64_t seed) {
  Array array(sizes, dtype_of<T>);
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<double> in(-2, 2);
  for (T& element : array.data<T>()) element = static_cast<T>(in(engine));
  return array;
}

template <class T>
void check_packed(int64_t m, int64_t k, int64_t n, bool transpose) {
  Graph g;
  const Tensor x = g.input("x", {m, k}, dtype_of<T>), bias = g.input("bias", {n}, dtype_of<T>);
  const Shape shape = transpose ? Shape{n, k} : Shape{k, n};
  const Tensor w = g.parameter("w", shape, {}, {.dtype = dtype_of<T>}),
               v = g.parameter("v", {n, 40}, {}, {.dtype = dtype_of<T>});
  const Tensor z = matmul(x, w, {.transpose_b = transpose});
  const Tensor h = relu(z + bias);
  const std::vector<Tensor> outputs{z, h, matmul(h, v), sum(h, {.axes = {0}})};
  State state;
  state.set("w", random_array<T>(shape.sizes(), 1));
  state.set("v", random_array<T>({n, 40}, 2));
  const Batch inputs{{"x", random_array<T>({m, k}, 3)}, {"bias", random_array<T>({n}, 4)}};
  const Executor executor{{.threads = 2}};
  for (const Isa isa : supported_isas()) {
    const auto run = [&](std::vector<std::string> without) {
      const Program program = compile(
          {.outputs = outputs, .isa = to_string(isa), .constants = &state, .without_passes = std::move(without)});
      const std::string text = program.explain(), name = "= packed_matmul(";
      const size_t begin = text.find("---- pack\n");
      const std::string graph =
          begin == std::string::npos ? "" : text.substr(begin, text.find("\n---- ", begin) - begin);
      int packed = 0;
      for (size_t at = graph.find(name); at != std::string::npos; at = graph.find(name, at + 1)) ++packed;
      return std::pair(program.run(executor, State(), inputs), packed);
    };
    const auto [expected, never] = run({"pack"});
    BOOST_TEST(never == 0);
    for (const bool fused : {true, false}) {
      const auto [packed, once] = run(fused ? std::vector<std::string>{} : std::vector<std::string>{"fuse"});
      BOOST_TEST(once == (m > 512 ? 0 : transpose && m <= 4 ? 1 : 2));  // in lanes as the weights lie
      for (size_t i = 0; i < outputs.size(); ++i) {
        BOOST_TEST(same_bits(expected[i], packed[i]), to_string(isa)
                                                          << " " << m << "x" << k << "x" << n
                                                          << (transpose ? " transposed" : "") << ", output " << i);
      }
    }
  }
}

/// A cell's gates: two products with x and two with h, of which two sums leave.
template <class T>
void check_gates(int64_t m, int64_t k, int64_t n) {
  Graph g;
  const Tensor x = g.input("x", {m, k}, dtype_of<T>), h = g.input("h", {m, k}, dtype_of<T>),
               c = g.input("c", {m, n}, dtype_of<T>), bias = g.input("bias", {n}, dtype_of<T>);
  State state;
  std::vector<Tensor> products;
  for (const char* name : {"w1", "w2", "w3", "w4"}) {
    const Tensor w = g.parameter(name, {k, n}, {}, {.dtype = dtype_of<T>});
    state.set(name, random_array<T>({k, n}, products.size()));
    products.push_back(matmul(products.size() < 2 ? x : h, w));
  }
  const Tensor gate = relu(products[0] + products[2] + bias), made = products[1] * c + products[3] * gate;
  const std::vector<Tensor> outputs{made, gate, products[1], sum(products[2], {.axes = {0}})};
  const Batch inputs{{"x", random_array<T>({m, k}, 5)},
                     {"h", random_array<T>({m, k}, 6)},
                     {"c", random_array<T>({m, n}, 7)},
                     {"bias", random_array<T>({n}, 8)}};
  const Executor executor{{.threads = 2}};
  for (const Isa isa : supported_isas()) {
    const auto run = [&](std::vector<std::string> without) {
      const Program program = compile(
          {.outputs = outputs, .isa = to_string(isa), .constants = &state, .without_passes = std::move(without)});
      Trace trace;
      State none;
      std::vector<Array> results = program.run(executor, none, inputs, {.trace = &trace});
      return std::pair(std::move(results), program.stats().traced);
    };
    const auto [expected, many] = run({"fuse"});
    const auto [results, kernels] = run({});
    for (size_t i = 0; i < outputs.size(); ++i)
      BOOST_TEST(same_bits(expected[i], results[i]), to_string(isa) << " " << m << "x" << k << "x" << n << ", " << i);
    BOOST_TEST_REQUIRE(kernels.size() == 1);
    // Each operand and result once.
    const double size = sizeof(T);
    BOOST_TEST(static_cast<double>(kernels[0].bytes_read) == size * static_cast<double>(2 * m * k + 4 * k * n + m * n),
               boost::test_tools::tolerance(0.05));
    BOOST_TEST(static_cast<double>(kernels[0].bytes_written) == size * static_cast<double>(3 * m * n),
               boost::test_tools::tolerance(0.05));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_pack)

BOOST_AUTO_TEST_CASE(constant_weights_are_packed_once) {
  for (const bool transpose : {false, true}) {
    check_packed<float>(8, 16, 16, transpose);
    check_packed<float>(13, 700, 50, transpose);
    check_packed<float>(50, 64, 161, transpose);
    check_packed<float>(512, 1100, 97, transpose);
    check_packed<double>(33, 600, 41, transpose);
    check_packed<double>(64, 32, 144, transpose);
    for (const int64_t few : {1, 2, 3, 4, 5, 7}) check_packed<float>(few, 600, 66, transpose);
    check_packed<double>(3, 64, 32, transpose);
    check_packed<float>(513, 32, 32, transpose);
  }
}

BOOST_AUTO_TEST_CASE(products_of_one_shape_are_one_kernel) {
  check_gates<float>(32, 256, 256);
  check_gates<float>(37, 64, 100);
  check_gates<float>(16, 600, 48);  // in two chunks along k
  check_gates<float>(300, 32, 161);
  check_gates<double>(33, 700, 40);
  check_gates<double>(64, 24, 144);
}

#ifndef GRADLOOM_SANITIZED  // whose memory is not malloc's
BOOST_AUTO_TEST_CASE(constant_weights_are_kept_once) {
  const auto in_use = [] {
    const struct mallinfo2 info = mallinfo2();
    return static_cast<int64_t>(info.uordblks + info.hblkhd);
  };
  constexpr int64_t n = 1024, bytes = 3 * 4 * n * n;
  for (const bool symbolic : {false, true}) {
    Graph g;
    const Dim batch = symbolic ? Dim("batch") : Dim(4);
    Tensor h = g.input("x", {batch, n});
    State weights;
    for (const char* name : {"u", "v", "w"}) {
      h = matmul(h, g.parameter(name, {n, n}));
      weights.set(name, random_array<float>({n, n}, 1));
    }
    State none;
    const int64_t before = in_use();
    const Program program = compile({.outputs = {h}, .mode = Mode::inference, .constants = &weights});
    const Batch inputs{{"x", random_array<float>({4, n}, 2)}};
    (void)program.run(none, inputs);
    // As the Program runs with them, and where another batch size may come, as they were.
    BOOST_TEST(in_use() - before < (symbolic ? 9 : 5) * bytes / 4);
    (void)program.run(none, inputs);
    if (symbolic) (void)program.run(none, {{"x", random_array<float>({5, n}, 3)}});
  }
}
#endif

BOOST_AUTO_TEST_SUITE_END()
