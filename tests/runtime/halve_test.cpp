// Products of bf16 (CompileOptions::storage on a CPU that multiplies it): against the same sums term by term.
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/nn/gradloom.hpp>
#include <gradloom/ops/bf16_pair_internal.hpp>
#include <gradloom/ops/gemm.hpp>
#include <gradloom/ops/packed_product_internal.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <vector>

using namespace gradloom;

namespace {

boost::test_tools::assertion_result has_bf16(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(multiplies_bf16(default_isa()));
  if (!result) result.message() << "this CPU has no AVX512_BF16";
  return result;
}

Array random_array(const std::vector<int64_t>& sizes, uint64_t seed, DType dtype = DType::f32) {
  Array array(sizes, dtype);
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<float> in(-2, 2);
  if (dtype == DType::bf16) {
    for (BFloat16& x : array.data<BFloat16>()) x = BFloat16(in(engine));
  } else {
    for (float& x : array.data<float>()) x = in(engine);
  }
  return array;
}

std::vector<float> rounded(const Array& x) {
  std::vector<float> values;
  if (x.dtype() == DType::bf16) {
    for (const BFloat16 value : x.data<const BFloat16>()) values.push_back(value);
  } else {
    for (const float value : x.data<const float>()) values.push_back(BFloat16(value));
  }
  return values;
}

/// As the CPU does it: of each pair the second term first, in chunks of k that are as long as those of f32 in pairs.
Array product(const Array& a, const Array& b, int64_t m, int64_t n, int64_t k, const MatmulOptions& options) {
  const std::vector<float> x = rounded(a), y = rounded(b);
  const auto at_x = [&](int64_t i, int64_t p) {
    return p < k ? x[static_cast<size_t>(options.transpose_a ? p * m + i : i * k + p)] : 0.0F;
  };
  const auto at_y = [&](int64_t p, int64_t j) {
    return p < k ? y[static_cast<size_t>(options.transpose_b ? j * k + p : p * n + j)] : 0.0F;
  };
  const Array c({m, n});
  const int64_t pairs = pairs_for(k);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      float total = 0;
      for (int64_t chunk = 0; chunk < gemm_chunks(pairs); ++chunk) {
        const GemmRange range = gemm_chunk_range(pairs, chunk);
        float sum = 0;
        for (int64_t p = range.begin; p < range.begin + range.size; ++p) {
          sum = std::fma(at_x(i, 2 * p + 1), at_y(2 * p + 1, j), sum);
          sum = std::fma(at_x(i, 2 * p), at_y(2 * p, j), sum);
        }
        total = chunk == 0 ? sum : total + sum;
      }
      c.at<float>({i, j}) = total;
    }
  }
  return c;
}

double max_abs(const Array& x) {
  double most = 0;
  for (const float value : x.data<const float>()) most = std::max(most, std::abs(static_cast<double>(value)));
  return most;
}

