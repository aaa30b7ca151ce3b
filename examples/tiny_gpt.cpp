// A small language model: a transformer learns the Psalms letter by letter, and then goes on by itself. Every letter
// that it writes costs one row of work, not the whole text so far again: keys and values are kept in a cache.
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <numbers>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace gl = gradloom;

namespace {

struct Sizes {
  int64_t width, heads, layers, length, batch;
  int steps;
};

/// A text as numbers of its letters; the last tenth is kept to test with.
struct Text {
  std::string letters;  // in use, sorted
  std::vector<int32_t> train, test;

  explicit Text(const std::string& file) {
    std::ifstream in(file);
    const std::string all{std::istreambuf_iterator<char>(in), {}};
    if (all.empty()) throw std::runtime_error(file + " cannot be read");
    const std::set<char> used(all.begin(), all.end());
    letters.assign(used.begin(), used.end());
    const std::vector<int32_t> numbers = numbers_of(all);
    const auto cut = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 10 * 9);
    train.assign(numbers.begin(), cut);
    test.assign(cut, numbers.end());
  }
  [[nodiscard]] int64_t count() const { return static_cast<int64_t>(letters.size()); }
  [[nodiscard]] std::vector<int32_t> numbers_of(const std::string& text) const {
    std::vector<int32_t> numbers;
    for (const char c : text) numbers.push_back(static_cast<int32_t>(letters.find(c)));
    return numbers;
  }
};

/// Letters [batch, length] -> scores of the letter after each, [batch, length, count].
class Model {
 public:
  Model(const Sizes& sizes, int64_t count) : letters_(count, sizes.width), places_(sizes.length), head_(count) {
    for (int64_t i = 0; i < sizes.layers; ++i)
      blocks_.emplace_back(gl::nn::TransformerOptions{.heads = sizes.heads, .causal = true});
  }

  gl::Tensor operator()(const gl::Tensor& text, gl::nn::KeyValueCache* cache = nullptr) {
    gl::Tensor at;
    if (cache != nullptr) at = gl::nn::positions(text.graph(), text.dim(-1), cache->position);
    gl::Tensor x = places_(letters_(text), at);
    for (gl::nn::TransformerBlock& block : blocks_) x = block(x, {.cache = cache});
    return head_(norm_(x));
  }

 private:
  gl::nn::Embedding letters_;
  gl::nn::LearnedPositions places_;
  std::vector<gl::nn::TransformerBlock> blocks_;
  gl::nn::LayerNorm norm_;
  gl::nn::Dense head_;
};

/// Rows of length + 1 letters, from these places on.
gl::Array rows_of(const std::vector<int32_t>& text, const std::vector<size_t>& starts, int64_t length) {
  const gl::Array rows({static_cast<int64_t>(starts.size()), length + 1}, gl::DType::i32);
  int32_t* to = rows.data<int32_t>().data();
  for (const size_t start : starts) to = std::copy_n(text.begin() + static_cast<std::ptrdiff_t>(start), length + 1, to);
  return rows;
}

/// A letter at random, by the probabilities softmax(scores / temperature).
int32_t draw(const gl::Array& scores, double temperature, std::mt19937_64& random) {
  std::vector<double> weights;
  const auto all = scores.data<const float>();
  const double best = *std::max_element(all.begin(), all.end());
  double total = 0;
  for (const float score : all)
    total += weights.emplace_back(std::exp((static_cast<double>(score) - best) / temperature));
  double left = total * (static_cast<double>(random() >> 11) * 0x1p-53);
  size_t letter = 0;
  while (letter + 1 < weights.size() && left >= weights[letter]) left -= weights[letter++];
  return static_cast<int32_t>(letter);
}

