// Fused regions give the bits of their nodes run one by one: along elements, along rows with reductions, and behind a
// matrix product; on every instruction set, at sizes around those of a block. And they move no more bytes than they
// must.
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/nn/dense.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/activations.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/layer_norm.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/softmax.hpp>
#include <gradloom/ops/where.hpp>
#include <gradloom/runtime/program.hpp>
#include <gradloom/runtime/trace.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

using namespace gradloom;

namespace {

template <class T>
Array random_array(std::vector<int64_t> sizes, uint64_t seed) {
  Array array(std::move(sizes), dtype_of<T>);
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<double> in(-2, 2);
  for (T& element : array.data<T>()) element = static_cast<T>(in(engine));
  return array;
}

Array random_array(const Tensor& input, uint64_t seed) {
  const std::vector<int64_t> sizes = input.shape().sizes();
  return input.dtype() == DType::f64 ? random_array<double>(sizes, seed) : random_array<float>(sizes, seed);
}

/// Runs with and without fusion on every instruction set, and compares bit by bit. Returns how many kernels the fused
/// Program runs.
size_t check_fusion(const std::vector<Tensor>& outputs) {
  Batch inputs;
  uint64_t seed = 1;
  for (const Tensor& input : outputs[0].graph().inputs()) inputs.set(input.name(), random_array(input, seed++));
  size_t kernels = 0;
  for (const Isa isa : supported_isas()) {
    const auto run = [&](std::vector<std::string> without) {
      const Program program =
          compile({.outputs = outputs, .isa = to_string(isa), .without_passes = std::move(without)});
      const Executor executor{{.threads = 2}};
      State state;
      Trace trace;
      std::vector<Array> results = program.run(executor, state, inputs, {.trace = &trace});
      kernels = program.stats().traced.size();
      return results;
    };
    const std::vector<Array> one_by_one = run({"fuse"}), fused = run({});
    for (size_t i = 0; i < fused.size(); ++i) {
      BOOST_TEST(same_bits(one_by_one[i], fused[i]), to_string(isa) << ", output " << i);
    }
  }
  return kernels;
}

const std::vector<int64_t> block_sizes = {1, 3, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000, 4095, 4096, 4097};

std::vector<Tensor> with_gradients(const Tensor& y, const std::vector<Tensor>& xs) {
  std::vector<Tensor> outputs = gradients(sum(y * y), xs);
  outputs.push_back(y);
  return outputs;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_region)

BOOST_AUTO_TEST_CASE(elements_masks_and_numbers_of_other_dtypes) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const int64_t n : block_sizes) {
      BOOST_TEST_CONTEXT(to_string(dtype) << " " << n) {
        Graph g;
        const Tensor x = g.input("x", {n}, dtype), y = g.input("y", {n}, dtype);
        const Tensor positive = greater(x, 0), mask = logical_or(logical_not(positive), less(y, x));
        const Tensor whole = cast(x * 3, DType::i32) + 2;
        const Tensor chosen = where(mask, tanh(x) * y, cast(whole, dtype));
        check_fusion({chosen, mask, whole, cast(positive, dtype) - exp(-square(y)), clamp(x, -0.5, 0.25),
                      cast(x, dtype == DType::f32 ? DType::f64 : DType::f32) * 2});
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(logic_and_comparisons_of_masks) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const int64_t n : block_sizes) {
      BOOST_TEST_CONTEXT(to_string(dtype) << " " << n) {
        Graph g;
        const Tensor x = g.input("x", {n}, dtype), y = g.input("y", {n}, dtype);
        const Tensor a = greater(x, 0), b = less(y, x);
        check_fusion({logical_and(a, b), logical_or(a, b), logical_xor(a, b), logical_not(a), equal(a, b),
                      not_equal(a, b), less(a, b), greater_equal(a, b), where(a, b, logical_not(b))});
      }
    }
  }
}

