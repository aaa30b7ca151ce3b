// A residual network of 20 layers (He et al. 2015, "Deep residual learning for image recognition", section 4.2) with
// batch normalisation, on Fashion-MNIST padded to 32x32 pixels, or on CIFAR-10 where you have its binary files.
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace gl = gradloom;

namespace {

struct Options {
  int epochs = 5;
  int64_t batch = 64;
  double learning_rate = 0.1;
  uint64_t seed = 1;
  int threads = 0;
  std::string data = gl::io::fashion_mnist_folder;
  std::string cifar;
  bool quick = false;
};

gl::Tensor conv_norm(const gl::Tensor& x, int64_t channels, int64_t window, int64_t stride) {
  return gl::nn::batch_norm(gl::nn::conv(
      x, channels, {window}, {.strides = {stride}, .padding = static_cast<int>(window / 2), .bias = false}));
}

// Where the shape changes, the shortcut is a convolution with a window of one pixel.
gl::Tensor block(const gl::Tensor& x, int64_t channels) {
  const bool changes = x.dim(-1) != gl::Dim(channels);
  const int64_t stride = changes ? 2 : 1;
  const gl::Tensor y = conv_norm(relu(conv_norm(x, channels, 3, stride), {.derivative_at_zero = 0}), channels, 3, 1);
  return relu(y + (changes ? conv_norm(x, channels, 1, stride) : x), {.derivative_at_zero = 0});
}

gl::Tensor resnet20(gl::Tensor x, int64_t classes) {
  x = relu(conv_norm(x, 16, 3, 1), {.derivative_at_zero = 0});
  for (const int64_t channels : {16, 32, 64}) {
    for (int i = 0; i < 3; ++i) x = block(x, channels);
  }
  return gl::nn::dense(global_average_pool(x), classes);
}

// u8 [count, rows, columns, channels]; rows and columns as they are in the files.
gl::Batch load(const Options& options, gl::io::Split split, int64_t most) {
  gl::io::ImageSet set;
  if (!options.cifar.empty()) {
    set = gl::io::load_cifar10(options.cifar, split);
  } else if (gl::io::has_image_set(options.data)) {
    set = gl::io::load_image_set(options.data, split);
  } else {
    set = gl::io::load_image_set(EXAMPLE_DATA, split, "digits-");
  }
  const int64_t count = std::min(most, set.labels.size());
  const std::vector<int64_t>& sizes = set.images.sizes();
  return {{"image", set.images.rows(0, count).reshaped({count, sizes[1], sizes[2], sizes.size() == 4 ? sizes[3] : 1})},
          {"label", set.labels.rows(0, count)}};
}

void run(const Options& options) {
  const gl::Batch train_set = load(options, gl::io::Split::train, options.quick ? 256 : 60000);
  const gl::Batch test_set = load(options, gl::io::Split::test, options.quick ? 128 : 10000);
  const std::vector<int64_t>& sizes = train_set["image"].sizes();

  gl::Graph g;
  gl::Tensor image = g.input("image", {"batch", sizes[1], sizes[2], sizes[3]}, gl::DType::u8);
  const gl::Tensor label = g.input("label", {"batch"}, gl::DType::i32);
  // Bytes until here, so that a step reads a quarter of the memory. 28x28 pixels get a border, to 32x32.
  image = cast(image, gl::DType::f32) / 127.5 - 1;
  if (sizes[1] == 28) image = pad(image, {.low = {0, 2, 2, 0}, .high = {0, 2, 2, 0}, .value = -1});
  const gl::Tensor logits = resnet20(image, 10);
  const gl::Tensor loss = gl::nn::softmax_cross_entropy(logits, label), right = gl::nn::accuracy(logits, label);
  const int64_t steps = options.epochs * ((sizes[0] + options.batch - 1) / options.batch);
  const gl::Program train = gl::compile(
      {.outputs = {loss, right},
       .updates = gl::nn::momentum(
           loss, {.learning_rate = gl::nn::cosine_decay(options.learning_rate, steps), .weight_decay = 1e-4})});
  const gl::Program test = gl::compile({.outputs = {loss, right}, .mode = gl::Mode::inference});

  gl::State state{{.seed = options.seed}};
  const gl::Executor cores{{.threads = options.threads}};
  gl::io::Loader train_batches(train_set, {.batch_size = options.batch, .seed = options.seed});
  gl::io::Loader test_batches(test_set, {.batch_size = 250, .shuffle = false});
  fmt::print("{} images of {}x{}x{}, {} to test\n", sizes[0], sizes[1], sizes[2], sizes[3], test_set["label"].size());
  gl::nn::ProgressLine progress({.examples = "images", .metrics = {"accuracy"}});
  const gl::nn::FitResult result = gl::nn::fit(
      cores, state, train, train_batches,
      {.epochs = options.epochs, .progress = &progress, .validation = &test, .validation_batches = test_batches});
  fmt::print("test accuracy {:.2f} %\n", 100 * result.epochs.back().validation_metrics[0]);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Trains a residual network of 20 layers on Fashion-MNIST or CIFAR-10.");
  app.add_option("--epochs", options.epochs, "how often it sees every image")->check(CLI::PositiveNumber);
  app.add_option("--batch", options.batch, "images a step")->check(CLI::PositiveNumber);
  app.add_option("--learning-rate", options.learning_rate, "at the start; decays along a cosine");
  app.add_option("--seed", options.seed, "of initial weights and the order of images");
  app.add_option("--threads", options.threads, "0: one per core");
  app.add_option("--data", options.data, "folder of the gzip'd IDX files");
  app.add_option("--cifar", options.cifar, "folder of CIFAR-10's binary files, to be used instead");
  app.add_flag("--quick", options.quick, "one epoch of 256 images, as a test");
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
