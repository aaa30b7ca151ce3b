#include "evaluate_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/argreduce.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/where.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::evaluate;
using test::message_of;
using test::named_message_of;
using test::Values;

namespace {

std::vector<float> value_of(const Tensor& tensor, const std::map<std::string, Values>& inputs) {
  return evaluate({tensor}, inputs)[0].as<float>();
}

std::string here(int line) { return "gradients_test.cpp:" + std::to_string(line); }

std::vector<TensorType> same_type(const ShapeContext& context) { return {context.input(0)}; }

// Ops that break the rules of gradients, each in its own way.
const OpDef step_def{.name = "step", .inputs = {"x"}, .shape = same_type, .no_gradient = "it is piecewise constant"};
const OpDef unsaid_def{.name = "unsaid", .inputs = {"x"}, .shape = same_type};
const OpDef later_def{.name = "later", .inputs = {"x"}, .shape = same_type, .vjp = [](const Vjp&) -> Gradients {
                        return {Gradient::not_implemented("the formula is not known")};
                      }};
const OpDef too_few_def{
    .name = "too_few", .inputs = {"x"}, .shape = same_type, .vjp = [](const Vjp&) -> Gradients { return {}; }};
const OpDef empty_def{
    .name = "empty", .inputs = {"x"}, .shape = same_type, .vjp = [](const Vjp&) -> Gradients { return {Tensor()}; }};
const OpDef wrong_shape_def{
    .name = "wrong_shape", .inputs = {"x"}, .shape = same_type, .vjp = [](const Vjp& v) -> Gradients {
      return {constant(v.graph(), 1)};
    }};
const OpDef wrong_dtype_def{
    .name = "wrong_dtype", .inputs = {"x"}, .shape = same_type, .vjp = [](const Vjp& v) -> Gradients {
      return {cast(v.cotangent(), DType::f64)};
    }};
const OpDef zero_def{.name = "zero", .inputs = {"x"}, .shape = same_type, .vjp = [](const Vjp&) -> Gradients {
                       return {Gradient::none()};
                     }};

Tensor apply(const OpDef& op, const Tensor& x, SourceLocation location = SourceLocation::current()) {
  return x.graph().add(op, {&x, 1}, {}, location);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(autodiff_gradients)

BOOST_AUTO_TEST_CASE(a_polynomial_to_the_fourth_order) {
  Graph g;
  const Tensor x = g.input("x", {3});
  Tensor y = x * x * x - 2 * x;
  const std::map<std::string, Values> at = {{"x", Values::of<float>({3}, {1, 2, -3})}};
  const std::vector<std::vector<float>> expected = {{1, 10, 25}, {6, 12, -18}, {6, 6, 6}, {0, 0, 0}};
  for (const std::vector<float>& derivative : expected) {
    y = gradient(y, x);
    BOOST_TEST((y.shape() == x.shape()));
    BOOST_TEST((value_of(y, at) == derivative));
  }
}

BOOST_AUTO_TEST_CASE(mixed_second_derivatives_are_symmetric) {
  Graph g;
  const Tensor x = g.input("x", {2}), z = g.input("z", {2});
  const Tensor y = x * x * z + z / x;
  const std::map<std::string, Values> at = {{"x", Values::of<float>({2}, {1, 2})},
                                            {"z", Values::of<float>({2}, {3, -4})}};
  const auto first = gradients(y, {x, z});
  BOOST_TEST((value_of(first[0], at) == std::vector<float>{3, -15}));  // 2xz - z/x^2
  BOOST_TEST((value_of(first[1], at) == std::vector<float>{2, 4.5}));  // x^2 + 1/x
  const std::vector<float> mixed = {1, 3.75};                          // 2x - 1/x^2
  BOOST_TEST((value_of(gradient(first[0], z), at) == mixed));
  BOOST_TEST((value_of(gradient(first[1], x), at) == mixed));
}

BOOST_AUTO_TEST_CASE(the_cotangent_weighs_y) {
  Graph g;
  const Tensor x = g.input("x", {2}), v = g.input("v", {2});
  const std::map<std::string, Values> at = {{"x", Values::of<float>({2}, {3, 5})},
                                            {"v", Values::of<float>({2}, {10, 100})}};
  BOOST_TEST((value_of(gradient(x * x, x, v), at) == std::vector<float>{60, 1000}));
}

BOOST_AUTO_TEST_CASE(an_inner_value_an_x_given_twice_and_y_itself) {
  Graph g;
  const Tensor x = g.input("x", {1});
  const Tensor inner = x * x, y = inner * x;
  const auto grads = gradients(y, {x, inner, y, x});
  const std::map<std::string, Values> at = {{"x", Values::of<float>({1}, {2})}};
  BOOST_TEST((value_of(grads[0], at) == std::vector<float>{12}));
  BOOST_TEST((value_of(grads[1], at) == std::vector<float>{2}));
  BOOST_TEST((value_of(grads[2], at) == std::vector<float>{1}));
  BOOST_TEST((value_of(grads[3], at) == std::vector<float>{12}));
}

BOOST_AUTO_TEST_CASE(an_x_that_y_does_not_depend_on_gives_zeros) {
  Graph g;
  const Tensor x = g.input("x", {2}), other = g.input("other", {"batch", 3}, DType::f64);
  const Tensor y = x * x;
  const auto grads = gradients(y, {other, y * 2});
  BOOST_TEST((grads[0].shape() == other.shape()));
  BOOST_TEST((grads[0].dtype() == DType::f64));
  BOOST_TEST((value_of(grads[1], {}) == std::vector<float>{0, 0}));
}

BOOST_AUTO_TEST_CASE(only_nodes_between_x_and_y_are_differentiated) {
  Graph g;
  const Tensor x = g.input("x", {2}), a = g.input("a", {2});
  const Tensor y = x * apply(unsaid_def, a);
  const int before = g.node_count();
  (void)gradient(y, x);
  BOOST_TEST(g.node_count() <= before + 4);  // 1, its broadcast, two products
}

BOOST_AUTO_TEST_CASE(gradients_of_mixed_dtypes_come_back_in_the_dtype_of_x) {
  Graph g;
  const Tensor x = g.input("x", {2}), w = g.input("w", {2}, DType::f64);
  const auto grads = gradients(x * w, {x, w});
  BOOST_TEST((grads[0].dtype() == DType::f32));
  BOOST_TEST((grads[1].dtype() == DType::f64));
}

BOOST_AUTO_TEST_CASE(sizes_that_only_a_binding_can_compare_take_the_name_in_x) {
  Graph g;
  const Tensor x = g.input("x", {"n"}), w = g.input("w", {"m"});
  const auto grads = gradients(x * w, {x, w});
  BOOST_TEST((grads[0].shape() == Shape{"n"}));
  BOOST_TEST((grads[1].shape() == Shape{"m"}));
}

BOOST_AUTO_TEST_CASE(gradient_nodes_carry_the_line_and_the_path_of_the_forward_node) {
  Graph g;
  const Tensor x = g.input("x", {2});
  Tensor y;
  int line = 0;
  {
    const Scope scope = g.scope("layer");
    line = __LINE__ + 1;
    y = x * x;
    (void)y.named("square");
  }
  const Scope scope = g.scope("elsewhere");
  const int before = g.node_count();
  const Tensor dx = gradient(y, x);
  for (int id = before; id < g.node_count(); ++id) {
    BOOST_TEST(g.node(id).path.starts_with("layer/grad"));
    BOOST_TEST(g.node(id).location.line == line);
    BOOST_TEST(g.node(id).name.empty());
  }
  BOOST_TEST(g.path() == "elsewhere");
  BOOST_TEST(gradient(dx, x).node().path.starts_with("layer/grad"));
}

BOOST_AUTO_TEST_CASE(the_walk_does_not_recurse) {
  Graph g;
  const Tensor x = g.input("x", {1});
  Tensor y = x;
  for (int i = 0; i < 20000; ++i) y = -y;
  BOOST_TEST((value_of(gradient(y, x), {}) == std::vector<float>{1}));
}

BOOST_AUTO_TEST_CASE(a_path_that_a_rule_ends_counts_as_zero) {
  Graph g;
  const Tensor x = g.input("x", {1});
  BOOST_TEST((value_of(gradient(apply(zero_def, x), x), {}) == std::vector<float>{0}));
}

BOOST_AUTO_TEST_CASE(a_path_without_a_gradient_is_zero_beside_one_with_a_gradient) {
  Graph g;
  const Tensor x = g.input("x", {1});
  BOOST_TEST((value_of(gradient(3 * x + apply(step_def, x), x), {}) == std::vector<float>{3}));
}

BOOST_AUTO_TEST_CASE(only_paths_without_a_gradient_are_an_error) {
  Graph g;
  const Tensor x = g.input("x", {1}), w = g.input("w", {1});
  const int made = __LINE__ + 1;
  const Tensor y = (w * apply(step_def, apply(step_def, x * 2).named("first")).named("second")).named("y");
  BOOST_TEST(named_message_of(
                 [&] {
                   (void)gradients(y, {w, x});
                 },
                 {{"made", made}}) ==
             "<here>: gradients: no differentiable path leads from x \"x\" to y \"y\"\n"
             "  step \"second\" (<made>) has no gradient: it is piecewise constant\n"
             "  if zero is what you want, leave x out or use stop_gradient");
}

BOOST_AUTO_TEST_CASE(a_path_through_an_index_is_an_error_and_through_a_condition_zero) {
  Graph g;
  const Tensor x = g.input("x", {3});
  const int made = __LINE__ + 1;
  const Tensor y = cast(2 * argmax(x).named("largest") + 1, DType::f32).named("y");
  BOOST_TEST(named_message_of([&] { (void)gradient(y, x); }, {{"made", made}}) ==
             "<here>: gradients: no differentiable path leads from x \"x\" to y \"y\"\n"
             "  argmax \"largest\" (<made>) has no gradient: its result is an index\n"
             "  if zero is what you want, leave x out or use stop_gradient");
  const std::map<std::string, Values> at = {{"x", Values::of<float>({3}, {-1, 1, 2})}};
  BOOST_TEST((value_of(gradient(where(x > 0, 2.0F, full(g, {3}, 1)), x), at) == std::vector<float>{0, 0, 0}));
}

BOOST_AUTO_TEST_CASE(mistakes_of_the_user_are_errors) {
  Graph g, h;
  const Tensor x = g.input("x", {2}), i = g.input("i", {2}, DType::i32), other = h.input("other", {2});
  BOOST_TEST(named_message_of([&] { (void)gradient(1, x); }) ==
             "<here>: gradients: y is a number or an empty Tensor\n  gradients needs a Tensor");
  BOOST_TEST(named_message_of([&] { (void)gradient(i, x); }) ==
             "<here>: gradients: y \"i\" is i32[2]\n  only float tensors have gradients");
  BOOST_TEST(named_message_of([&] { (void)gradient(x, i); }) ==
             "<here>: gradients: x 0 \"i\" is i32[2]\n  only float tensors have gradients");
  BOOST_TEST(named_message_of([&] { (void)gradient(x, Tensor()); }) ==
             "<here>: gradients: x 0 is an empty Tensor\n  gradients needs Tensors");
  BOOST_TEST(named_message_of([&] {
               (void)gradients(x, {x, other});
             }) ==
             "<here>: gradients: x 1 \"other\" belongs to another graph than y \"x\"\n"
             "  a gradient is taken within one graph");
  BOOST_TEST(named_message_of([&] { (void)gradient(x, x, other); }) ==
             "<here>: gradients: the cotangent \"other\" belongs to another graph than y \"x\"\n"
             "  a gradient is taken within one graph");
  BOOST_TEST(named_message_of([&] { (void)gradient(x, x, g.input("v", {3})); }) ==
             "<here>: gradients: the cotangent \"v\" is f32[3], y \"x\" is f32[2]\n"
             "  the cotangent has the shape and dtype of y");
  const Tensor half = g.input("half", {2}, DType::bf16);
  BOOST_TEST(named_message_of([&] { (void)gradient(half, half, half); }) ==
             "<here>: gradients: the cotangent \"half\" is bf16[2], y \"half\" is bf16[2]\n"
             "  the cotangent has the shape of y, and is f32 where y is bf16");
}

BOOST_AUTO_TEST_CASE(a_gradient_that_is_not_implemented_is_an_error_only_on_a_path_to_x) {
  Graph g;
  const int made = __LINE__ + 1;
  const Tensor x = g.input("x", {2}), w = g.input("w", {2});
  const int refused = __LINE__ + 1;
  const Tensor late = apply(later_def, w).named("late");
  const Tensor y = x * late;
  BOOST_CHECK_NO_THROW((void)gradient(y, x));
  BOOST_TEST(named_message_of([&] { (void)gradient(y, w); }, {{"made", made}, {"refused", refused}}) ==
             "<here>: gradients: the gradient of later \"late\" (<refused>) has not been implemented "
             "for x: the formula is not known\n"
             "  x \"w\"  f32[2]  input, <made>\n"
             "  every op between an x and y needs a gradient");
}

BOOST_AUTO_TEST_CASE(mistakes_of_an_op_name_the_op) {
  Graph g;
  const Tensor x = g.input("x", {2});
  const std::string operands = "\n  x \"x\"  f32[2]  input, " + here(__LINE__ - 1) +
                               "\n  a gradient rule returns one gradient per input, of the input's shape and dtype";
  const auto message = [&](const OpDef& op) {
    return message_of([&] { (void)gradient(apply(op, x, {"user.cpp", 7}), x); });
  };
  BOOST_TEST(message(unsaid_def) ==
             "user.cpp:7: unsaid: the gradient rule of op unsaid is missing, and so is the reason why there is "
             "none" +
                 operands);
  BOOST_TEST(message(too_few_def) ==
             "user.cpp:7: too_few: the gradient rule of op too_few returned 0 gradients for 1 inputs" + operands);
  BOOST_TEST(message(empty_def) ==
             "user.cpp:7: empty: the gradient rule of op empty returned an empty Tensor for x" + operands);
  BOOST_TEST(message(wrong_shape_def) ==
             "user.cpp:7: wrong_shape: the gradient rule of op wrong_shape returned f32[] for x, which is f32[2]" +
                 operands);
  BOOST_TEST(message(wrong_dtype_def) ==
             "user.cpp:7: wrong_dtype: the gradient rule of op wrong_dtype returned f64[2] for x, which is f32[2]" +
                 operands);
}

BOOST_AUTO_TEST_SUITE_END()
