#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/nn/conv.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(nn_conv)

BOOST_AUTO_TEST_CASE(is_a_convolution_and_a_bias) {
  Graph g;
  const Tensor x = g.input("x", {1, 3, 1});
  const Tensor y = nn::conv(x, 2, {2}), z = nn::conv_transpose(x, 1, {2}, {.strides = {2}});
  BOOST_TEST((y.shape() == Shape{1, 2, 2}));
  BOOST_TEST((z.shape() == Shape{1, 6, 1}));
  const auto values = evaluate({y, z}, {{"x", Values::of<float>({1, 3, 1}, {1, 2, 3})},
                                        {"conv_1/weight", Values::of<float>({2, 1, 2}, {1, 10, 2, 20})},
                                        {"conv_1/bias", Values::of<float>({2}, {0.5f, -0.5f})},
                                        {"conv_transpose_1/weight", Values::of<float>({2, 1, 1}, {1, 10})},
                                        {"conv_transpose_1/bias", Values::of<float>({1}, {1})}});
  BOOST_TEST((values[0].as<float>() == std::vector<float>{5.5f, 49.5f, 8.5f, 79.5f}));
  BOOST_TEST((values[1].as<float>() == std::vector<float>{2, 11, 3, 21, 4, 31}));
}

BOOST_AUTO_TEST_CASE(two_calls_share_the_parameters_and_options_reach_them) {
  Graph g;
  nn::Conv layer(
      6, {3},
      {.strides = {2}, .padding = Pad::same, .groups = 2, .weight = nn::glorot(), .trainable = false, .name = "edges"});
  nn::ConvTranspose up(6, {2, 3}, {.groups = 3, .bias = false});
  const Tensor y = layer(g.input("x", {"n", 8, 8, 4}, DType::f64));
  BOOST_TEST((y.shape() == Shape{"n", 4, 4, 6}));
  (void)layer(g.input("again", {2, 16, 8, 4}));
  (void)up(y);
  std::vector<std::string> names;
  for (const Tensor& parameter : g.parameters())
    names.push_back(parameter.name() + " " + parameter.shape().to_string());
  const std::vector<std::string> expected = {"edges/weight [3, 3, 2, 6]", "edges/bias [6]",
                                             "conv_transpose_1/weight [2, 3, 2, 6]"};
  BOOST_TEST(names == expected, boost::test_tools::per_element());
  BOOST_TEST((layer.weight().dtype() == DType::f64));
  BOOST_TEST((initializer_of(layer.weight().node()) == nn::glorot()));
  BOOST_TEST(!is_trainable(layer.bias().node()));
  BOOST_TEST(!up.bias().valid());
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "conv_test.cpp:";
  const std::string rule =
      "\n  a convolutional layer needs x [batch, spatial..., channels] with a window's number for each spatial axis, "
      "and "
      "channels that are the same number in every call";
  Graph g, other;
  const Tensor x = g.input("x", {2, 5, 5, 3}), y = g.input("y", {2, 5, 5, 4}), open = g.input("open", {2, 5, "c"});
  const Tensor v = g.input("v", {3});
  const std::string declared = file + std::to_string(__LINE__ - 1);
  int line = __LINE__ + 1;
  std::string text = message_of([&] { (void)nn::conv(v, 2, {3}); });
  BOOST_TEST(text ==
             file + std::to_string(line) + ": conv: the rank is 1\n  x \"v\"  f32[3]  input, " + declared + rule);
  line = __LINE__ + 1;
  text = message_of([&] { (void)nn::conv(x, 0, {3}); });
  BOOST_TEST(
      text ==
      file + std::to_string(line) +
          ": conv: 0 channels were asked for, with a window of 1 numbers\n  a layer has at least one channel, and "
          "a window's numbers are positive");
  const auto problem = [](const std::string& message) {
    return message.substr(message.find(": ") + 2, message.find('\n') - message.find(": ") - 2);
  };
  BOOST_TEST(problem(message_of([&] { (void)nn::conv(1.0, 2, {3}); })) == "conv: x is a number or an empty Tensor");
  BOOST_TEST(problem(message_of([&] {
               (void)nn::conv(x, 2, {3, 3, 3});
             })) == "conv: the window has 3 numbers for 2 spatial axes");
  BOOST_TEST(problem(message_of([&] { (void)nn::conv_transpose(open, 2, {3}); })) ==
             "conv_transpose: the number of channels, c, is not known");
  BOOST_TEST(problem(message_of([&] { (void)nn::conv(x, 4, {3}, {.groups = 2}); })) ==
             "conv: 3 and 4 channels make no 2 groups");
  nn::Conv layer(4, {3});
  (void)layer(x);
  BOOST_TEST(problem(message_of([&] { (void)layer(y); })) ==
             "conv: there were 3 channels in the first call, and are 4");
  BOOST_TEST(problem(message_of([&] {
               (void)layer(other.input("z", {2, 5, 5, 3}));
             })) == "conv: its parameters belong to another graph, that of the first call");
}

BOOST_AUTO_TEST_SUITE_END()
