#include "evaluate_helper.hpp"
#include "linear_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/depth_to_space.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_without_lines_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(ops_depth_to_space)

BOOST_AUTO_TEST_CASE(channels_become_blocks_and_back) {
  Graph g;
  const Tensor x = g.input("x", {1, 1, 2, 8});
  std::vector<float> channels;
  for (int i = 0; i < 16; ++i) channels.push_back(static_cast<float>(i));
  const Tensor blocks = depth_to_space(x, 2), shuffled = depth_to_space(x, 2, DepthOrder::channels_first);
  BOOST_TEST((blocks.shape() == Shape{1, 2, 4, 2}));
  const auto made =
      evaluate({blocks, shuffled, space_to_depth(blocks, 2), space_to_depth(shuffled, 2, DepthOrder::channels_first)},
               {{"x", Values::of({1, 1, 2, 8}, channels)}});
  BOOST_TEST((made[0].as<float>() == std::vector<float>{0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15}));
  BOOST_TEST((made[1].as<float>() == std::vector<float>{0, 4, 1, 5, 8, 12, 9, 13, 2, 6, 3, 7, 10, 14, 11, 15}));
  BOOST_TEST((made[2].as<float>() == channels));
  BOOST_TEST((made[3].as<float>() == channels));
}

BOOST_AUTO_TEST_CASE(symbolic_sizes_and_what_does_not_fit) {
  Graph g;
  const Tensor x = g.input("x", {"n", "h", "w", 12}), odd = g.input("odd", {1, 3, 4, 5}), v = g.input("v", {3});
  BOOST_TEST((depth_to_space(x, 2).shape() == Shape{"n", "2 * h", "2 * w", 3}));
  const std::string at = "depth_to_space_test.cpp: ";
  const auto starts = [&](const auto& f, const std::string& text) {
    const std::string message = message_without_lines_of(f);
    BOOST_TEST(message.substr(0, at.size() + text.size()) == at + text);
  };
  starts([&] { (void)depth_to_space(odd, 2); },
         "depth_to_space: 5 channels make no blocks of 2 x 2\n  x \"odd\"  f32[1, 3, 4, 5]  input, ");
  starts([&] { (void)space_to_depth(odd, 2); }, "space_to_depth: 3 pixels make no blocks of 2\n");
  starts([&] { (void)space_to_depth(v, 2); }, "space_to_depth: the rank is 1\n");
  starts([&] { (void)depth_to_space(x, 0); }, "depth_to_space: the block is 0\n");
}

BOOST_AUTO_TEST_SUITE_END()
