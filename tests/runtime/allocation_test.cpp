// A warmed-up step of seven of the examples' networks allocates nothing, and neither does the switch to a smaller last
// batch and back. bench/step_allocations.cpp has the others that are cases of the benchmark.
#include "allocation_helper.hpp"
#include <gradloom/gradloom.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;

namespace {

struct Step {
  Program program;
  Batch full, last;
};

Array rows(int64_t n, std::initializer_list<int64_t> row, DType dtype = DType::f32) {
  std::vector<int64_t> sizes = {n};
  sizes.insert(sizes.end(), row.begin(), row.end());
  Array array = Array::uninitialized(sizes, dtype);
  std::fill_n(static_cast<std::byte*>(array.raw()), array.byte_size(), std::byte{0});
  return array;
}

void check_step(const Step& step) {
  if (!test::counts_allocations()) {
    BOOST_TEST_MESSAGE("skipped: a sanitizer stands in for malloc");
    return;
  }
  for (const int threads : {1, 2}) {
    // Helpers stay: waking one again is up to oneTBB, which allocates its tasks.
    const Executor executor{{.threads = threads, .linger_us = 100'000, .hold_back_ms = 0}};
    State state;
    std::vector<Array> outputs = step.program.run(executor, state, step.full);
    const auto steps = [&] {
      for (int i = 0; i < 10; ++i) {
        step.program.run(executor, state, step.full, outputs);
        step.program.run(executor, state, step.full, outputs);
        step.program.run(executor, state, step.last, outputs);
      }
      return test::allocations();
    };
    const int64_t before = steps();
    BOOST_TEST(before > 0);
    BOOST_TEST(steps() == before, threads << " threads");
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_allocation)

BOOST_AUTO_TEST_CASE(neuron) {
  Graph g;
  const Tensor x = g.input("x", {"points", 2}), wanted = g.input("wanted", {"points", 1});
  const Tensor sum = matmul(x, g.parameter("weights", {2, 1})) + g.parameter("bias", {1});
  const Tensor loss = nn::binary_cross_entropy(sum, wanted);
  check_step({compile({.outputs = {loss}, .updates = nn::gradient_descent(loss, {.learning_rate = 1})}),
              {{"x", rows(4, {2})}, {"wanted", rows(4, {1})}},
              {{"x", rows(3, {2})}, {"wanted", rows(3, {1})}}});
}

BOOST_AUTO_TEST_CASE(two_lines) {
  Graph g;
  const Tensor x = g.input("x", {"mails", 2}), spam = g.input("spam", {"mails", 1});
  Tensor h = x;
  for (const int64_t units : {4, 4}) h = tanh(nn::dense(h, units));
  const Tensor loss = nn::binary_cross_entropy(nn::dense(h, 1), spam);
  check_step({compile({.outputs = {loss}, .updates = nn::adam(loss, {.learning_rate = 0.03})}),
              {{"x", rows(600, {2})}, {"spam", rows(600, {1})}},
              {{"x", rows(17, {2})}, {"spam", rows(17, {1})}}});
}

BOOST_AUTO_TEST_CASE(linear_regression) {
  Graph g;
  const Tensor x = g.input("x", {"cars", 8}, DType::f64), y = g.input("y", {"cars", 1}, DType::f64);
  const Tensor loss = nn::mse(nn::dense(x, 1, {.weight = nn::zeros()}), y);
  check_step({compile({.outputs = {loss, sqrt(loss)}, .updates = nn::gradient_descent(loss, {.learning_rate = 0.1})}),
              {{"x", rows(392, {8}, DType::f64)}, {"y", rows(392, {1}, DType::f64)}},
              {{"x", rows(79, {8}, DType::f64)}, {"y", rows(79, {1}, DType::f64)}}});
}

BOOST_AUTO_TEST_CASE(fashion_mnist) {
  Graph g;
  const Tensor image = g.input("image", {"batch", 28, 28}, DType::u8), label = g.input("label", {"batch"}, DType::i32);
  Tensor h = reshape(cast(image, DType::f32) / 255, {-1, 784});
  for (const int64_t units : {256, 128}) h = dropout(relu(nn::dense(h, units, {.weight = nn::he()})), 0.2);
  const Tensor logits = nn::dense(h, 10);
  const Tensor loss = nn::softmax_cross_entropy(logits, label);
  const auto batch = [](int64_t n) {
    return Batch{{"image", rows(n, {28, 28}, DType::u8)}, {"label", rows(n, {}, DType::i32)}};
  };
  check_step({compile({.outputs = {loss, nn::accuracy(logits, label)},
                       .updates = nn::adam(loss, {.learning_rate = nn::cosine_decay(1e-3, 100)})}),
              batch(128), batch(96)});
}

BOOST_AUTO_TEST_CASE(own_activation) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 64}), label = g.input("label", {"batch"}, DType::i32);
  Tensor h = x;
  for (int layer = 0; layer < 2; ++layer) {
    h = nn::dense(h, 64);
    h = h * (0.5 + atan(3 * h) / 3.14159265);
  }
  const Tensor loss = nn::softmax_cross_entropy(nn::dense(h, 10), label);
  check_step({compile({.outputs = {loss}, .updates = nn::adam(loss, {.clip_global_norm = 1})}),
              {{"x", rows(32, {64})}, {"label", rows(32, {}, DType::i32)}},
              {{"x", rows(5, {64})}, {"label", rows(5, {}, DType::i32)}}});
}

BOOST_AUTO_TEST_CASE(second_order) {
  Graph g;
  const Tensor x = g.input("x", {50}, DType::f64), v = g.input("v", {50}, DType::f64);
  const Tensor left = slice(x, 0, {.stop = 49}), right = slice(x, 0, {.start = 1});
  const Tensor f = sum(100 * square(right - square(left)) + square(1 - left));
  const Batch point = {{"x", rows(50, {}, DType::f64)}, {"v", rows(50, {}, DType::f64)}};
  check_step({compile({.outputs = {f, gradient(f, x), hvp(f, x, v)}}), point, point});
}

BOOST_AUTO_TEST_CASE(vanishing_gradients) {
  Graph g;
  Tensor h = g.input("x", {"batch", 64});
  const Tensor target = g.input("target", {"batch", 64});
  std::vector<Tensor> outputs, norms;
  for (int i = 0; i < 20; ++i) {
    h = tanh(nn::dense(h, 64));
    outputs.push_back(h);
  }
  for (const Tensor& slope : gradients(nn::mse(h, target), outputs)) norms.push_back(norm(slope));
  check_step({compile({.outputs = {stack(norms)}}),
              {{"x", rows(256, {64})}, {"target", rows(256, {64})}},
              {{"x", rows(3, {64})}, {"target", rows(3, {64})}}});
}

BOOST_AUTO_TEST_SUITE_END()
