// A recurrent network learns to spell: it reads the Constitution of the United States character by character and
// guesses the next one. What it learned is printed as bits per character (8 would be no idea of bytes, 4.5 knows how
// often each letter occurs) on text it never saw, and as text that it writes itself. It stops when it only learns the
// text by heart any more, and goes back to where it knew the unseen text best.
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace gl = gradloom;

namespace {

struct Options {
  std::string text = EXAMPLE_DATA "/constitution.txt";
  int epochs = 40;   // at most
  int patience = 4;  // epochs without progress on the unseen text
  int64_t units = 256;
  int64_t steps = 64;  // characters that gradients go back through
  int64_t streams = 16;
  double temperature = 0.6;  // of the sample: low is careful
  int sample = 300;
};

// The characters that occur, numbered.
struct Alphabet {
  std::string characters;

  explicit Alphabet(const std::string& text) : characters(text) {
    std::sort(characters.begin(), characters.end());
    characters.erase(std::unique(characters.begin(), characters.end()), characters.end());
  }
  int64_t size() const { return static_cast<int64_t>(characters.size()); }
  int32_t number(char c) const { return static_cast<int32_t>(characters.find(c)); }
};

// The text as parallel streams, cut into windows: each window goes on where the one before ended.
struct Streams {
  std::vector<gl::Batch> windows;

  Streams(const std::string& text, const Alphabet& alphabet, int64_t steps, int64_t streams) {
    const auto length = static_cast<int64_t>(text.size() - 1) / streams;
    for (int64_t begin = 0; begin + steps <= length; begin += steps) {
      std::vector<int32_t> read, next;
      for (int64_t t = begin; t < begin + steps; ++t) {
        for (int64_t stream = 0; stream < streams; ++stream) {
          const auto at = static_cast<size_t>(stream * length + t);
          read.push_back(alphabet.number(text[at]));
          next.push_back(alphabet.number(text[at + 1]));
        }
      }
      windows.push_back(
          {{"read", gl::Array::from(read, {steps, streams})}, {"next", gl::Array::from(next, {steps, streams})}});
    }
  }
};

// An embedding, an lstm, a dense layer. The state comes in and goes out, so that one network serves windows of a text
// as well as single characters.
class Network {
 public:
  Network(int64_t characters, int64_t units) : units_(units) {
    const gl::Tensor read = graph_.input("read", {"time", "streams"}, gl::DType::i32);
    const gl::Tensor next = graph_.input("next", {"time", "streams"}, gl::DType::i32);
    const gl::Tensor hidden = graph_.input("hidden", {"streams", units}),
                     cell = graph_.input("cell", {"streams", units});
    const gl::Tensor letters = graph_.parameter("letters", {characters, 32}, gl::nn::normal(0, 0.3));
    gl::nn::Recurrent lstm(gl::nn::CellKind::lstm, units);
    const auto [states, final] = lstm(gather(letters, read), {.initial = {{hidden, cell}}});
    const gl::Tensor logits = gl::nn::dense(dropout(states, 0.3), characters);
    const gl::Tensor loss = gl::nn::softmax_cross_entropy(logits, next);
    const std::vector<gl::Tensor> state = {final[0].hidden, final[0].cell};
    train_ =
        gl::compile({.outputs = {loss, state[0], state[1]}, .updates = gl::nn::adam(loss, {.learning_rate = 3e-3})});
    test_ = gl::compile({.outputs = {loss, state[0], state[1]}, .mode = gl::Mode::inference});
    write_ = gl::compile({.outputs = {logits, state[0], state[1]}, .mode = gl::Mode::inference});
  }

  /// Bits per character over a text, learning from it or not.
  double read(const Streams& text, int64_t streams, bool learn) {
    std::vector<gl::Array> carried = no_memory(streams);
    double bits = 0;
    for (gl::Batch window : text.windows) {
      window.set("hidden", carried[1]);
      window.set("cell", carried[2]);
      carried = (learn ? train_ : test_).run(state_, window);
      bits += carried[0].item<float>() / std::log(2.0);
    }
    return bits / static_cast<double>(text.windows.size());
  }

  void remember() { best_ = state_; }
  void recall() { state_ = best_; }

  /// Goes on from a beginning, each character drawn by the probabilities that the network gives.
  std::string write(const std::string& beginning, const Alphabet& alphabet, const Options& options) {
    std::mt19937 random(1);
    std::string text = beginning;
    std::vector<gl::Array> carried = no_memory(1);
    for (size_t at = 0; text.size() < static_cast<size_t>(options.sample); ++at) {
      carried = write_.run(state_, {{"read", gl::Array::from(std::vector<int32_t>{alphabet.number(text[at])}, {1, 1})},
                                    {"hidden", carried[1]},
                                    {"cell", carried[2]}});
      if (at + 1 < text.size()) continue;  // still reading
      std::vector<double> weights;
      for (const float logit : carried[0].to_vector<float>()) {
        weights.push_back(std::exp(static_cast<double>(logit) / options.temperature));
      }
      double left = static_cast<double>(random()) * 0x1p-32 * std::accumulate(weights.begin(), weights.end(), 0.0);
      size_t drawn = 0;
      while (drawn + 1 < weights.size() && left >= weights[drawn]) left -= weights[drawn++];
      text += alphabet.characters[drawn];
    }
    return text;
  }

 private:
  // As a run returns it, behind the loss or the logits.
  std::vector<gl::Array> no_memory(int64_t streams) const {
    return {gl::Array(), gl::Array({streams, units_}), gl::Array({streams, units_})};
  }

  int64_t units_;
  gl::Graph graph_;
  gl::Program train_, test_, write_;
  gl::State state_{{.seed = 1}}, best_;
};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  bool quick = false;
  CLI::App app{"Learns to write from a text, character by character."};
  app.add_option("--text", options.text, "a plain text file")->check(CLI::ExistingFile)->capture_default_str();
  app.add_option("--epochs", options.epochs, "how often the text is read at most")->capture_default_str();
  app.add_option("--units", options.units, "of the lstm")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--temperature", options.temperature, "of the sample")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--quick", quick, "a small network, two epochs");
  CLI11_PARSE(app, argc, argv);
  if (quick) {
    options.epochs = 2;
    options.units = 48;
    options.sample = 80;
  }

  const std::string text = read_file(options.text);
  if (text.size() < 20'000) {
    fmt::print(stderr, "{} is too short to learn from\n", options.text);
    return 1;
  }
  const Alphabet alphabet(text);
  const size_t part = text.size() / 10 * 9;  // the rest is for the test
  const Streams learned(text.substr(0, part), alphabet, options.steps, options.streams);
  const Streams unseen(text.substr(part), alphabet, options.steps, 1);
  fmt::print("{} characters, {} different ones\n", text.size(), alphabet.size());

  Network network(alphabet.size(), options.units);
  double best = INFINITY;
  for (int epoch = 1, best_epoch = 0; epoch <= options.epochs && epoch - best_epoch <= options.patience; ++epoch) {
    const double bits = network.read(learned, options.streams, true);
    const double test_bits = network.read(unseen, 1, false);
    if (test_bits < best) {
      best = test_bits;
      best_epoch = epoch;
      network.remember();
    }
    fmt::print("epoch {:>2}: {:.3f} bits per character, {:.3f} on text it never saw\n", epoch, bits, test_bits);
  }
  network.recall();
  fmt::print("\n{}\n", network.write("The Congress ", alphabet, options));
  return best < (quick ? 4.4 : 3.0) ? 0 : 1;
}
