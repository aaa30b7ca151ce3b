// LeNet-5's descendant (LeCun et al. 1998, "Gradient-based learning applied to document recognition") on Fashion-MNIST:
// two convolutions, each with a maximum over 2x2 pixels, and two dense layers.
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace gl = gradloom;

namespace {

struct Options {
  int epochs = 3;
  int64_t batch = 64;
  double learning_rate = 1e-3;
  uint64_t seed = 1;
  int threads = 0;
  std::string data = gl::io::fashion_mnist_folder;
  bool quick = false;
};

gl::Tensor lenet(gl::Tensor x, int64_t classes) {
  for (const int64_t channels : {32, 64}) {
    x = max_pool(relu(gl::nn::conv(x, channels, {5}, {.padding = gl::Pad::same})), {.window = {2}});
  }
  x = reshape(x, {x.dim(0), x.dim(1) * x.dim(2) * x.dim(3)});
  x = relu(gl::nn::dense(x, 512, {.weight = gl::nn::he()}));
  return gl::nn::dense(x, classes);
}

void run(const Options& options) {
  // Without Fashion-MNIST, handwritten digits of 8x8 pixels.
  const bool real = gl::io::has_image_set(options.data);
  const auto load = [&](gl::io::Split split, int64_t most) {
    const gl::io::ImageSet set =
        gl::io::load_image_set(real ? options.data : EXAMPLE_DATA, split, real ? "" : "digits-");
    const int64_t count = std::min(most, set.labels.size());
    const int64_t rows = set.images.sizes()[1], columns = set.images.sizes()[2];
    return gl::Batch{{"image", set.images.rows(0, count).reshaped({count, rows, columns, 1})},
                     {"label", set.labels.rows(0, count)}};
  };
  const gl::Batch train_set = load(gl::io::Split::train, options.quick ? 1024 : 60000);
  const gl::Batch test_set = load(gl::io::Split::test, options.quick ? 256 : 10000);
  const std::vector<int64_t>& sizes = train_set["image"].sizes();

  gl::Graph g;
  const gl::Tensor image = g.input("image", {"batch", sizes[1], sizes[2], 1});
  const gl::Tensor label = g.input("label", {"batch"}, gl::DType::i32);
  const gl::Tensor logits = lenet(image, 10);
  const gl::Tensor loss = gl::nn::softmax_cross_entropy(logits, label), right = gl::nn::accuracy(logits, label);
  const int64_t steps = options.epochs * ((sizes[0] + options.batch - 1) / options.batch);
  const gl::nn::Schedule rate = gl::nn::cosine_decay(options.learning_rate, steps);
  const gl::Program train =
      gl::compile({.outputs = {loss, right}, .updates = gl::nn::adam(loss, {.learning_rate = rate})});
  const gl::Program test = gl::compile({.outputs = {loss, right}, .mode = gl::Mode::inference});

  gl::State state{{.seed = options.seed}};
  const gl::Executor cores{{.threads = options.threads}};
  gl::io::Loader train_batches(train_set, {.batch_size = options.batch, .seed = options.seed, .to_float = {{"image"}}});
  gl::io::Loader test_batches(test_set, {.batch_size = 500, .shuffle = false, .to_float = {{"image"}}});
  fmt::print("{} images of {}x{}, {} to test\n", sizes[0], sizes[1], sizes[2], test_set["label"].size());
  gl::nn::ProgressLine progress({.examples = "images", .metrics = {"accuracy"}});
  const gl::nn::FitResult result = gl::nn::fit(
      cores, state, train, train_batches,
      {.epochs = options.epochs, .progress = &progress, .validation = &test, .validation_batches = test_batches});
  fmt::print("test accuracy {:.2f} %\n", 100 * result.epochs.back().validation_metrics[0]);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Trains a small convolutional network on Fashion-MNIST.");
  app.add_option("--epochs", options.epochs, "how often it sees every image")->check(CLI::PositiveNumber);
  app.add_option("--batch", options.batch, "images a step")->check(CLI::PositiveNumber);
  app.add_option("--learning-rate", options.learning_rate, "of Adam, at the start; decays along a cosine");
  app.add_option("--seed", options.seed, "of initial weights and the order of images");
  app.add_option("--threads", options.threads, "0: one per core");
  app.add_option("--data", options.data, "folder of the gzip'd IDX files");
  app.add_flag("--quick", options.quick, "one epoch of 1,024 images, as a test");
  CLI11_PARSE(app, argc, argv);
  if (options.quick) options.epochs = 1;
  try {
    run(options);
  } catch (const gl::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
