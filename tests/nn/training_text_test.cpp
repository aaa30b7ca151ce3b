// A whole training step goes through the text form of graphs and back, and computes the same bits.
#include "training_helper.hpp"
#include <gradloom/graph/subgraph.hpp>
#include <gradloom/graph/text.hpp>
#include <gradloom/ops/op_table.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;

BOOST_AUTO_TEST_SUITE(nn_training_text)

BOOST_AUTO_TEST_CASE(a_parsed_training_computes_the_same_bits) {
  const Executor executor{{.threads = 2}};
  for (const test::Activation activation : test::activations) {
    test::Training made = test::training(activation);
    // Updates are of the graph, and so of its text, as side updates.
    for (const Update& update : made.updates) made.graph.add_side_update(update);
    const Subgraph written{std::move(made.graph), {made.loss}};
    const std::string text = to_text(written);
    const Subgraph parsed = parse_text(text, all_ops());
    BOOST_TEST(to_text(parsed) == text);

    const std::vector<Array> expected = test::five_steps(compile({.outputs = written.outputs}), made.inputs, executor);
    const std::vector<Array> results = test::five_steps(compile({.outputs = parsed.outputs}), made.inputs, executor);
    BOOST_REQUIRE(expected.size() == results.size());
    BOOST_TEST(expected.size() > 5 + 3 * 6);  // the losses; weights and biases, each with two slots of Adam
    for (size_t i = 0; i < expected.size(); ++i) BOOST_TEST(same_bits(expected[i], results[i]), "result " << i);
  }
}

BOOST_AUTO_TEST_SUITE_END()
