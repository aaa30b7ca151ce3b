#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/group_norm.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(nn_group_norm)

BOOST_AUTO_TEST_CASE(layers_have_parameters_and_share_them) {
  Graph g;
  const Tensor x = g.input("x", {1, 2, 2});
  nn::GroupNorm layer(1, {.epsilon = 0});
  const Tensor y = layer(x);
  (void)layer(y);
  (void)nn::instance_norm(y);
  std::vector<std::string> names;
  for (const Tensor& parameter : g.parameters()) names.push_back(parameter.name());
  const std::vector<std::string> expected = {"group_norm_1/gain", "group_norm_1/bias", "instance_norm_1/gain",
                                             "instance_norm_1/bias"};
  BOOST_TEST(names == expected, boost::test_tools::per_element());
  const Values made = evaluate({y}, {{"x", Values::of<float>({1, 2, 2}, {1, 1, 3, 3})},
                                     {"group_norm_1/gain", Values::of<float>({2}, {1, 2})},
                                     {"group_norm_1/bias", Values::of<float>({2}, {0, 5})}})[0];
  BOOST_TEST((made.as<float>() == std::vector<float>{-1, 3, 1, 7}));
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  const std::string file = "group_norm_test.cpp:";
  const std::string rule =
      "\n  a layer that normalises channels needs x [batch, spatial..., channels], the channels a number";
  Graph g;
  const Tensor open = g.input("open", {2, "c"});
  const int line = __LINE__ + 1;
  std::string text = message_of([&] { (void)nn::group_norm(open, 1); });
  BOOST_TEST(text == file + std::to_string(line) + ": group_norm: x is [2, c]\n  x \"open\"  f32[2, c]  input, " +
                         file + std::to_string(line - 2) + rule);
  text = message_of([&] { (void)nn::instance_norm(2.0); });
  BOOST_TEST(text.find("instance_norm: x is a number or an empty Tensor") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