int64_t count_of(const std::string& text, const std::string& what) {
  int64_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

/// The graph that is planned, without the bodies of its regions.
std::string last_graph(const std::string& explained) {
  const size_t fuse = explained.rfind("---- fuse"), narrow = explained.rfind("---- narrow");
  const size_t begin = narrow == std::string::npos ? fuse : narrow;
  std::istringstream graph(explained.substr(begin, explained.find("\n}", begin) - begin));
  std::string kept;
  for (std::string line; std::getline(graph, line);) {
    if (line.rfind("  %", 0) == 0 || line.rfind("  }", 0) == 0) kept += line + "\n";
  }
  return kept;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_halve)

BOOST_AUTO_TEST_CASE(products_have_the_bits_of_sums_term_by_term, *boost::unit_test::precondition(has_bf16)) {
  struct Sizes {
    int64_t m, n, k;
  };
  // Tiles and panels that are full or not, an odd k, two and three chunks of k, several blocks.
  for (const auto& [m, n, k] : {Sizes{32, 32, 32},
                                {33, 47, 33},
                                {61, 130, 64},
                                {100, 49, 1025},
                                {130, 33, 2500},
                                {300, 500, 40},
                                {40, 1000, 100},
                                {1, 50, 70},
                                {5, 33, 1100}}) {
    for (const bool transpose_a : {false, true}) {
      for (const bool transpose_b : {false, true}) {
        for (const DType dtype : {DType::f32, DType::bf16}) {
          BOOST_TEST_CONTEXT(m << "x" << n << "x" << k << (transpose_a ? " A^T" : "") << (transpose_b ? " B^T" : "")
                               << " of " << to_string(dtype)) {
            const MatmulOptions options{.transpose_a = transpose_a, .transpose_b = transpose_b};
            const std::vector<int64_t> a_sizes = transpose_a ? std::vector{k, m} : std::vector{m, k};
            const std::vector<int64_t> b_sizes = transpose_b ? std::vector{n, k} : std::vector{k, n};
            Graph g;
            const Tensor a = g.input("a", Shape(std::vector<Dim>(a_sizes.begin(), a_sizes.end())), dtype);
            const Tensor b = g.parameter("b", Shape(std::vector<Dim>(b_sizes.begin(), b_sizes.end())), {},
                                         {.dtype = dtype, .trainable = false});
            const Tensor c = matmul(a, b, options);
            State state;
            state.set("b", random_array(b_sizes, 1, dtype));
            const Batch inputs{{"a", random_array(a_sizes, 2, dtype)}};
            const Array expected = product(*inputs.find("a"), state.get("b"), m, n, k, options);
            for (const bool constant : {false, true}) {
              if (!constant && m < 32) continue;  // is f32
              const Program program =
                  compile({.outputs = {c}, .constants = constant ? &state : nullptr, .storage = DType::bf16});
              for (const int threads : {1, 3})
                BOOST_TEST(same_bits(program.run(Executor{{.threads = threads}}, state, inputs)[0], expected));
              BOOST_TEST(count_of(last_graph(program.explain()), "paired_matmul(") == 1);
              BOOST_TEST(count_of(last_graph(program.explain()), "pair_panels(") == (constant ? 0 : 1));
            }
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(nan_and_infinity_propagate_and_what_is_too_large_becomes_infinite,
                     *boost::unit_test::precondition(has_bf16)) {
  Graph g;
  const Tensor a = g.input("a", {32, 32}), b = g.input("b", {32, 32});
  const Program program = compile({.outputs = {matmul(a, b)}, .storage = DType::bf16});
  const Array x({32, 32}), ones({32, 32});
  for (float& value : ones.data<float>()) value = 1;
  x.at<float>({0, 3}) = std::numeric_limits<float>::quiet_NaN();
  x.at<float>({1, 4}) = -std::numeric_limits<float>::infinity();
  x.at<float>({2, 5}) = std::numeric_limits<float>::max();
  State state;
  const Array c = program.run(state, {{"a", x}, {"b", ones}})[0];
  for (int64_t j = 0; j < 32; ++j) {
    BOOST_TEST(std::isnan(c.at<float>({0, j})));
    BOOST_TEST(c.at<float>({1, j}) == -std::numeric_limits<float>::infinity());
    BOOST_TEST(c.at<float>({2, j}) == std::numeric_limits<float>::infinity());
    BOOST_TEST(c.at<float>({3, j}) == 0);
  }
}

// Two hidden layers and the gradients by what they add up: nothing of f32 is stored, and each of the four once.
BOOST_AUTO_TEST_CASE(values_between_layers_are_stored_once_and_as_bf16, *boost::unit_test::precondition(has_bf16)) {
  Graph g;
  Tensor h = g.input("x", {128, 64});
  for (int i = 0; i < 2; ++i) h = relu(nn::dense(h, 96), {.derivative_at_zero = 0});
  const Tensor loss = mean(square(nn::dense(h, 32)));
  const Program step = compile(
      {.outputs = {loss}, .updates = nn::gradient_descent(loss, {.learning_rate = 0.1}), .storage = DType::bf16});
  const std::string graph = last_graph(step.explain());
  BOOST_TEST(count_of(graph, "= paired_matmul(") == 0);  // each has its epilogue
  BOOST_TEST(count_of(graph, " f32[128, 96]") == 0);
  BOOST_TEST(count_of(graph, "bf16[128, 96]") == 4);
  State state;
  const Batch inputs{{"x", random_array({128, 64}, 3)}};
  const float first = step.run(state, inputs)[0].item<float>();
  float last = first;
  for (int i = 0; i < 20; ++i) last = step.run(state, inputs)[0].item<float>();
  BOOST_TEST(last < 0.5F * first);
}

// The recurrent weights are paired before the loop, and what meets them is rounded in the product.
BOOST_AUTO_TEST_CASE(products_in_loops_have_the_bits_of_any_others, *boost::unit_test::precondition(has_bf16)) {
  Graph g;
  const Tensor x = g.input("x", {40, 9, 33}), h = nn::lstm(x, 70).outputs, loss = mean(square(h));
  std::vector<Tensor> outputs{h};
  const std::vector<Tensor> slopes = gradients(loss, g.parameters());
  outputs.insert(outputs.end(), slopes.begin(), slopes.end());
  State state;
  const Batch inputs{{"x", random_array({40, 9, 33}, 4)}};
  const auto run = [&](DType storage, std::vector<std::string> without, int threads = 1) {
    const Program program = compile({.outputs = outputs, .storage = storage, .without_passes = std::move(without)});
    const auto got = program.run(Executor{{.threads = threads}}, state, inputs);
    return std::pair(got, program.explain());
  };
  const auto wide = run(DType::f32, {}).first;
  const auto [halved, text] = run(DType::bf16, {"narrow"});
  const size_t scan = text.find("= scan(", text.rfind("---- pack"));
  BOOST_TEST(text.substr(scan, text.find("\n  }}", scan) - scan).find("paired_matmul(") != std::string::npos);
  for (size_t i = 0; i < outputs.size(); ++i) BOOST_TEST(all_close(halved[i], wide[i], 0.02, 0.02 * max_abs(wide[i])));
  for (const int threads : {1, 3}) {
    for (const bool fused : {false, true}) {
      const auto again =
          run(DType::bf16, fused ? std::vector<std::string>{"narrow"} : std::vector<std::string>{"narrow", "fuse"},
              threads);
      for (size_t i = 0; i < outputs.size(); ++i) BOOST_TEST(same_bits(again.first[i], halved[i]));
    }
  }
}

BOOST_AUTO_TEST_CASE(other_products_stay_f32) {
  Graph g;
  const Tensor x = g.input("x", {31, 64}), tall = g.input("tall", {64, 64}), batches = g.input("batches", {2, 64, 64}),
               wide = g.input("wide", {64, 64}, DType::f64);
  const std::vector<Tensor> few{matmul(x, tall), matmul(batches, batches), matmul(wide, wide),
                                matmul(tall, slice(tall, 1, {0, 31}))};
  BOOST_TEST(compile({.outputs = few, .storage = DType::bf16}).explain().find("paired_matmul") == std::string::npos);
  const std::vector<Tensor> one{matmul(tall, tall)};
  for (const Isa isa : supported_isas()) {
    const Program program = compile({.outputs = one, .isa = to_string(isa), .storage = DType::bf16});
    BOOST_TEST((program.explain().find("paired_matmul") != std::string::npos) == multiplies_bf16(isa));
  }
  BOOST_TEST(compile({.outputs = one}).explain().find("paired_matmul") == std::string::npos);
  BOOST_TEST(
      compile({.outputs = one, .storage = DType::bf16, .without_passes = {"halve"}}).explain().find("paired_matmul") ==
      std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
