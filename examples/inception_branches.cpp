// Branches side by side: a small network of Inception blocks (Szegedy et al. 2014, "Going deeper with convolutions",
// figure 2b) on Fashion-MNIST. Each block looks at its input through windows of 1x1, 3x3 and 5x5 pixels and through a
// maximum over 3x3, and puts the four results one after another. The branches need nothing of each other, and so the
// task graph lets the threads work at several of them at once, backwards too: in the end one step is traced, and shown.
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace gl = gradloom;

namespace {

struct Options {
  int epochs = 3;
  int64_t batch = 64;
  double learning_rate = 2e-3;
  uint64_t seed = 1;
  int threads = 0;
  std::string data = gl::io::fashion_mnist_folder, trace;
  bool quick = false;
};

/// The names of the branches, which their parameters and nodes bear, and the signs that stand for them in the picture.
constexpr std::array<std::pair<const char*, char>, 4> branches = {
    {{"1x1", '1'}, {"3x3", '3'}, {"5x5", '5'}, {"pool", 'p'}}};

gl::nn::Layer conv_relu(int64_t channels, int64_t window) {
  gl::nn::Conv conv(channels, {window}, {.padding = gl::Pad::same});
  return [conv](const gl::Tensor& x) mutable { return relu(conv(x)); };
}

/// [batch, rows, columns, in] -> [batch, rows, columns, 8 width]. Where a window is large, a convolution of 1x1 before
/// it leaves fewer channels to look at.
gl::nn::Layer inception(int64_t width, const std::string& name) {
  const auto pool = [](const gl::Tensor& x) {
    return max_pool(x, {.window = {3}, .strides = {1}, .padding = gl::Pad::same});
  };
  const auto branch = [](size_t i, std::vector<gl::nn::Layer> layers) {
    return gl::nn::sequential(std::move(layers), {.name = branches[i].first});
  };
  return gl::nn::parallel(
      {branch(0, {conv_relu(2 * width, 1)}), branch(1, {conv_relu(2 * width, 1), conv_relu(4 * width, 3)}),
       branch(2, {conv_relu(width, 1), conv_relu(width, 5)}), branch(3, {pool, conv_relu(width, 1)})},
      {.name = name});
}

gl::Tensor network(const gl::Tensor& image) {
  gl::Tensor x = max_pool(conv_relu(16, 3)(image), {.window = {2}});
  x = max_pool(inception(8, "block_1")(x), {.window = {2}});
  x = max_pool(inception(16, "block_2")(x), {.window = {2}});
  return gl::nn::dense(reshape(x, {x.dim(0), x.dim(1) * x.dim(2) * x.dim(3)}), 10);
}

/// The chunks of the run that took the least time.
std::vector<gl::TracedChunk> quickest_run(const gl::Trace& trace) {
  std::vector<std::vector<gl::TracedChunk>> runs(static_cast<size_t>(trace.runs()));
  for (gl::TracedChunk& chunk : trace.chunks()) runs[static_cast<size_t>(chunk.run)].push_back(std::move(chunk));
  const auto length = [](const std::vector<gl::TracedChunk>& run) { return run.back().end - run.front().begin; };
  return *std::min_element(runs.begin(), runs.end(),
                           [&](const auto& a, const auto& b) { return length(a) < length(b); });
}

/// What was done at every moment of a step, thread by thread: the sign of the branch, '-' for the rest of the network.
/// And how long they worked at each branch.
void show(const std::vector<gl::TracedChunk>& chunks) {
  constexpr size_t columns = 100;
  const double begin = chunks.front().begin;
  double end = begin;
  for (const gl::TracedChunk& chunk : chunks) end = std::max(end, chunk.end);
  const auto sign_of = [](const std::string& name) {
    for (const auto& [branch, sign] : branches) {
      if (name.find('/' + std::string(branch) + '/') != std::string::npos) return sign;
    }
    return '-';
  };

  std::map<int, std::string> lines;
  std::map<char, double> busy;
  for (const gl::TracedChunk& chunk : chunks) {
    const char sign = sign_of(chunk.name);
    std::string& line = lines.try_emplace(chunk.thread, columns, ' ').first->second;
    const auto column = [&](double time) {
      return static_cast<size_t>((time - begin) / (end - begin) * (columns - 1));
    };
    for (size_t i = column(chunk.begin); i <= column(chunk.end); ++i) line[i] = sign;
    busy[sign] += chunk.end - chunk.begin;
  }
  fmt::print("one step, by branch:");
  for (const auto& [branch, sign] : branches) fmt::print("  {} {:.0f} us", branch, busy[sign]);
  fmt::print("  the rest {:.0f} us\n", busy['-']);
  fmt::print("what the threads did meanwhile (1: 1x1, 3: 3x3, 5: 5x5, p: pool, -: the rest):\n");
  int number = 0;
  for (const auto& [thread, line] : lines) fmt::print("  thread {} |{}|\n", ++number, line);
}

void run(const Options& options) {
  // Without Fashion-MNIST, handwritten digits of 8x8 pixels.
  const bool real = gl::io::has_image_set(options.data);
  const auto load = [&](gl::io::Split split, int64_t most) {
    const gl::io::ImageSet set =
        gl::io::load_image_set(real ? options.data : EXAMPLE_DATA, split, real ? "" : "digits-");
    const int64_t count = std::min(most, set.labels.size());
    return gl::Batch{
        {"image", set.images.rows(0, count).reshaped({count, set.images.sizes()[1], set.images.sizes()[2], 1})},
        {"label", set.labels.rows(0, count)}};
  };
  const gl::Batch train_set = load(gl::io::Split::train, options.quick ? 1024 : 60000);
  const gl::Batch test_set = load(gl::io::Split::test, options.quick ? 256 : 10000);
  const std::vector<int64_t>& sizes = train_set["image"].sizes();

  gl::Graph g;
  const gl::Tensor image = g.input("image", {"batch", sizes[1], sizes[2], 1});
  const gl::Tensor label = g.input("label", {"batch"}, gl::DType::i32);
  const gl::Tensor logits = network(image);
  const gl::Tensor loss = gl::nn::softmax_cross_entropy(logits, label), right = gl::nn::accuracy(logits, label);
  const int64_t steps = options.epochs * ((sizes[0] + options.batch - 1) / options.batch);
  const gl::nn::Schedule rate = gl::nn::cosine_decay(options.learning_rate, steps);
  const gl::Program train =
      gl::compile({.outputs = {loss, right}, .updates = gl::nn::adam(loss, {.learning_rate = rate})});
  const gl::Program test = gl::compile({.outputs = {loss, right}, .mode = gl::Mode::inference});

  gl::State state{{.seed = options.seed}};
  const gl::Executor cores{{.threads = options.threads}};
  gl::io::Loader train_batches(train_set, {.batch_size = options.batch, .seed = options.seed, .to_float = {{"image"}}});
  gl::io::Loader test_batches(test_set, {.batch_size = 250, .shuffle = false, .to_float = {{"image"}}});
  fmt::print("{} images of {}x{}, {} to test\n", sizes[0], sizes[1], sizes[2], test_set["label"].size());
  gl::nn::ProgressLine progress({.examples = "images", .metrics = {"accuracy"}});
  const gl::nn::FitResult result = gl::nn::fit(
      cores, state, train, train_batches,
      {.epochs = options.epochs, .progress = &progress, .validation = &test, .validation_batches = test_batches});
  fmt::print("test accuracy {:.2f} %\n\n", 100 * result.epochs.back().validation_metrics[0]);

  const gl::Batch batch = *train_batches.begin();
  gl::Trace trace;
  for (int i = 0; i < 5; ++i) train.run(cores, state, batch, {.trace = &trace});
  show(quickest_run(trace));
  if (!options.trace.empty()) {
    std::ofstream(options.trace) << trace.json();
    fmt::print("{} shows five steps in chrome://tracing, Perfetto or speedscope\n", options.trace);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Trains a network of Inception blocks on Fashion-MNIST and shows its branches run side by side.");
  app.add_option("--epochs", options.epochs, "how often it sees every image")->check(CLI::PositiveNumber);
  app.add_option("--batch", options.batch, "images a step")->check(CLI::PositiveNumber);
  app.add_option("--learning-rate", options.learning_rate, "of Adam, at the start; decays along a cosine");
  app.add_option("--seed", options.seed, "of initial weights and the order of images");
  app.add_option("--threads", options.threads, "0: one per core");
  app.add_option("--data", options.data, "folder of the gzip'd IDX files");
  app.add_option("--trace", options.trace, "file for the trace of five steps, as Chrome's JSON");
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