// A loop must not write over an operand that it has not read yet: one of narrower elements.
BOOST_AUTO_TEST_CASE(results_wider_or_narrower_than_their_operands) {
  constexpr DType targets[] = {DType::boolean, DType::u8, DType::i32, DType::i64, DType::f32, DType::f64};
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const int64_t n : {3, 64, 1000}) {
      for (const DType to : targets) {
        BOOST_TEST_CONTEXT(to_string(dtype) << " to " << to_string(to) << " " << n) {
          Graph g;
          const Tensor x = g.input("x", {n}, dtype), y = g.input("y", {n}, dtype);
          check_fusion({cast(x * 50, to)});                        // from numbers in registers
          check_fusion({cast(logical_not(less(y, x)), to)});       // from masks
          check_fusion({cast(cast(x * 50, DType::i32) + 1, to)});  // from the result of a loop
          check_fusion({where(less(y, x), cast(x * 50, to), cast(y * 50, to))});
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(operands_that_repeat) {
  for (const std::vector<int64_t>& from :
       std::vector<std::vector<int64_t>>{{1}, {7}, {130}, {5, 1}, {1, 7}, {3, 1, 7}, {3, 5, 1}, {1, 5, 1}}) {
    for (const int64_t last : {int64_t{7}, int64_t{130}, int64_t{5000}}) {
      std::vector<int64_t> sizes = from;
      if (sizes.back() != 1) sizes.back() = last;
      std::vector<Dim> dims(sizes.begin(), sizes.end());
      Graph g;
      const Tensor x = g.input("x", {3, 5, last}), y = g.input("y", Shape(dims));
      BOOST_TEST_CONTEXT(y.shape().to_string() << " to " << x.shape().to_string()) {
        const Tensor both = x + y;
        BOOST_TEST(check_fusion({both * x - y, relu(y * both)}) == 1U);
      }
    }
  }
}

// More than what is stored past the caches, at an address that allows it and at one that does not.
BOOST_AUTO_TEST_CASE(large_results_into_memory_of_any_alignment) {
  constexpr int64_t n = 3 * 1024 * 1024 + 17;
  Graph g;
  const Tensor x = g.input("x", {n});
  const Program program = compile({.outputs = {x * 2 + 1}});
  const Array values = random_array<float>({n}, 1);
  std::vector<float> memory(n + 32);
  State state;
  for (const int64_t shift : {0, 1}) {
    std::vector<Array> outputs = {Array::view(memory.data() + shift, {n})};
    program.run(Executor{{.threads = 2}}, state, {{"x", values}}, outputs);
    const std::span<const float> from = values.data<float>();
    for (int64_t i = 0; i < n; ++i) {
      if (memory[static_cast<size_t>(i + shift)] != from[static_cast<size_t>(i)] * 2 + 1) BOOST_FAIL("element " << i);
    }
  }
}

BOOST_AUTO_TEST_CASE(rows_that_are_reduced) {
  for (const int64_t length : {64, 65, 127, 200, 1024, 4097, 9000}) {
    for (const int64_t rows : {1, 5, 17, 40}) {
      BOOST_TEST_CONTEXT(rows << " rows of " << length) {
        Graph g;
        const Tensor x = g.input("x", {rows, length}), dy = g.input("dy", {rows, length});
        const Tensor gain = g.input("gain", {length}), bias = g.input("bias", {length}),
                     scale = g.input("scale", {rows, 1});
        const Tensor p = softmax(x * scale);
        std::vector<Tensor> outputs = gradients(p, {x, scale}, dy);
        outputs.push_back(p);
        check_fusion(outputs);
        const Tensor normed = layer_norm(x, gain, bias);
        outputs = gradients(normed, {x, gain, bias}, dy);
        outputs.push_back(normed);
        check_fusion(outputs);
        check_fusion({log_softmax(x), logsumexp(x, {.axes = {1}}), max(relu(x), {.axes = {1}}),
                      prod(sigmoid(x) + 0.5, {.axes = {1}, .keepdims = true}), min(x * dy, {.axes = {1}}),
                      sum(x * dy, {.axes = {0}})});
        const Tensor total = sum(x, {.axes = {1}, .keepdims = true});
        check_fusion({greater(total, 0), where(greater(total, 0), x, dy) + exp(total * 0.01), total});
      }
    }
  }
  Graph g;  // in double, over two axes at once
  const Tensor x = g.input("x", {3, 9, 12}, DType::f64);
  const Tensor y = x - mean(x, {.axes = {1, 2}, .keepdims = true});
  check_fusion(with_gradients(y / sqrt(mean(square(y), {.axes = {1, 2}, .keepdims = true}) + 1e-3), {x}));
}

// Chunks of rows combine sums over them as far as they can.
BOOST_AUTO_TEST_CASE(many_rows_that_are_summed) {
  Graph g;
  const Tensor x = g.input("x", {2085, 1100}), dy = g.input("dy", {2085, 1100});
  const Tensor gain = g.input("gain", {1100}), bias = g.input("bias", {1100});
  check_fusion(gradients(layer_norm(x, gain, bias), {gain, bias}, dy));
}

// Numbers of rows lie side by side while they are computed: masks as well, and under other shapes.
BOOST_AUTO_TEST_CASE(numbers_of_rows) {
  for (const int64_t length : {100, 256, 4500}) {
    for (const int64_t rows : {1, 7, 40}) {
      BOOST_TEST_CONTEXT(rows << " rows of " << length) {
        Graph g;
        const Tensor x = g.input("x", {rows, length}), dy = g.input("dy", {rows, length});
        const Tensor scale = g.input("scale", {rows, 1}), column = g.input("column", {length});
        const Tensor total = sum(x * scale, {.axes = {1}}), tall = reshape(total, {rows, 1});
        const Tensor risen = reshape(exp(total * 0.01) + total, {rows, 1}) * scale;
        const Tensor positive = logical_or(greater(scale, 0.5), less(tall, 0));
        const Tensor y = where(positive, x * risen, dy - tall) + column;
        const Tensor spread = sum(y * y, {.axes = {1}, .keepdims = true});
        check_fusion({y, total, positive, greater(total, 0), y / sqrt(spread + 1) * tall, sum(y, {.axes = {0}})});
        check_fusion(
            {cast(total, DType::bf16), cast(total * 10, DType::i32), x * cast(cast(tall, DType::i32), DType::f32)});
      }
    }
  }
}

// What a region adds to a value or takes from it may be a product that nobody stores.
BOOST_AUTO_TEST_CASE(products_on_the_fly) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const int64_t n : block_sizes) {
      BOOST_TEST_CONTEXT(to_string(dtype) << ", " << n << " elements") {
        Graph g;
        const Tensor x = g.input("x", {n}, dtype), y = g.input("y", {n}, dtype), z = g.input("z", {n}, dtype);
        const Tensor a = tanh(x * y);
        check_fusion({a + y * z, a - y * z, z * x - a, a * (x * z), a + y * 0.3, a - 0.7 * z});
        check_fusion({a + y * y, tanh(a * y) + a * z, a * z + a * y, square(x * y) - x * y});
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(softmax_and_layer_norm_are_one_kernel_with_their_gradients) {
  constexpr int64_t rows = 48, length = 1024, bytes = rows * length * 4;
  Graph g;
  const Tensor x = g.input("x", {rows, length}), dy = g.input("dy", {rows, length});
  const Tensor gain = g.input("gain", {length}), bias = g.input("bias", {length});
  for (const bool is_softmax : {true, false}) {
    const Tensor y = is_softmax ? softmax(x) : layer_norm(x, gain, bias);
    std::vector<Tensor> outputs = gradients(y, {x}, dy);
    outputs.push_back(y);
    const Program program = compile({.outputs = outputs});
    State state;
    Trace trace;
    Batch inputs = {{"x", random_array(x, 1)}, {"dy", random_array(dy, 2)}};
    if (!is_softmax) {
      inputs.set("gain", random_array(gain, 3));
      inputs.set("bias", random_array(bias, 4));
    }
    (void)program.run(state, inputs, {.trace = &trace});
    const std::vector<KernelStats> kernels = program.stats().traced;
    BOOST_REQUIRE(kernels.size() == 1U);
    // x - mean and dy gain are cheap: later phases compute them again.
    const std::string stored = is_softmax ? "48 rows of 1024 in 4 phases; 1 values stored in between, 0 computed again"
                                          : "48 rows of 1024 in 3 phases; 0 values stored in between, 2 computed again";
    BOOST_TEST(program.explain().find(stored) != std::string::npos, program.explain());
    BOOST_TEST(kernels[0].bytes_read == 2 * bytes);
    BOOST_TEST(kernels[0].bytes_written == 2 * bytes);
  }
}

// Besides the class of each row as a mask of a byte an element, logits are read once and their gradient is written
// once.
BOOST_AUTO_TEST_CASE(cross_entropy_is_one_kernel_with_its_gradient) {
  constexpr int64_t rows = 200, classes = 100, bytes = rows * classes * 4;
  Graph g;
  const Tensor logits = g.input("logits", {rows, classes}), labels = g.input("labels", {rows}, DType::i32);
  const Tensor loss = nn::softmax_cross_entropy(logits, labels);
  std::vector<Tensor> outputs = gradients(loss, {logits});
  outputs.push_back(loss);
  const Program program = compile({.outputs = outputs});
  State state;
  Trace trace;
  Array classes_of({rows}, DType::i32);
  for (int64_t i = 0; i < rows; ++i) classes_of.data<int32_t>()[static_cast<size_t>(i)] = static_cast<int32_t>(i % 97);
  (void)program.run(state, {{"logits", random_array(logits, 1)}, {"labels", classes_of}}, {.trace = &trace});
  int64_t read = 0, written = 0;
  int regions = 0;
  for (const KernelStats& kernel : program.stats().traced) {
    regions += kernel.bytes_read >= bytes ? 1 : 0;
    read += kernel.bytes_read;
    written += kernel.bytes_written;
  }
  BOOST_TEST(regions == 1);
  BOOST_TEST(static_cast<double>(read) == static_cast<double>(bytes + bytes / 4), boost::test_tools::tolerance(0.05));
  BOOST_TEST(static_cast<double>(written) == static_cast<double>(bytes + bytes / 4),
             boost::test_tools::tolerance(0.05));
}

BOOST_AUTO_TEST_CASE(what_follows_a_product) {
  const std::vector<std::vector<int64_t>> sizes = {{1, 5, 16},     {3, 1, 17},   {16, 0, 40},    {17, 33, 50},
                                                   {50, 700, 33},  {64, 20, 64}, {97, 1100, 16}, {130, 64, 130},
                                                   {16, 3000, 16}, {40, 30, 8},  {300, 700, 10}, {17, 5, 13}};
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const auto& s : sizes) {
      for (const bool flip_a : {false, true}) {
        for (const bool flip_b : {false, true}) {
          const int64_t m = s[0], k = s[1], n = s[2];
          BOOST_TEST_CONTEXT(to_string(dtype) << " " << m << "x" << k << "x" << n << " " << flip_a << flip_b) {
            Graph g;
            const Tensor a = g.input("a", flip_a ? Shape{k, m} : Shape{m, k}, dtype);
            const Tensor b = g.input("b", flip_b ? Shape{n, k} : Shape{k, n}, dtype);
            const Tensor bias = g.input("bias", {n}, dtype), beside = g.input("beside", {m, n}, dtype);
            const Tensor z = matmul(a, b, {.transpose_a = flip_a, .transpose_b = flip_b}) + bias;
            const Tensor chosen = where(greater(z, beside), tanh(z), beside * z);
            check_fusion({chosen, z, greater(z, beside), sum(chosen, {.axes = {0}}), sum(z * 2, {.axes = {0}})});
            check_fusion({relu(z)});
            // a number for each row, and a mask
            const Tensor scale = g.input("scale", {m, 1}, dtype), shift = g.input("shift", {m, 1}, dtype);
            const Tensor scaled = z * scale + where(greater(scale, shift), shift, beside);
            const size_t kernels = check_fusion({scaled, sum(scaled, {.axes = {0}})});
            BOOST_TEST((kernels == 2 || m < 4 || k == 0));  // the condition, and the product
          }
        }
      }
    }
  }
  Graph g;  // batches of products, which meet one matrix or one each
  const Tensor a = g.input("a", {3, 21, 30}), b = g.input("b", {3, 30, 20}), c = g.input("c", {30, 20});
  check_fusion({sigmoid(matmul(a, b)) * 2, relu(matmul(a, c)), sum(matmul(a, c) * 3, {.axes = {0, 1}})});
  const Tensor scale = g.input("scale", {3, 21, 1});
  BOOST_TEST(check_fusion({relu(matmul(a, b) * scale)}) == 1);
  BOOST_TEST(check_fusion({relu(matmul(a, c) - scale)}) == 1);
}

// Of a step of dense layers nothing is left but products and the updates of biases; each operand moves once.
BOOST_AUTO_TEST_CASE(a_training_step_is_products) {
  constexpr int64_t batch = 64, in = 96, hidden = 128, out = 80;
  Graph g;
  const Tensor x = g.input("x", {batch, in}), t = g.input("t", {batch, out});
  const auto swoosh = [](const Tensor& z) { return z * tanh(softplus(z)); };
  const Tensor y = nn::dense(swoosh(nn::dense(x, hidden)), out);
  const std::vector<Update> updates = nn::gradient_descent(sum(square(y - t)), {.learning_rate = 1e-3});
  for (const std::string isa : {"", "baseline"}) {
    const Program program = compile({.updates = updates, .isa = isa});
    State state;
    Trace trace;
    (void)program.run(state, {{"x", random_array(x, 1)}, {"t", random_array(t, 2)}}, {.trace = &trace});
    int64_t read = 0, written = 0;
    for (const KernelStats& kernel : program.stats().traced) {
      const bool is_product = kernel.kernel.find("matmul") != std::string::npos;
      BOOST_TEST((is_product || kernel.bytes_read + kernel.bytes_written < 10 * 4 * hidden), kernel.kernel);
      if (!is_product) continue;
      read += kernel.bytes_read;
      written += kernel.bytes_written;
    }
    // z = x W1 + b1 and h, which is kept; dy = 2 (h W2 + b2 - t); dz = (dy W2') f'(z); W2 -= h' dy; W1 -= x' dz. For f'
    // x W1 is kept, or z, e^z and tanh(softplus(z)), which take longer to compute again without wide vectors. Sums over
    // the rows, for the biases, are two lines.
    const double kept = isa == "baseline" ? 3 : 1;
    constexpr double x_size = batch * in, w1 = in * hidden, h_size = batch * hidden, w2 = hidden * out,
                     y_size = batch * out;
    const double expected_read = 4 * ((x_size + w1) + (h_size + w2 + y_size) + (y_size + w2 + kept * h_size) +
                                      (h_size + y_size + w2) + (x_size + h_size + w1));
    const double expected_written = 4 * ((kept + 1) * h_size + y_size + h_size + w2 + w1 + hidden + out);
    BOOST_TEST(static_cast<double>(read) == expected_read, boost::test_tools::tolerance(0.05));
    BOOST_TEST(static_cast<double>(written) == expected_written, boost::test_tools::tolerance(0.05));
  }
}

// The gradient of gelu reads three values that the forward pass made of one: the product that it keeps is all.
BOOST_AUTO_TEST_CASE(a_products_gradient_computes_again_what_would_be_read) {
  Graph g;
  const Tensor x = g.input("x", {40, 24}), w1 = g.input("w1", {24, 48}), b1 = g.input("b1", {48});
  const Tensor w2 = g.input("w2", {48, 24});
  const Tensor y = matmul(gelu(matmul(x, w1) + b1), w2);
  const std::vector<Tensor> outputs = gradients(sum(square(y)), {w1, b1, w2});
  check_fusion(outputs);
  check_fusion({y, outputs[0]});
  Batch inputs;
  for (const Tensor& input : g.inputs()) inputs.set(input.name(), random_array(input, 1));
  const auto arrays_written = [&](std::vector<std::string> without) {
    const Program program = compile({.outputs = outputs, .without_passes = std::move(without)});
    State state;
    Trace trace;
    (void)program.run(state, inputs, {.trace = &trace});
    int64_t by_forward = 0;  // of the regions that compute erf, the first
    for (const KernelStats& kernel : program.stats().traced) {
      if (by_forward == 0 && kernel.kernel.find("erf") != std::string::npos) by_forward = kernel.bytes_written;
    }
    return static_cast<double>(by_forward) / (4 * 40 * 48);
  };
  BOOST_TEST(arrays_written({}) == 2);  // the product, and what the next one takes
  BOOST_TEST(arrays_written({"recompute"}) == 4);
}

// As in a batch norm: the channels of images, at sizes around those of a leaf of the sums and of a block.
BOOST_AUTO_TEST_CASE(sums_over_short_rows) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const int64_t rows : {1, 15, 16, 17, 255, 1000}) {
      for (const int64_t columns : {1, 3, 16, 31, 64, 65, 256}) {
        BOOST_TEST_CONTEXT(to_string(dtype) << " " << rows << " x " << columns) {
          Graph g;
          const Tensor x = g.input("x", {rows, 2, columns}, dtype), scale = g.input("scale", {columns}, dtype);
          const Tensor y = tanh(x * scale), z = where(x > 0, y, 0);
          const size_t kernels = check_fusion({sum(z, {.axes = {0, 1}}), sum(z * x, {.axes = {0, 1}}), y});
          BOOST_TEST(kernels == (columns == 1 ? 3U : 1U));  // single elements are summed in another order
        }
      }
    }
  }
}

// What no cache holds is stored past the caches, which wants whole vectors at their multiples: ends that are no such.
BOOST_AUTO_TEST_CASE(results_larger_than_the_caches) {
  constexpr int64_t n = (int64_t{2} << 20) + 13;  // 8 MiB of f32 and a little
  for (const DType dtype : {DType::f32, DType::f64}) {
    Graph g;
    const Tensor x = g.input("x", {n}, dtype), column = g.input("column", {4, 1}, dtype);
    const Tensor y = x * 1.5 + tanh(x);
    BOOST_TEST(check_fusion({y, exp(-y)}) == 1);
    const Tensor all = x * column;  // 4 n elements: 8 MiB of masks, 16 of bf16
    BOOST_TEST(check_fusion({all > 0.5, cast(all + 1, DType::bf16)}) >= 1);
    const Tensor rows = g.input("rows", {9001, 241}, dtype);
    const Tensor sums = sum(square(rows), {.axes = {1}, .keepdims = true});
    BOOST_TEST(check_fusion({rows / (1 + sums), rows - sums}) >= 1);
  }
}

BOOST_AUTO_TEST_SUITE_END()
