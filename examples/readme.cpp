// The program of the README: learns y = sin(3x) with an activation function invented on the spot.
#include <gradloom/gradloom.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

namespace gl = gradloom;

int main() {
  gl::Graph g;
  const gl::Tensor x = g.input("x", {"batch", 1}), y = g.input("y", {"batch", 1});

  const auto swoosh = [](const gl::Tensor& z) { return z * tanh(softplus(z)); };
  gl::Tensor h = swoosh(gl::nn::dense(x, 32));
  h = swoosh(gl::nn::dense(h, 32));
  const gl::Tensor guess = gl::nn::dense(h, 1);
  const gl::Tensor loss = gl::nn::mse(guess, y);

  const gl::Program train = gl::compile(
      {.outputs = {loss}, .updates = gl::nn::adam(loss, {.learning_rate = gl::nn::cosine_decay(0.01, 2000)})});
  const gl::Program ask = gl::compile({.outputs = {guess, gl::gradient(guess, x)}});

  std::vector<float> xs, ys;
  for (int i = -100; i <= 100; ++i) xs.push_back(static_cast<float>(i) / 50);
  for (const float v : xs) ys.push_back(std::sin(3 * v));

  gl::State state{{.seed = 1}};  // the parameters' values live here
  const gl::Executor cores{{.threads = 2}};
  const gl::Batch data = {{"x", gl::Array::from(xs, {201, 1})}, {"y", gl::Array::from(ys, {201, 1})}};
  for (int step = 0; step <= 2000; ++step) {
    const float now = train.run(cores, state, data)[0].item<float>();
    if (step % 500 == 0) std::printf("step %4d  loss %.5f\n", step, now);
  }
  const auto answer = ask.run(cores, state, {{"x", gl::Array::from<float>({0.5F}).reshaped({1, 1})}});
  std::printf("at 0.5: %.3f (sin: %.3f), slope %.2f (3 cos: %.2f)\n", answer[0].item<float>(), std::sin(1.5),
              answer[1].item<float>(), 3 * std::cos(1.5));
}
