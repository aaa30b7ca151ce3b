#include <gradloom/graph/dot.hpp>
#include <gradloom/ops/arithmetic.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;

BOOST_AUTO_TEST_SUITE(graph_dot)

BOOST_AUTO_TEST_CASE(nodes_are_framed_by_scope) {
  Graph g;
  const Tensor x = g.input("x", {"batch"});
  Tensor y;
  {
    const Scope outer = g.scope("net"), inner = g.scope("layer");
    const Tensor b = g.parameter("b", {1});
    y = -x;
    (void)y.named("negative");
    (void)b;
  }
  const Tensor outputs[] = {y};
  BOOST_TEST(to_dot(g) ==
             "digraph {\n"
             "  node [shape=box, style=filled, fillcolor=white]\n"
             "  n0 [label=\"input\\nx\", shape=ellipse]\n"
             "  subgraph \"cluster net\" {\n"
             "    label=\"net\"\n"
             "    subgraph \"cluster net/layer\" {\n"
             "      label=\"layer\"\n"
             "      n1 [label=\"parameter\\nnet/layer/b\", fillcolor=lightgrey]\n"
             "      n2 [label=\"neg\\nnegative\"]\n"
             "    }\n"
             "  }\n"
             "  n0 -> n2 [label=\"f32[batch]\"]\n"
             "}\n");
  BOOST_TEST(to_dot(g, outputs) ==
             "digraph {\n"
             "  node [shape=box, style=filled, fillcolor=white]\n"
             "  n0 [label=\"input\\nx\", shape=ellipse]\n"
             "  subgraph \"cluster net\" {\n"
             "    label=\"net\"\n"
             "    subgraph \"cluster net/layer\" {\n"
             "      label=\"layer\"\n"
             "      n2 [label=\"neg\\nnegative\", peripheries=2]\n"
             "    }\n"
             "  }\n"
             "  n0 -> n2 [label=\"f32[batch]\"]\n"
             "}\n");
}

BOOST_AUTO_TEST_SUITE_END()
