#include "message_helper.hpp"
#include <gradloom/autodiff/custom_gradient.hpp>
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/attributes.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/text.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/op_table.hpp>
#include <gradloom/ops/parse.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstring>
#include <limits>

using namespace gradloom;
using test::message_of;
using test::with_names;

namespace {

// An op with any attributes and two outputs.
const OpDef any_def{.name = "any",
                    .inputs = {"x"},
                    .variadic = true,
                    .shape =
                        [](const ShapeContext& context) {
                          return std::vector<TensorType>{context.input(0), {DType::i64, {}}};
                        },
                    .no_gradient = "it exists for this test only"};

Subgraph parse_any(std::string_view text) {
  std::vector<const OpDef*> ops(all_ops().begin(), all_ops().end());
  ops.push_back(&any_def);
  return parse_text(text, ops);
}

std::string graph_of(const std::string& lines) { return "graph {\n" + lines + "}\n"; }

// With x of type f32[2] as node 0.
std::string with_x(const std::string& lines) {
  return graph_of("  %0 \"x\" = input() {dtype = f32, shape = [2]} : f32[2]\n" + lines);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(graph_text)

BOOST_AUTO_TEST_CASE(a_graph_reads_line_by_line) {
  Graph g;
  const int input = __LINE__ + 1;
  const Tensor x = g.input("x", {"batch", 2});
  const Scope scope = g.scope("layer");
  const int parameter = __LINE__ + 1;
  const Tensor b = g.parameter("b", {2}, {.a = 0.5});
  const int product = __LINE__ + 1;
  const Tensor y = x * b;
  (void)y.named("scaled");
  const std::string text = to_text(g);
  BOOST_TEST(
      with_names(text, {{"input", input}, {"parameter", parameter}, {"product", product}}) ==
      "graph {\n"
      "  %0 \"x\" = input() {dtype = f32, shape = [batch, 2]} : f32[batch, 2] @<input>\n"
      "  %1 \"layer/b\" = parameter() {dtype = f32, shape = [2], trainable = true, distribution = 0, a = 0.5, b = 0.0, "
      "scaling = 0} : f32[2] in \"layer\" @<parameter>\n"
      "  %2 = broadcast(%1) {shape = [batch, 2]} : f32[batch, 2] in \"layer/broadcast\" @<product>\n"
      "  %3 \"scaled\" = mul(%0, %2) : f32[batch, 2] in \"layer\" @<product>\n"
      "}\n");
  BOOST_TEST(to_text(parse_text(text)) == text);
}

BOOST_AUTO_TEST_CASE(selected_outputs_are_numbered_anew) {
  Graph g;
  const Tensor unused = g.input("unused", {2});
  const Tensor x = g.input("x", {2});
  const Tensor outputs[] = {-x, x};
  const std::string text = to_text(g, outputs);
  BOOST_TEST(text.find("unused") == std::string::npos);
  BOOST_TEST(text.find("%1 = neg(%0)") != std::string::npos);
  BOOST_TEST(text.find("  output %1, %0\n") != std::string::npos);
  const Subgraph parsed = parse_text(text);
  BOOST_TEST(parsed.outputs.size() == 2u);
  BOOST_TEST(to_text(parsed) == text);
}

BOOST_AUTO_TEST_CASE(every_type_of_attribute_parses_back) {
  const std::string text = with_x(
      "  %1 \"a\\\"b\\\\\\u000a\" = any(%0, %0) {yes = true, no = false, i = -9223372036854775808, whole = 3.0, "
      "tenth = 0.1, big = 1e+300, least = -5e-324, inf = inf, minus = -inf, nan = nan, s = \"a, {b}\", "
      "dtype = boolean, none = (), axes = (0, -1), dim = dim(((batch + 1) / (2))), scalar = [], "
      "shape = [2*batch + 1, ((n) / (2)), 3]} : f32[2], i64[] in \"some scope/inner\" @\"my file.cpp\":7\n"
      "  %2 = any(%1, %1.1) : f32[2], i64[]\n"
      "  output %2.1\n");
  const Subgraph parsed = parse_any(text);
  BOOST_TEST(to_text(parsed) == text);
  const Attributes& attributes = parsed.graph.node(1).attributes;
  BOOST_TEST(attributes.get<bool>("yes"));
  BOOST_TEST(attributes.get<int64_t>("i") == std::numeric_limits<int64_t>::min());
  BOOST_TEST(attributes.get<double>("least") == -std::numeric_limits<double>::denorm_min());
  BOOST_TEST(std::isnan(attributes.get<double>("nan")));
  BOOST_TEST((attributes.get<DType>("dtype") == DType::boolean));
  BOOST_TEST((attributes.get<Shape>("shape") == Shape{2 * Dim("batch") + 1, Dim("n") / 2, 3}));
  BOOST_TEST(parsed.graph.node(1).name == "a\"b\\\n");
}

// The names of files are not the program's own here: each graph keeps those that its nodes point to.
BOOST_AUTO_TEST_CASE(a_copy_of_a_node_keeps_its_line_when_the_parsed_graph_goes) {
  const std::string line = "  %0 \"x\" = input() {dtype = f32, shape = [2]} : f32[2] @\"my file.cpp\":7\n";
  Graph copied, derived;
  {
    const Subgraph parsed = parse_text(graph_of(line));
    const Node& x = parsed.graph.node(0);
    (void)copied.add_copy(x, {}, x.attributes);
    const SourceScope scope(derived, x, {});
    (void)derived.input("x", {2});
  }
  BOOST_TEST(to_text(copied) == graph_of(line));
  BOOST_TEST(to_text(derived) == graph_of(line));
}

BOOST_AUTO_TEST_CASE(literals_keep_every_bit) {
  Graph g;
  (void)constant<bool>(g, {2}, {true, false});
  (void)constant<uint8_t>(g, {2}, {uint8_t{0}, uint8_t{255}});
  (void)constant<int32_t>(g, {2, 1}, {INT32_MIN, 7});
  (void)constant<int64_t>(g, {}, {INT64_MAX});
  (void)constant<float>(g, {0, 3}, std::initializer_list<float>{});
  const uint32_t signalling = 0x7fa00001;
  (void)constant<float>(g, {7}, {0.1f, -0.0f, 1e-45f, std::numeric_limits<float>::infinity(), NAN, -NAN, 16777216.0f});
  (void)constant<double>(g, {2}, {1.0 / 3, std::numeric_limits<double>::quiet_NaN()});
  Literal payload{DType::f32, {1}, std::vector<std::byte>(4)};
  std::memcpy(payload.bytes.data(), &signalling, 4);
  (void)constant(g, payload);
  const std::string text = to_text(g);
  BOOST_TEST(text.find("literal boolean[2] {1, 0}") != std::string::npos);
  BOOST_TEST(text.find("literal f32[0, 3] {}") != std::string::npos);
  BOOST_TEST(text.find("literal f32[7] {0.1, -0, 1e-45, inf, nan, -nan, 16777216}") != std::string::npos);
  BOOST_TEST(text.find("literal f32[1] {bits:7fa00001}") != std::string::npos);
  const Subgraph parsed = parse_text(text);
  BOOST_TEST(to_text(parsed) == text);
  for (int id = 0; id < g.node_count(); ++id) BOOST_TEST((literal_of(g.node(id)) == literal_of(parsed.graph.node(id))));
}

BOOST_AUTO_TEST_CASE(bodies_constraints_and_side_updates_parse_back) {
  Graph g;
  const Tensor x = g.input("x", {"n"}), z = g.input("z", {"m"});
  const Tensor mean = g.parameter("mean", {}, {}, {.trainable = false});
  g.add_side_update({mean, mean * 2});
  const Tensor y = custom_gradient(x * z, {x}, [](std::span<const Tensor> in, const Tensor&, const Tensor& cotangent) {
    return std::vector<Tensor>{cotangent * in[0]};
  });
  (void)gradient(y, x);
  const std::string text = to_text(g);
  BOOST_TEST(text.find("differentiable = (1), rule = graph {\n    %0 \"input_0\" = input()") != std::string::npos,
             text);
  BOOST_TEST(text.find("  constraint [m, n] at ") != std::string::npos, text);
  BOOST_TEST(text.find("  update %2 = %4\n") != std::string::npos, text);
  BOOST_TEST(to_text(parse_text(text)) == text);
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors_with_line_and_column) {
  const auto message = [](const std::string& text) { return message_of([&] { (void)parse_any(text); }); };
  BOOST_TEST(message("") == "text:1:1: expected \"graph\", not the end");
  BOOST_TEST(message("graph {\n  nonsense\n}") ==
             "text:2:3: expected a node, \"constraint\", \"update\", \"output\" or \"}\", not \"nonsense\"");
  BOOST_TEST(message(with_x("") + "more") == "text:4:1: expected the end, not \"more\"");
  BOOST_TEST(message(with_x("  %7 = neg(%0) : f32[2]\n")) == "text:3:3: node %7 is out of turn, %1 is next");
  BOOST_TEST(message(with_x("  %1 = negg(%0) : f32[2]\n")) ==
             "text:3:8: there is no op \"negg\"; did you mean \"neg\"?");
  BOOST_TEST(message(with_x("  %1 = quantum_leap(%0) : f32[2]\n")) == "text:3:8: there is no op \"quantum_leap\"");
  BOOST_TEST(message(with_x("  %1 = neg(%1) : f32[2]\n")) == "text:3:12: there is no %1 yet");
  BOOST_TEST(message(with_x("  %1 = neg(%0.1) : f32[2]\n")) == "text:3:12: there is no %0.1 yet");
  BOOST_TEST(message(with_x("  %1 = neg(%0) : f32[3]\n")) == "text:3:18: neg gives f32[2] here");
  BOOST_TEST(message(with_x("  %1 = neg(%0) : f16[2]\n")) ==
             "text:3:18: there is no dtype \"f16\"\n  the dtypes are boolean, u8, i32, i64, bf16, f32, f64");
  BOOST_TEST(
      message(with_x("  %1 = neg(%0) : f32[2*]\n")) ==
      "text:3:22: \"2*\" is no dimension\n  a dimension is an integer, a name such as batch, or + - * / of them");
  BOOST_TEST(message(with_x("  %1 = any(%0) {a 3} : f32[2], i64[]\n")) == "text:3:19: expected \"=\", not \"3\"");
  BOOST_TEST(message(with_x("  %1 = any(%0) {a = 3, a = 4} : f32[2], i64[]\n")) ==
             "text:3:24: the attribute \"a\" is given twice");
  BOOST_TEST(message(with_x("  %1 = any(%0) {a = what} : f32[2], i64[]\n")) ==
             "text:3:21: \"what\" is no value of an attribute");
  BOOST_TEST(message(with_x("  %1 = any(%0) {a = \"what} : f32[2], i64[]\n")) == "text:3:21: the string does not end");
  BOOST_TEST(message(with_x("  %1 = any(%0) {a = \"\\u00q0\"} : f32[2], i64[]\n")) ==
             "text:3:24: expected four hex digits, 00ff at most");
  BOOST_TEST(message(with_x("  %1 = any(%0) {a = (99999999999999999999)} : f32[2], i64[]\n")) ==
             "text:3:22: 99999999999999999999 is no 64-bit integer");
  BOOST_TEST(message(with_x("  %1 = constant() {literal = literal u8[2] {1, 256}} : u8[2]\n")) ==
             "text:3:48: \"256\" is no u8");
  BOOST_TEST(message(with_x("  %1 = constant() {literal = literal u8[2] {1}} : u8[2]\n")) ==
             "text:3:38: 1 elements do not fill u8[2]");
  BOOST_TEST(message(with_x("  %1 = constant() {literal = literal u8[4294967296, 4294967296] {}} : u8[2]\n")) ==
             "text:3:38: 0 elements do not fill u8[4294967296, 4294967296]");
  BOOST_TEST(message(with_x("  %1 = constant() : u8[2]\n")) ==
             "text:3:3: constant: the attribute \"literal\" is missing");
  BOOST_TEST(message(with_x("  %1 = broadcast(%0) {shape = 3} : f32[3]\n")) ==
             "text:3:3: broadcast: the attribute \"shape\" has another type");
  BOOST_TEST(message(with_x("  %1 \"y\" = add(%0) : f32[2] @user.cpp:9\n")) ==
             "text:3:3: add \"y\": 1 inputs given, 2 needed\n  lhs \"x\"  f32[2]  input\n"
             "  add needs two tensors of numbers, of one shape");
  BOOST_TEST(message(with_x("  %1 \"x\" = input() {dtype = f32, shape = [2]} : f32[2]\n")) ==
             "text:3:6: the name \"x\" is taken");
  BOOST_TEST(message(with_x("  %1 = input() {dtype = f32, shape = [2]} : f32[2]\n")) ==
             "text:3:6: the input has no name");
  BOOST_TEST(message(with_x("  constraint [n, m] at %0 \"the sizes\"\n")) ==
             "text:3:14: the nodes have no such constraint in this place");
  BOOST_TEST(message(graph_of("  %0 \"x\" = input() {dtype = f32, shape = [n]} : f32[n]\n"
                              "  %1 = broadcast(%0) {shape = [m]} : f32[m]\n")) ==
             "text:4:1: 0 constraints given, the nodes have 1");
  BOOST_TEST(message(with_x("  update %0 = %0\n")) == "text:3:10: %0 is no parameter");
}

BOOST_AUTO_TEST_SUITE_END()
