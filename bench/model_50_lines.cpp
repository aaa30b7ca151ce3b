// What compile_times.py compiles: a network, its training and its use, as a user would write them, in 50 lines.
#include <gradloom/gradloom.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace gl = gradloom;

// An activation of one's own.
gl::Tensor swoosh(const gl::Tensor& z) { return z * tanh(softplus(z)); }

gl::Tensor block(const gl::Tensor& x, int width) {
  const gl::Tensor h = gl::nn::dense(gl::nn::layer_norm(x), width);
  return x + gl::nn::dense(swoosh(h), static_cast<int>(x.shape()[-1].value()));
}

int main(int count, char** arguments) {
  const std::string file = count > 1 ? arguments[1] : "model.safetensors";
  gl::Graph g;
  const gl::Tensor x = g.input("x", {"batch", 8}), label = g.input("label", {"batch"}, gl::DType::i32);

  gl::Tensor h = gl::nn::dense(x, 64);
  for (int i = 0; i < 4; ++i) h = block(h, 256);
  h = dropout(h, 0.1);
  const gl::Tensor logits = gl::nn::dense(relu(h), 3);
  const gl::Tensor loss = gl::nn::softmax_cross_entropy(logits, label);

  const gl::Program train = gl::compile(
      {.outputs = {loss}, .updates = gl::nn::adamw(loss, {.learning_rate = gl::nn::cosine_decay(1e-3, 500)})});
  const gl::Program ask = gl::compile({.outputs = {argmax(logits, {.axis = -1})}});

  std::vector<float> points;
  std::vector<int32_t> labels;
  for (int i = 0; i < 300; ++i) {
    for (int j = 0; j < 8; ++j) points.push_back(static_cast<float>(i * (j + 1) % 17) / 17);
    labels.push_back(i % 3);
  }
  const gl::Batch data = {{"x", gl::Array::from(points, {300, 8})}, {"label", gl::Array::from(labels, {300})}};

  gl::State state{{.seed = 7}};
  const gl::Executor cores;
  for (int step = 0; step < 500; ++step) {
    const float now = train.run(cores, state, data)[0].item<float>();
    if (step % 100 == 0) std::printf("step %3d  loss %.4f\n", step, now);
  }
  const auto answer = ask.run(cores, state, {{"x", data["x"]}});
  std::printf("%s\n", answer[0].to_string().c_str());
  gl::io::save(state, file);
}
