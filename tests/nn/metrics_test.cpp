#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/nn/metrics.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(nn_metrics)

BOOST_AUTO_TEST_CASE(accuracy_is_the_share_of_right_rows) {
  for (const DType dtype : {DType::u8, DType::i32, DType::i64}) {
    Graph g;
    const Tensor accuracy = nn::accuracy(g.input("x", {4, 3}), g.input("t", {4}, dtype));
    BOOST_TEST((accuracy.shape() == Shape{}));
    const auto values = evaluate({accuracy}, {{"x", Values::of<float>({4, 3}, {1, 2, 0, 5, 5, 5, -1, -2, -3, 0, 0, 9})},
                                              {"t", Values::from_doubles(dtype, {4}, {1, 0, 2, 2})}});
    BOOST_TEST(values[0].as<float>()[0] == 0.75f);
  }
}

BOOST_AUTO_TEST_CASE(accuracy_needs_one_label_per_row) {
  Graph g;
  const Tensor x = g.input("x", {4, 3}), t = g.input("t", {4, 1}, DType::i32);
  const std::string made = "metrics_test.cpp:" + std::to_string(__LINE__ - 1) + "\n";
  const std::string rule = "  accuracy needs scores [..., classes] and labels: integers [...]";
  int line = __LINE__ + 1;
  const std::string shapes = message_of([&] { (void)nn::accuracy(x, t); });
  BOOST_TEST(shapes ==
             "metrics_test.cpp:" + std::to_string(line) + ": accuracy: labels [4, 1] do not fit scores [4, 3]\n" +
                 "  scores \"x\"  f32[4, 3]  input, " + made + "  labels \"t\"  i32[4, 1]  input, " + made + rule);
  line = __LINE__ + 1;
  const std::string empty = message_of([&] { (void)nn::accuracy(x, {}); });
  BOOST_TEST(empty == "metrics_test.cpp:" + std::to_string(line) +
                          ": accuracy: labels is an empty Tensor or of another graph\n" + rule);
}

BOOST_AUTO_TEST_CASE(confusion_matrix_counts) {
  nn::ConfusionMatrix matrix(3);
  BOOST_TEST(std::isnan(matrix.accuracy()));
  matrix.add(Array::from<int32_t>({0, 1, 2, 2}), Array::from<int64_t>({0, 2, 2, 2}));
  matrix.add(Array::from<uint8_t>({1}), Array::from<int64_t>({1}));
  BOOST_TEST(matrix.count(1, 2) == 1);
  BOOST_TEST(matrix.count(2, 2) == 2);
  BOOST_TEST(matrix.count(2, 1) == 0);
  BOOST_TEST(matrix.accuracy() == 0.8);
  BOOST_TEST(matrix.to_string() ==
             "  0 1 2\n"
             "0 1 0 0\n"
             "1 0 1 1\n"
             "2 0 0 2\n");
  const std::vector<std::string> names = {"cat", "dog", "mouse"};
  BOOST_TEST(matrix.to_string(names) ==
             "        cat   dog mouse\n"
             "  cat     1     0     0\n"
             "  dog     0     1     1\n"
             "mouse     0     0     2\n");
}

BOOST_AUTO_TEST_CASE(confusion_matrix_refuses_what_it_cannot_count) {
  nn::ConfusionMatrix matrix(3);
  BOOST_TEST(message_of([] { nn::ConfusionMatrix none(0); }) == "ConfusionMatrix: 0 classes were asked for");
  BOOST_TEST(message_of([&] {
               matrix.add(Array::from<int32_t>({0, 1}), Array::from<int32_t>({0}));
             }) == "ConfusionMatrix: there are 2 labels and 1 predictions");
  BOOST_TEST(message_of([&] {
               matrix.add(Array::from<int32_t>({0, 3}), Array::from<int32_t>({0, 0}));
             }) == "ConfusionMatrix: class 3 is out of range for 3 classes");
  BOOST_TEST(message_of([&] {
               matrix.add(Array::from<int32_t>({0, 1}), Array::from<int32_t>({0, -1}));
             }) == "ConfusionMatrix: class -1 is out of range for 3 classes");
  BOOST_TEST(message_of([&] { matrix.add(Array::from<float>({0}), Array::from<int32_t>({0})); }) ==
             "ConfusionMatrix: classes are integers, not f32");
  const std::vector<std::string> names = {"cat"};
  BOOST_TEST(message_of([&] { (void)matrix.to_string(names); }) == "ConfusionMatrix: there are 1 names for 3 classes");
  BOOST_TEST(message_of([&] { (void)matrix.count(0, 3); }) == "ConfusionMatrix: class 3 is out of range for 3 classes");
  BOOST_TEST(matrix.count(0, 0) == 0);
}

BOOST_AUTO_TEST_CASE(running_mean_weighs) {
  nn::RunningMean mean;
  BOOST_TEST(mean.value() == 0);
  mean.add(1);
  mean.add(4, 2);
  BOOST_TEST(mean.value() == 3);
  BOOST_TEST(mean.weight() == 3);
  mean.add(100, 0);
  BOOST_TEST(mean.value() == 3);
}

BOOST_AUTO_TEST_SUITE_END()
