#include "message_helper.hpp"
#include <gradloom/autodiff/custom_gradient.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/subgraph.hpp>
#include <gradloom/graph/verify.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/movement.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::message_of;

namespace {

// A graph cannot be built wrong through its own functions, so the nodes are spoilt from outside.
Node& spoil(const Graph& graph, int id) { return const_cast<Node&>(graph.node(id)); }

struct Fixture {
  Graph g;
  Tensor x = g.input("x", {2}), w = g.parameter("w", {2}), y = x * w;

  std::string message() const {
    return message_of([&] { verify(g); });
  }
};

std::string one(const std::string& finding) { return "the graph is broken, 1 finding\n  " + finding; }

}  // namespace

BOOST_AUTO_TEST_SUITE(graph_verify)

BOOST_AUTO_TEST_CASE(graphs_that_were_built_are_right) {
  Fixture f;
  f.g.add_side_update({f.w, f.y});
  (void)gradients(
      custom_gradient(f.y, {f.x}, [](auto, auto&, auto& cotangent) { return std::vector<Tensor>{cotangent}; }),
      {f.x, f.w, f.y});
  BOOST_CHECK_NO_THROW(verify(f.g));
  BOOST_CHECK_NO_THROW(verify(Graph()));
}

BOOST_AUTO_TEST_CASE(inputs_come_before_their_node) {
  Fixture f;
  spoil(f.g, 2).inputs = {{2, 0}, {0, 1}, {-1, 0}};
  BOOST_TEST(f.message() ==
             "the graph is broken, 3 findings\n"
             "  \"mul_2\" uses node 2, which does not come before it\n"
             "  \"mul_2\" uses output 1 of \"x\", which has 1\n"
             "  \"mul_2\" uses node -1, which does not come before it");
}

BOOST_AUTO_TEST_CASE(nodes_have_an_op_and_their_number) {
  Fixture f;
  spoil(f.g, 2).op = nullptr;
  BOOST_TEST(f.message() == one("node 2 has no op"));
  Fixture h;
  spoil(h.g, 2).id = 5;
  BOOST_TEST(h.message() == one("\"mul_5\" is numbered 5, but is node 2"));
}

BOOST_AUTO_TEST_CASE(types_are_those_the_op_infers) {
  Fixture f;
  spoil(f.g, 2).outputs = {{DType::f64, {2}}};
  BOOST_TEST(f.message() == one("\"mul_2\" has the types f64[2], its op infers f32[2]"));
  Fixture h;
  spoil(h.g, 2).inputs.pop_back();
  BOOST_TEST(h.message() == one("\"mul_2\" is refused by its op: 1 inputs given, 2 needed"));
}

BOOST_AUTO_TEST_CASE(names_of_inputs_and_parameters_differ) {
  Fixture f;
  spoil(f.g, 1).name = "x";
  BOOST_TEST(f.message() == one("\"x\" has the name of node 0 too"));
  spoil(f.g, 1).name = "";
  BOOST_TEST(f.message() == one("\"parameter_1\" is a parameter without a name"));
}

BOOST_AUTO_TEST_CASE(attributes_are_whole) {
  Fixture f;
  spoil(f.g, 2).attributes = {{"a", true}, {"a", false}};
  BOOST_TEST(f.message() == one("\"mul_2\" has two attributes \"a\""));
  Graph g;
  (void)constant(g, 1);
  spoil(g, 0).attributes.set("literal", std::shared_ptr<const Literal>());
  BOOST_TEST(message_of([&] { verify(g); }) == one("\"constant_0\" has an empty attribute \"literal\""));
}

BOOST_AUTO_TEST_CASE(bodies_are_verified_too) {
  const auto body = std::make_shared<Subgraph>();
  const Tensor inner = -body->graph.input("in", {2});
  spoil(body->graph, inner.node_id()).outputs[0].dtype = DType::i32;
  Fixture f;
  spoil(f.g, 2).attributes = {{"body", std::shared_ptr<const Subgraph>(body)}};
  BOOST_TEST(f.message() ==
             one("\"mul_2\" has a body \"body\" in which \"neg_1\" has the types i32[2], its op infers f32[2]"));
}

BOOST_AUTO_TEST_CASE(side_updates_fit_their_parameter) {
  Fixture f;
  f.g.add_side_update({f.w, broadcast(f.x, {3, 2})});
  BOOST_TEST(f.message() == one("\"w\" is f32[2], its side update is f32[3, 2]"));
  Fixture h, other;
  h.g.add_side_update({h.w, other.y});
  BOOST_TEST(h.message() == one("\"w\" has a side update across graphs"));
}

BOOST_AUTO_TEST_SUITE_END()
