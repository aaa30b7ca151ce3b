#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/nn/dense.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

namespace {

std::vector<std::string> parameter_names(const Graph& g) {
  std::vector<std::string> names;
  for (const Tensor& parameter : g.parameters())
    names.push_back(parameter.name() + " " + parameter.shape().to_string());
  return names;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_dense)

BOOST_AUTO_TEST_CASE(is_an_affine_map_of_the_last_axis) {
  Graph g;
  const Tensor x = g.input("x", {2, 1, 3});
  const Tensor y = nn::dense(x, 2);
  BOOST_TEST((y.shape() == Shape{2, 1, 2}));
  const auto values = evaluate({y}, {{"x", Values::of<float>({2, 1, 3}, {1, 2, 3, -1, 0, 1})},
                                     {"dense_1/weight", Values::of<float>({3, 2}, {1, 2, 3, 4, 5, 6})},
                                     {"dense_1/bias", Values::of<float>({2}, {0.5f, -0.5f})}});
  BOOST_TEST((values[0].as<float>() == std::vector<float>{22.5f, 27.5f, 4.5f, 3.5f}));
}

BOOST_AUTO_TEST_CASE(takes_a_single_vector) {
  Graph g;
  const Tensor y = nn::dense(g.input("x", {3}), 2, {.bias = false});
  BOOST_TEST((y.shape() == Shape{2}));
  const auto values = evaluate({y}, {{"x", Values::of<float>({3}, {1, 2, 3})},
                                     {"dense_1/weight", Values::of<float>({3, 2}, {1, 2, 3, 4, 5, 6})}});
  BOOST_TEST((values[0].as<float>() == std::vector<float>{22, 28}));
}

BOOST_AUTO_TEST_CASE(fresh_layers_are_numbered_within_their_scope) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 3});
  const Tensor h = nn::dense(x, 4);
  (void)nn::dense(h, 5, {.bias = false});
  (void)nn::dense(h, 1, {.name = "head"});
  {
    const Scope scope = g.scope("encoder");
    (void)nn::dense(x, 2);
  }
  const std::vector<std::string> expected = {"dense_1/weight [3, 4]",   "dense_1/bias [4]",
                                             "dense_2/weight [4, 5]",   "head/weight [4, 1]",
                                             "head/bias [1]",           "encoder/dense_1/weight [3, 2]",
                                             "encoder/dense_1/bias [2]"};
  BOOST_TEST(parameter_names(g) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(two_calls_share_the_parameters) {
  Graph g;
  nn::Dense layer(4);
  BOOST_TEST(!layer.weight().valid());
  (void)layer(g.input("a", {"batch", 3}));
  const Tensor weight = layer.weight();
  (void)layer(g.input("b", {7, 3}));
  BOOST_TEST(g.parameters().size() == 2u);
  BOOST_TEST(same(layer.weight(), weight));
}

BOOST_AUTO_TEST_CASE(options_reach_the_parameters) {
  Graph g;
  nn::Dense layer(4, {.weight = nn::he(), .bias_init = nn::constant(0.1), .trainable = false});
  (void)layer(g.input("x", {3}, DType::f64));
  BOOST_TEST((initializer_of(layer.weight().node()) == nn::he()));
  BOOST_TEST((initializer_of(layer.bias().node()) == nn::constant(0.1)));
  BOOST_TEST(!is_trainable(layer.weight().node()));
  BOOST_TEST(!is_trainable(layer.bias().node()));
  BOOST_TEST((layer.weight().dtype() == DType::f64));
  nn::Dense pixels(4);
  BOOST_TEST((pixels(g.input("image", {3}, DType::u8)).dtype() == DType::f32));
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "dense_test.cpp:";
  const std::string rule = "\n  dense needs x [..., in], with in a number that is the same in every call";
  Graph g;
  const std::string made = file + std::to_string(__LINE__ + 1) + "\n";
  const Tensor scalar = g.input("scalar", {}), open = g.input("open", {2, "n"}), y = g.input("y", {2, 4});
  const Tensor x = g.input("x", {2, 3});

  int line = __LINE__ + 1;
  const std::string text = message_of([&] { (void)nn::dense(x, 0); });
  BOOST_TEST(text == file + std::to_string(line) + ": dense: 0 units were asked for\n  a layer has at least one unit");
  line = __LINE__ + 1;
  const std::string rank = message_of([&] { (void)nn::dense(scalar, 2); });
  BOOST_TEST(rank == file + std::to_string(line) + ": dense: x is a scalar\n  x \"scalar\"  f32[]  input, " + made +
                         rule.substr(1));
  line = __LINE__ + 1;
  const std::string unknown = message_of([&] { (void)nn::dense(open, 2); });
  BOOST_TEST(unknown == file + std::to_string(line) +
                            ": dense: the size n of the last axis is not known\n  x \"open\"  f32[2, n]  input, " +
                            made + rule.substr(1));
  line = __LINE__ + 1;
  const std::string empty = message_of([&] { (void)nn::dense(Tensor(), 2); });
  BOOST_TEST(empty == file + std::to_string(line) + ": dense: x is a number or an empty Tensor" + rule);

  nn::Dense layer(5);
  (void)layer(x);
  line = __LINE__ + 1;
  const std::string width = message_of([&] { (void)layer(y); });
  BOOST_TEST(width ==
             file + std::to_string(line) + ": dense: the size of the last axis was 3 in the first call, and is 4\n" +
                 "  x \"y\"                    f32[2, 4]  input, " + made +
                 "  weight \"dense_1/weight\"  f32[3, 5]  parameter, " + file + std::to_string(line - 2) + rule);
  Graph other;
  const Tensor foreign = other.input("foreign", {2, 3});
  line = __LINE__ + 1;
  const std::string graph = message_of([&] { (void)layer(foreign); });
  BOOST_TEST(graph == file + std::to_string(line) +
                          ": dense: its parameters belong to another graph, that of the first call\n" +
                          "  x \"foreign\"  f32[2, 3]  input, " + file + std::to_string(line - 2) + rule);
}

BOOST_AUTO_TEST_SUITE_END()
