#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/nn/initializers.hpp>
#include <gradloom/nn/layer_norm.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(nn_layer_norm)

BOOST_AUTO_TEST_CASE(normalises_with_parameters_of_its_own) {
  Graph g;
  nn::LayerNorm norm({.epsilon = 0, .trainable = false});
  const Tensor y = norm(g.input("x", {2, 2}, DType::f64));
  BOOST_TEST(norm.gain().name() == "layer_norm_1/gain");
  BOOST_TEST(norm.bias().name() == "layer_norm_1/bias");
  BOOST_TEST((initializer_of(norm.gain().node()) == nn::constant(1)));
  BOOST_TEST((initializer_of(norm.bias().node()) == nn::zeros()));
  BOOST_TEST(!is_trainable(norm.gain().node()));
  const auto got = evaluate({y}, {{"x", Values::of<double>({2, 2}, {1, 3, -5, 5})},
                                  {"layer_norm_1/gain", Values::of<double>({2}, {2, 3})},
                                  {"layer_norm_1/bias", Values::of<double>({2}, {0, 1})}})[0]
                       .as<double>();
  const std::vector<double> expected = {-2, 4, -2, 4};
  for (size_t i = 0; i < 4; ++i) BOOST_TEST(std::fabs(got[i] - expected[i]) < 1e-14);
}

BOOST_AUTO_TEST_CASE(calls_share_the_parameters_and_fresh_layers_do_not) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 4});
  nn::LayerNorm norm;
  (void)norm(x);
  (void)norm(x);
  (void)nn::layer_norm(x);
  BOOST_TEST(g.parameters().size() == 4u);
  BOOST_TEST(g.parameters().back().name() == "layer_norm_2/bias");
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  Graph g;
  const std::string file = "layer_norm_test.cpp:", rule = "\n  layer_norm needs x [..., n], with n a number";
  const std::string made = file + std::to_string(__LINE__ + 1);
  const Tensor scalar = g.input("scalar", {}), open = g.input("open", {2, "n"});
  int line = __LINE__ + 1;
  std::string text = message_of([&] { (void)nn::layer_norm(scalar); });
  BOOST_TEST(text ==
             file + std::to_string(line) + ": layer_norm: x is a scalar\n  x \"scalar\"  f32[]  input, " + made + rule);
  line = __LINE__ + 1;
  text = message_of([&] { (void)nn::layer_norm(open); });
  BOOST_TEST(text == file + std::to_string(line) +
                         ": layer_norm: the size n of the last axis is not known\n  x \"open\"  f32[2, n]  input, " +
                         made + rule);
  line = __LINE__ + 1;
  text = message_of([&] { (void)nn::layer_norm(Tensor()); });
  BOOST_TEST(text == file + std::to_string(line) + ": layer_norm: x is a number or an empty Tensor" + rule);
}

BOOST_AUTO_TEST_SUITE_END()
