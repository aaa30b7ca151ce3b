#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/nn/embedding.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/reduce.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::Values;

BOOST_AUTO_TEST_SUITE(nn_embedding)

BOOST_AUTO_TEST_CASE(looks_rows_up_and_adds_their_gradients) {
  Graph g;
  nn::Embedding words(3, 2, {.trainable = false});
  const Tensor text = g.input("text", {2, 2}, DType::i32);
  const Tensor x = words(text);
  BOOST_TEST((x.shape() == Shape{2, 2, 2}));
  BOOST_TEST(words.table().name() == "embedding_1/table");
  BOOST_TEST(!is_trainable(words.table().node()));
  const Tensor weights = g.input("weights", {2, 2, 2});
  const auto got = evaluate({x, gradient(sum(x * weights), words.table())},
                            {{"embedding_1/table", Values::of<float>({3, 2}, {1, 2, 3, 4, 5, 6})},
                             {"text", Values::of<int32_t>({2, 2}, {2, 0, 2, 2})},
                             {"weights", Values::of<float>({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8})}});
  BOOST_TEST((got[0].as<float>() == std::vector<float>{5, 6, 1, 2, 5, 6, 5, 6}));
  BOOST_TEST((got[1].as<float>() == std::vector<float>{3, 4, 0, 0, 13, 16}));
}

BOOST_AUTO_TEST_CASE(calls_share_the_table_and_fresh_layers_do_not) {
  Graph g;
  const Tensor text = g.input("text", {"time"}, DType::i64);
  nn::Embedding words(5, 4, {.dtype = DType::f64});
  BOOST_TEST((words(text).dtype() == DType::f64));
  (void)words(text);
  BOOST_TEST(g.parameters().size() == 1u);
  (void)nn::embedding(text, 5, 4, {.name = "words"});
  BOOST_TEST(g.parameters().back().name() == "words/table");
}

BOOST_AUTO_TEST_CASE(errors_have_the_users_line) {
  Graph g, other;
  const std::string file = "embedding_test.cpp:";
  int line = __LINE__ + 1;
  std::string text = message_of([] { (void)nn::Embedding(0, 4); });
  BOOST_TEST(text == file + std::to_string(line) +
                         ": embedding: a table of 0 x 4 was asked for\n  a table has at least one row and one column");
  const std::string rule = "\n  embedding needs indices that are i32 or i64, of the graph of its first call";
  nn::Embedding words(5, 4);
  (void)words(g.input("text", {2}, DType::i32));
  line = __LINE__ + 1;
  text = message_of([&] { (void)words(other.input("text", {2}, DType::i32)); });
  BOOST_TEST(text ==
             file + std::to_string(line) +
                 ": embedding: its table belongs to another graph, that of the first call\n  indices \"text\"  i32[2]  "
                 "input, " +
                 file + std::to_string(line) + rule);
  line = __LINE__ + 1;
  text = message_of([&] { (void)words(Tensor()); });
  BOOST_TEST(text == file + std::to_string(line) + ": embedding: the indices are a number or an empty Tensor" + rule);
  text = message_of([&] { (void)words(g.input("x", {2})); });
  BOOST_TEST(text.find("indices are f32, they must be i32 or i64") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
