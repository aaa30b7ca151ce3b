#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/dense.hpp>
#include <gradloom/nn/layer.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/recurrent.hpp>
#include <gradloom/nn/summary.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/layer_norm.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/pooling.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/ops/scan.hpp>

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <sstream>

using namespace gradloom;

namespace {

/// The network of the README.
Tensor scores(Graph& g) {
  const auto relu = [](const Tensor& x) { return gradloom::relu(x); };
  const Tensor images = g.input("images", {"batch", 28, 28});
  const nn::Layer block = nn::residual(nn::sequential({nn::Dense(128), relu, nn::Dense(128)}), {.name = "block"});
  const nn::Layer net = nn::sequential({nn::Dense(128), relu, block, relu, nn::Dense(10)});
  return net(reshape(images, {"batch", -1}));
}

constexpr const char* golden = R"(layer          result        parameters       flops    bytes
reshape        f32[64, 784]           0           0  200,704
dense_1        f32[64, 128]     100,480  12,853,248   32,768
relu           f32[64, 128]           0       8,192   32,768
block/dense_1  f32[64, 128]      16,512   2,105,344   32,768
block/relu     f32[64, 128]           0       8,192   32,768
block/dense_2  f32[64, 128]      16,512   2,105,344   32,768
block/add      f32[64, 128]           0       8,192   32,768
relu           f32[64, 128]           0       8,192   32,768
dense_2        f32[64, 10]        1,290     164,480    2,560
all                             134,794  17,261,184  432,640
parameters: 134,794 trainable, 0 frozen, 539,176 bytes
)";

std::string readme() {
  std::ifstream in(GRADLOOM_SOURCE_DIR "/README.md");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_summary)

BOOST_AUTO_TEST_CASE(is_a_line_per_layer_and_in_the_readme) {
  Graph g;
  const std::string text = nn::summary(scores(g), {{"batch", 64}});
  BOOST_TEST(text == golden);
  BOOST_TEST(readme().find(golden) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(loops_attention_and_pooling_count) {
  const auto flops = [](const Tensor& y) {
    const std::string text = nn::summary(y), all = text.substr(text.find("\nall ") + 1);
    std::istringstream words(all);
    std::string word, parameters, count;
    words >> word >> parameters >> count;
    return count;
  };
  Graph g;
  const Tensor x = g.input("x", {2, 7, 4, 8});
  BOOST_TEST(flops(attention(x, x, x)) == "12,544");         // 2 x 4 heads of 7 x 7 pairs, twice a product of 8
  BOOST_TEST(flops(max_pool(x, {.window = {2}})) == "384");  // 2 x 3 x 2 x 8 windows of 4
  const ScanResult sums = scan(
      [](std::span<const Tensor> carried, std::span<const Tensor> slices) {
        const Tensor sum = carried[0] + slices[0] * 2;
        return ScanStep{{sum}, {sum}};
      },
      {.carried = {g.input("start", {3})}, .sequences = {g.input("steps", {5, 3})}});
  BOOST_TEST(flops(sums.outputs[0]) == "30");
}

// A scan and the projections in front of it are the layer; its result is what it gives for each step.
BOOST_AUTO_TEST_CASE(a_recurrent_layer_is_a_line) {
  Graph g;
  const nn::RecurrentResult r = nn::lstm(g.input("x", {12, 8, 20}), 32, {.layers = 2});
  BOOST_TEST(nn::summary(nn::dense(r.outputs, 5)) ==
             "layer           result          parameters      flops   bytes\n"
             "lstm_1/layer_1  f32[12, 8, 32]       6,784  1,330,176  12,288\n"
             "lstm_1/layer_2  f32[12, 8, 32]       8,320  1,625,088  12,288\n"
             "dense_1         f32[12, 8, 5]          165     31,200   1,920\n"
             "all                                 15,269  2,986,464  26,496\n"
             "parameters: 15,269 trainable, 0 frozen, 61,076 bytes\n");
  BOOST_TEST(nn::summary(r.final[1].hidden).find("lstm_1/layer_2  f32[8, 32]") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(symbols_stay_symbols) {
  Graph g;
  const Tensor y = nn::dense(g.input("x", {"batch", 3}), 5, {.trainable = false});
  BOOST_TEST(nn::summary(y) ==
             "layer    result         parameters     flops     bytes\n"
             "dense_1  f32[batch, 5]          20  35*batch  20*batch\n"
             "all                             20  35*batch  20*batch\n"
             "parameters: 0 trainable, 20 frozen, 80 bytes\n");
}

BOOST_AUTO_TEST_CASE(shared_weights_count_once_and_compositions_are_one_line) {
  Graph g;
  const Tensor x = g.input("x", {2, 4});
  const nn::Layer dense = nn::Dense(4, {.bias = false});
  const Tensor h = layer_norm(dense(x), g.parameter("norm/gain", {4}), g.parameter("norm/bias", {4}));
  const std::string text = nn::summary(nn::softmax_cross_entropy(dense(h), x));
  std::vector<std::string> names, parameters;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    names.emplace_back();
    words >> names.back();
  }
  const std::vector<std::string> expected = {"layer", "dense_1",    "norm", "dense_1", "softmax_cross_entropy",
                                             "all",   "parameters:"};
  BOOST_TEST(names == expected, boost::test_tools::per_element());
  BOOST_TEST(text.find("parameters: 24 trainable, 0 frozen, 96 bytes") != std::string::npos, text);
}

BOOST_AUTO_TEST_SUITE_END()
