// What a user writes: a model, its training and a prediction in fifty lines. It is compiled as a test of how long that
// takes.
#include <gradloom/gradloom.hpp>

#include <cstdio>
#include <vector>

namespace gl = gradloom;

namespace {

struct Model {
  gl::Graph graph;
  gl::Program train, predict;

  explicit Model(int64_t classes) {
    const gl::Tensor image = graph.input("image", {"batch", 28, 28});
    const gl::Tensor label = graph.input("label", {"batch"}, gl::DType::i32);
    gl::Tensor h = reshape(image, {-1, 784});
    for (const int64_t units : {256, 128}) {
      h = gl::nn::dense(h, units, {.weight = gl::nn::he()});
      h = dropout(h * sigmoid(1.7 * h), 0.1);
    }
    const gl::Tensor logits = gl::nn::dense(h, classes);
    const gl::Tensor loss = gl::nn::softmax_cross_entropy(logits, label, {.label_smoothing = 0.1});
    train = gl::compile({.outputs = {loss, gl::nn::accuracy(logits, label)},
                         .updates = gl::nn::adam(loss, {.learning_rate = gl::nn::cosine_decay(1e-3, 1000)})});
    predict = gl::compile({.outputs = {argmax(logits)}, .mode = gl::Mode::inference});
  }
};

}  // namespace

int main() {
  const gl::Executor cores;
  gl::State state{{.seed = 1}};
  const Model model(10);
  const gl::io::ImageSet set = gl::io::load_image_set(gl::io::fashion_mnist_folder, gl::io::Split::train);
  gl::io::Loader batches({{"image", set.images}, {"label", set.labels}}, {.batch_size = 64, .to_float = {{"image"}}});
  for (int epoch = 0; epoch < 3; ++epoch) {
    double loss = 0;
    for (const gl::Batch& batch : batches) {
      loss = static_cast<double>(model.train.run(cores, state, batch)[0].item<float>());
    }
    std::printf("epoch %d: loss %.4f\n", epoch, loss);
  }
  const gl::Array some = gl::Array({1, 28, 28});
  const std::vector<int64_t> found = model.predict.run(cores, state, {{"image", some}})[0].to_vector<int64_t>();
  std::printf("an empty image: class %lld\n", static_cast<long long>(found[0]));
  gl::io::save(state, "model.safetensors");
}
