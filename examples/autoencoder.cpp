// Squeezes images through a few numbers and draws what comes back: convolutions lead to the code, enlarging and
// convolutions back. autoencoder.png has test images above, and below them what the network makes of their codes.
#include "plot.hpp"
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace gl = gradloom;

namespace {

struct Options {
  int epochs = 5;
  int64_t code = 24;
  uint64_t seed = 1;
  int threads = 0;
  std::string data = gl::io::fashion_mnist_folder, out = ".";
  bool quick = false;
};

// [batch, side, side, 1] -> [batch, side, side, 1], the latter as logits of the brightness.
gl::Tensor autoencoder(const gl::Tensor& image, int64_t code_size) {
  const auto relu0 = [](const gl::Tensor& x) { return relu(x, {.derivative_at_zero = 0}); };
  gl::Tensor x = image;
  for (const int64_t channels : {16, 32})
    x = relu0(gl::nn::conv(x, channels, {3}, {.strides = {2}, .padding = gl::Pad::same}));
  const gl::Shape small = x.shape();
  const gl::Dim elements = small[1] * small[2] * small[3];
  const gl::Tensor code = gl::nn::dense(reshape(x, {small[0], elements}), code_size, {.name = "code"});
  x = reshape(relu0(gl::nn::dense(code, elements.value())), small);
  x = relu0(gl::nn::conv(upsample_nearest(x, 2), 16, {3}, {.padding = gl::Pad::same}));
  return gl::nn::conv(upsample_nearest(x, 2), 1, {3}, {.padding = gl::Pad::same, .weight = gl::nn::glorot()});
}

void run(const Options& options) {
  const bool real = gl::io::has_image_set(options.data);
  const auto load = [&](gl::io::Split split, int64_t most) {
    const gl::Array images =
        gl::io::load_image_set(real ? options.data : EXAMPLE_DATA, split, real ? "" : "digits-").images;
    const int64_t count = std::min(most, images.sizes()[0]);
    return gl::Batch{{"image", images.rows(0, count).reshaped({count, images.sizes()[1], images.sizes()[2], 1})}};
  };
  const gl::Batch train_set = load(gl::io::Split::train, options.quick ? 1024 : 60000);
  const gl::Batch test_set = load(gl::io::Split::test, options.quick ? 256 : 10000);
  const int64_t count = train_set["image"].sizes()[0], side = train_set["image"].sizes()[1];

  gl::Graph g;
  const gl::Tensor image = g.input("image", {"batch", side, side, 1});
  const gl::Tensor logits = autoencoder(image, options.code), made = sigmoid(logits);
  const gl::Tensor loss = gl::nn::binary_cross_entropy(logits, image), error = gl::nn::mse(made, image);
  constexpr int64_t batch = 64;
  const int64_t steps = options.epochs * ((count + batch - 1) / batch);
  const gl::nn::Schedule rate = gl::nn::cosine_decay(2e-3, steps);
  const gl::Program train =
      gl::compile({.outputs = {loss, error}, .updates = gl::nn::adam(loss, {.learning_rate = rate})});
  const gl::Program test = gl::compile({.outputs = {loss, error}});
  const gl::Program spread = gl::compile({.outputs = {mean(variance(image, {.axes = {0}}))}});

  gl::State state{{.seed = options.seed}};
  const gl::Executor cores{{.threads = options.threads}};
  gl::io::Loader batches(train_set, {.batch_size = batch, .seed = options.seed, .to_float = {{"image"}}});
  gl::io::Loader tests(test_set, {.batch_size = 250, .shuffle = false, .to_float = {{"image"}}});
  fmt::print("{} images of {}x{} pixels through {} numbers\n", count, side, side, options.code);
  gl::nn::ProgressLine progress({.examples = "images", .metrics = {"squared error"}});
  const gl::nn::FitResult result =
      gl::nn::fit(cores, state, train, batches,
                  {.epochs = options.epochs, .progress = &progress, .validation = &test, .validation_batches = tests});

  const gl::Batch some = *tests.begin();
  const double variance = static_cast<double>(spread.run(state, some)[0].item<float>());
  fmt::print("{:.1f} % of the variance of the test images comes back\n",
             100 * (1 - result.epochs.back().validation_metrics[0] / variance));
  constexpr int64_t across = 12;
  const gl::Array originals = some["image"].rows(0, across);
  const gl::Program pairs = gl::compile({.outputs = {gl::concat({image, made})}});  // a row above a row
  example::draw_images(options.out, "autoencoder", pairs.run(cores, state, {{"image", originals}})[0], across);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Trains an autoencoder on Fashion-MNIST and draws what it makes of test images.");
  app.add_option("--epochs", options.epochs, "how often it sees every image")->check(CLI::PositiveNumber);
  app.add_option("--code", options.code, "numbers that an image is squeezed through")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "of initial weights and the order of images");
  app.add_option("--threads", options.threads, "0: one per core");
  app.add_option("--data", options.data, "folder of the gzip'd IDX files");
  app.add_option("--out", options.out, "folder of the picture");
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
