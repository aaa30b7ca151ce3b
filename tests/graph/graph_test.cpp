#include "message_helper.hpp"
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/subgraph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/movement.hpp>

#include <boost/test/unit_test.hpp>

#include <optional>

using namespace gradloom;
using test::message_of;
using test::named_message_of;

namespace {

const OpDef pair_def{.name = "pair",
                     .inputs = {"lhs", "rhs"},
                     .rule = "pair needs two tensors of one size, and an axis",
                     .shape =
                         [](const ShapeContext& context) {
                           (void)context.axis(context.attributes().get_or<int64_t>("axis", 0), context.shape(0).rank());
                           const Dim size =
                               context.require_equal(context.shape(0)[0], context.shape(1)[0], "the sizes");
                           return std::vector<TensorType>{{context.dtype(0), {size}}, {DType::i64, {}}};
                         },
                     .no_gradient = "it exists for this test only"};
const OpDef list_def{.name = "list",
                     .inputs = {"item"},
                     .variadic = true,
                     .rule = "list needs tensors",
                     .shape = [](const ShapeContext& context) { return std::vector<TensorType>{context.input(0)}; },
                     .no_gradient = "it exists for this test only"};

Tensor pair(const Operand& a, const Operand& b, int64_t axis = 0) {
  const Tensor inputs[] = {a.tensor(), b.tensor()};
  return a.tensor().graph().add(pair_def, inputs, {{"axis", axis}}, a.location());
}

Tensor inner(const Operand& x) {
  const SourceScope scope(x, "inner");
  return -x * 2;
}
Tensor outer(const Operand& x) {
  const SourceScope scope(x, "outer");
  return inner(inner(x) + 1);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(graph_graph)

BOOST_AUTO_TEST_CASE(scopes_make_full_names) {
  Graph g;
  {
    const Scope encoder = g.scope("encoder");
    const Scope first = g.numbered_scope("dense");
    BOOST_TEST(g.path() == "encoder/dense_1");
    BOOST_TEST(g.parameter("weight", {2}).name() == "encoder/dense_1/weight");
  }
  {
    const Scope encoder = g.scope("encoder");
    const Scope second = g.numbered_scope("dense");
    BOOST_TEST(g.parameter("weight", {2}).name() == "encoder/dense_2/weight");
  }
  const Scope numbered = g.numbered_scope("dense");
  BOOST_TEST(g.path() == "dense_1");
  BOOST_TEST(g.find_parameter("encoder/dense_2/weight").node_id() == 1);
}

BOOST_AUTO_TEST_CASE(labels_are_names_or_the_op_and_its_number) {
  Graph g;
  const Tensor x = g.input("x", {2}), y = -x;
  BOOST_TEST(y.name() == "neg_1");
  BOOST_TEST(y.named("minus").name() == "minus");
  BOOST_TEST(same(y, g.tensor(1)));
  BOOST_TEST(!same(x, y));
}

BOOST_AUTO_TEST_CASE(parameters_keep_their_initializer) {
  Graph g;
  const Initializer normal{Initializer::Distribution::normal, 1, 2, Initializer::Scaling::fan_in};
  const Tensor w = g.parameter("w", {2, 3}, normal, {.dtype = DType::f64, .trainable = false});
  (void)g.input("x", {});
  BOOST_TEST((initializer_of(w.node()) == normal));
  BOOST_TEST(!is_trainable(w.node()));
  BOOST_TEST((w.dtype() == DType::f64));
  BOOST_TEST(g.parameters().size() == 1u);
  BOOST_TEST(g.inputs().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_moved_graph_keeps_its_tensors) {
  Graph g;
  const Tensor x = g.input("x", {2});
  Graph moved = std::move(g);
  BOOST_TEST(&x.graph() == &moved);
  Graph other;
  const Tensor z = other.input("z", {3});
  other = std::move(moved);
  BOOST_TEST(&x.graph() == &other);
  BOOST_TEST((-x).node_id() == 1);
}

BOOST_AUTO_TEST_CASE(a_tensor_that_outlives_its_graph_is_an_error) {
  std::optional<Graph> g(std::in_place);
  const Tensor x = g->input("x", {2});
  const Tensor w = g->parameter("w", {2});
  g->add_side_update({w, x});
  g.reset();
  BOOST_TEST(x.valid());
  BOOST_TEST(message_of([&] { (void)x.shape(); }) == "the Tensor is used after its Graph was destroyed");
  BOOST_TEST(message_of([&] { (void)(x + 1); }) == "the Tensor is used after its Graph was destroyed");
  BOOST_TEST(message_of([] { (void)Tensor().dtype(); }) == "the Tensor is empty: it belongs to no graph");
}

BOOST_AUTO_TEST_CASE(nodes_report_the_users_line) {
  Graph g;
  const Tensor x = g.input("x", {2});
  const int operators = __LINE__ + 1;
  const Tensor product = x * 2 + 1;
  for (int id = 1; id < g.node_count(); ++id) BOOST_TEST(g.node(id).location.line == operators);
  const int before = g.node_count();
  const int composition = __LINE__ + 1;
  const Tensor composed = outer(x);
  for (int id = before; id < g.node_count(); ++id) {
    BOOST_TEST(g.node(id).location.line == composition);
    BOOST_TEST(g.node(id).path.starts_with("outer"));
  }
  BOOST_TEST(composed.node().path == "outer/inner");
  BOOST_TEST(g.path() == "");
  BOOST_TEST((-product).node().path == "");
}

BOOST_AUTO_TEST_CASE(errors_inside_compositions_report_the_users_line_and_change_nothing) {
  Graph g;
  const int made = __LINE__ + 1;
  const Tensor x = g.input("x", {2}), z = g.input("z", {3});
  const auto composition = [](const Operand& a, const Tensor& b) {
    const SourceScope scope(a, "composition");
    return -a + b;
  };
  BOOST_TEST(named_message_of([&] { (void)composition(x, z); }, {{"made", made}}) ==
             "<here>: add: the sizes 2 and 3 of axis -1 do not broadcast\n"
             "  lhs \"neg_2\"  f32[2]  neg, <here>\n"
             "  rhs \"z\"      f32[3]  input, <made>\n"
             "  sizes broadcast if they are equal or one of them is a literal 1 (a symbol never is)");
  BOOST_TEST(g.path() == "");
  const int before = g.node_count();
  BOOST_TEST(named_message_of([&] { (void)pair(x, z); }, {{"made", made}}) ==
             "<here>: pair: the sizes differ, 2 and 3\n"
             "  lhs \"x\"  f32[2]  input, <made>\n"
             "  rhs \"z\"  f32[3]  input, <made>\n"
             "  pair needs two tensors of one size, and an axis");
  BOOST_TEST(g.node_count() == before);
  BOOST_TEST(named_message_of([&] { (void)inner(3); }) ==
             "<here>: inner: its first argument is a number or an empty Tensor\n  inner needs a Tensor");
}

BOOST_AUTO_TEST_CASE(sizes_that_only_a_binding_can_compare_are_noted) {
  Graph g;
  const Tensor x = g.input("x", {"n"}), z = g.input("z", {"m"}), w = g.input("w", {4});
  const Tensor first = pair(x, z), second = pair(x, w);
  BOOST_TEST((first.shape() == Shape{"m"}));
  BOOST_TEST((second.shape() == Shape{4}));
  BOOST_REQUIRE(g.constraints().size() == 2u);
  BOOST_TEST((g.constraints()[0].a == Dim("n")));
  BOOST_TEST((g.constraints()[0].b == Dim("m")));
  BOOST_TEST(g.constraints()[0].node == first.node_id());
  BOOST_TEST(g.constraints()[0].what == "the sizes");
  // n + 1 is not n for any n; and a node that is refused leaves no constraint behind.
  const Tensor longer = g.input("longer", {Dim("n") + 1});
  BOOST_CHECK_THROW((void)pair(x, longer), Error);
  BOOST_TEST(g.constraints().size() == 2u);
}

BOOST_AUTO_TEST_CASE(an_op_checks_what_it_is_given) {
  Graph g, h;
  const int made = __LINE__ + 1;
  const Tensor x = g.input("x", {2}), other = h.input("other", {2});
  const std::string rule = "\n  pair needs two tensors of one size, and an axis";
  BOOST_TEST(named_message_of([&] { (void)pair(x, Tensor()); }) == "<here>: pair: rhs is an empty Tensor" + rule);
  BOOST_TEST(named_message_of([&] { (void)pair(x, other); }) == "<here>: pair: rhs belongs to another graph" + rule);
  BOOST_TEST(named_message_of([&] { (void)(x + other); }) ==
             "<here>: add: rhs belongs to another graph\n  add needs two tensors of numbers, of one shape");
  BOOST_TEST(named_message_of([&] { (void)pair(x, x, 1); }, {{"made", made}}) ==
             "<here>: pair: there is no axis 1 in a tensor of rank 1\n"
             "  lhs \"x\"  f32[2]  input, <made>\n  rhs \"x\"  f32[2]  input, <made>" +
                 rule);
  const SourceLocation there{"user.cpp", 3};
  BOOST_TEST(named_message_of(
                 [&] {
                   (void)g.add(pair_def, {&x, 1}, {}, there);
                 },
                 {{"made", made}}) ==
             "user.cpp:3: pair: 1 inputs given, 2 needed\n  lhs \"x\"  f32[2]  input, <made>" + rule);
  BOOST_TEST(message_of([&] { (void)g.add(list_def, {}, {}, there); }) ==
             "user.cpp:3: list: 0 inputs given, at least 1 needed\n  list needs tensors");
}

BOOST_AUTO_TEST_CASE(inputs_of_a_variadic_op_are_numbered) {
  Graph g;
  const Tensor x = g.input("x", {2});
  const Tensor inputs[] = {x, Tensor(), x};
  BOOST_TEST(message_of([&] { (void)g.add(list_def, inputs, {}, {}); }) ==
             "list: item 2 is an empty Tensor\n  list needs tensors");
}

BOOST_AUTO_TEST_CASE(names_must_be_free_and_printable) {
  Graph g;
  const int input = __LINE__ + 1;
  (void)g.input("x", {2});
  const int parameter = __LINE__ + 1;
  const Tensor w = g.parameter("w", {2});
  BOOST_TEST(named_message_of([&] { (void)g.input("x", {2}); }, {{"input", input}}) ==
             "<here>: input \"x\": the name is taken\n  first used at <input>\n"
             "  inputs and parameters have names of their own within a graph");
  BOOST_TEST(named_message_of([&] { (void)g.parameter("x", {2}); }, {{"input", input}}) ==
             "<here>: parameter \"x\": the name is taken\n  first used at <input>\n"
             "  inputs and parameters have names of their own within a graph; open a scope to use a name again");
  const std::string rule = "\n  a name is not empty and has no quotes, backslashes or control characters";
  BOOST_TEST(named_message_of([&] { (void)g.input("", {2}); }) == "<here>: \"\" is no name for an input" + rule);
  BOOST_TEST(named_message_of([&] { (void)g.parameter("a\nb", {2}); }) ==
             "<here>: \"a\nb\" is no name for a parameter" + rule);
  BOOST_TEST(message_of([&] { (void)g.scope("a\\b"); }) == "\"a\\b\" is no name for a scope" + rule);
  BOOST_TEST(named_message_of([&] { (void)w.named("a\"b"); }, {{"parameter", parameter}}) ==
             "<parameter>: \"a\"b\" is no name for a node" + rule);
  BOOST_TEST(named_message_of([&] { (void)w.named("v"); }, {{"parameter", parameter}}) ==
             "<parameter>: parameter \"w\": it cannot be renamed to \"v\"\n"
             "  runs bind inputs and parameters by the name they were made with");
  BOOST_TEST(message_of([&] { (void)g.find_parameter("v"); }) == "there is no parameter \"v\"; did you mean \"w\"?");
  BOOST_TEST(message_of([&] { (void)g.find_parameter("something"); }) == "there is no parameter \"something\"");
}

BOOST_AUTO_TEST_CASE(parameters_have_a_known_shape) {
  Graph g;
  const std::string rule = "\n  parameter needs a shape of non-negative numbers";
  BOOST_TEST(named_message_of([&] { (void)g.parameter("w", {"n"}); }) ==
             "<here>: parameter: the shape [n] has a symbol" + rule);
  BOOST_TEST(named_message_of([&] { (void)g.parameter("w", {-2}); }) ==
             "<here>: parameter: the shape [-2] has a negative size" + rule);
  BOOST_TEST(message_of([&] {
               (void)g.parameter("w", {INT64_MAX, 2});
             }) == "the dimension (9223372036854775807) * (2) does not fit in 64 bits");
  BOOST_CHECK_NO_THROW((void)g.parameter("w", {0}));
}

BOOST_AUTO_TEST_CASE(side_updates_write_to_parameters) {
  Graph g;
  const Tensor x = g.input("x", {2}), w = g.parameter("w", {2});
  g.add_side_update({w, x});
  BOOST_TEST(g.side_updates().size() == 1u);
  BOOST_TEST(message_of([&] { g.add_side_update({x, w}); }) == "a side update needs a parameter to write to");
}

BOOST_AUTO_TEST_CASE(random_streams_depend_on_the_scope_only) {
  Graph g, h;
  const int64_t first = g.next_stream(), second = g.next_stream();
  BOOST_TEST(first != second);
  int64_t scoped = 0;
  {
    const Scope scope = h.scope("layer");
    scoped = h.next_stream();
  }
  BOOST_TEST(h.next_stream() == first);
  const Scope scope = g.scope("layer");
  BOOST_TEST(g.next_stream() == scoped);
}

BOOST_AUTO_TEST_CASE(a_body_is_copied_with_other_inputs) {
  Subgraph body;
  const Tensor a = body.graph.input("a", {2}), b = body.graph.input("b", {2});
  const Tensor unused = a / b;
  body.outputs = {a - b, b};
  Graph g;
  const Tensor inputs[] = {g.input("x", {2}), g.input("y", {2})};
  const auto outputs = instantiate(body, g, inputs);
  BOOST_TEST(g.node_count() == 3);
  BOOST_TEST(outputs[0].node().op->name == "sub");
  BOOST_TEST(same(outputs[1], inputs[1]));
  (void)unused;
}

BOOST_AUTO_TEST_SUITE_END()