void run(const Sizes& sizes, const std::string& beginning, uint64_t seed) {
  const Text text(EXAMPLE_DATA "/psalms.txt");
  fmt::print("{} letters to learn, {} to test, {} different ones\n", text.train.size(), text.test.size(), text.count());

  gl::Graph graph;
  Model model(sizes, text.count());
  const gl::Tensor rows = graph.input("rows", {"batch", sizes.length + 1}, gl::DType::i32);
  const gl::Tensor scores = model(slice(rows, 1, {0, sizes.length}));
  const gl::Tensor loss = gl::nn::softmax_cross_entropy(scores, slice(rows, 1, {1}));
  const gl::Program train =
      gl::compile({.outputs = {loss},
                   .updates = gl::nn::adamw(loss, {.learning_rate = gl::nn::cosine_decay(2e-3, sizes.steps),
                                                   .decays = [](const gl::Tensor& p) { return p.rank() > 1; },
                                                   .clip_global_norm = 1})});
  const gl::Program test = gl::compile({.outputs = {loss}, .mode = gl::Mode::inference});

  // The same layers once more, for one letter at a time.
  gl::nn::KeyValueCache cache{.capacity = sizes.length, .position = graph.input("position", {}, gl::DType::i64)};
  const gl::Tensor next = model(graph.input("letter", {1, 1}, gl::DType::i32), &cache);
  const gl::Program step = gl::compile({.outputs = {next}, .updates = cache.updates, .mode = gl::Mode::inference});

  gl::State state{{.seed = seed}};
  std::mt19937_64 random(seed);
  const auto length = static_cast<size_t>(sizes.length);
  const auto test_bits = [&] {
    double sum = 0;
    int count = 0;
    for (size_t at = 0; at + length < text.test.size() && count < 64; at += length, ++count)
      sum += test.run(state, {{"rows", rows_of(text.test, {at}, sizes.length)}})[0].item<float>();
    return sum / count / std::numbers::ln2;
  };
  for (int i = 1; i <= sizes.steps; ++i) {
    std::vector<size_t> starts(static_cast<size_t>(sizes.batch));
    for (size_t& start : starts) start = random() % (text.train.size() - length);
    const float now = train.run(state, {{"rows", rows_of(text.train, starts, sizes.length)}})[0].item<float>();
    if (i % (sizes.steps / 5) == 0) {
      fmt::print("step {:5}: {:.2f} bits per letter, {:.2f} on the test text\n", i,
                 static_cast<double>(now) / std::numbers::ln2, test_bits());
    }
  }

  for (const double temperature : {0.5, 0.8}) {
    fmt::print("\ntemperature {}:\n", temperature);
    std::string written = beginning;
    for (int64_t at = 0; at < sizes.length; ++at) {
      const gl::Array letter({1, 1}, gl::DType::i32);
      letter.data<int32_t>()[0] = text.numbers_of(written.substr(static_cast<size_t>(at), 1))[0];
      const gl::Array position = gl::Array::from<int64_t>({at}).reshaped({});
      const gl::Array after = step.run(state, {{"letter", letter}, {"position", position}})[0];
      if (static_cast<size_t>(at) + 1 == written.size())
        written += text.letters[static_cast<size_t>(draw(after, temperature, random))];
    }
    fmt::print("{}\n", written);
  }
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  std::string beginning = "O LORD, ";
  uint64_t seed = 1;
  Sizes sizes{.width = 128, .heads = 4, .layers = 4, .length = 128, .batch = 16, .steps = 1500};
  CLI::App app("A transformer learns to write psalms.");
  app.add_flag("--quick", quick, "a tiny model and a few steps, as a test");
  app.add_option("--begin", beginning, "what it goes on from");
  app.add_option("--steps", sizes.steps, "training steps")->check(CLI::Range(5, 1'000'000));
  app.add_option("--width", sizes.width, "of the model");
  app.add_option("--layers", sizes.layers, "transformer blocks");
  app.add_option("--length", sizes.length, "letters that it sees at once, and writes");
  app.add_option("--seed", seed, "of the first weights, the batches and the letters drawn");
  CLI11_PARSE(app, argc, argv);
  if (quick) sizes = {.width = 32, .heads = 2, .layers = 2, .length = 32, .batch = 16, .steps = 100};
  try {
    run(sizes, beginning, seed);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
