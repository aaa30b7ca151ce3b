#include "message_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/program.hpp>
#include <gradloom/runtime/state_internal.hpp>

#include <boost/test/unit_test.hpp>

#include <utility>

using namespace gradloom;

BOOST_AUTO_TEST_SUITE(runtime_program)

BOOST_AUTO_TEST_CASE(runs_a_graph_and_specialises_to_each_batch) {
  Graph g;
  const Tensor x = g.input("x", {"batch", 3});
  const Tensor b = g.parameter("b", {3}, {.a = 2});
  const Program program = compile({.outputs = {x * b + 1, sum(x)}});
  State state;
  const Executor executor{{.threads = 2}};
  for (const int64_t batch : {2, 5, 2}) {
    std::vector<float> values(static_cast<size_t>(batch) * 3, 1.5f);
    const auto outputs = program.run(executor, state, {{"x", Array::from(values, {batch, 3})}});
    BOOST_TEST(outputs[0].sizes() == (std::vector<int64_t>{batch, 3}));
    BOOST_TEST(outputs[0].at<float>({batch - 1, 2}) == 4.0f);
    BOOST_TEST(outputs[1].item<float>() == 4.5f * static_cast<float>(batch));
  }
  BOOST_TEST(program.stats().specializations == 2);
  BOOST_TEST(program.stats().specializations_made == 2);
}

BOOST_AUTO_TEST_CASE(updates_the_state_in_place) {
  Graph g;
  const Tensor x = g.input("x", {4});
  const Tensor w = g.parameter("w", {4}, {.a = 1});
  const Tensor loss = sum(w * w * x);
  const Tensor grad = gradient(loss, w);
  const Program program = compile({.outputs = {loss}, .updates = {{w, w - 0.25 * grad}}});
  State state;
  const Executor executor{{.threads = 1}};
  const Batch inputs = {{"x", Array::from<float>({1, 1, 2, 0})}};
  BOOST_TEST(program.run(executor, state, inputs)[0].item<float>() == 4.0f);
  BOOST_TEST(state.get("w").to_vector<float>() == (std::vector<float>{0.5f, 0.5f, 0, 1}));
  BOOST_TEST(state.step() == 1);
  BOOST_TEST(program.run(executor, state, inputs)[0].item<float>() == 0.5f);
}

BOOST_AUTO_TEST_CASE(everything_wrong_with_the_inputs_is_named_at_once) {
  Graph g;
  const int image = __LINE__ + 1;
  const Tensor x = g.input("image", {"batch", 3});
  const int label = __LINE__ + 1;
  const Tensor t = g.input("label", {"batch"}, DType::i32);
  const Program program = compile({.outputs = {sum(x), sum(t)}});
  State state;
  const Batch wrong = {{"imige", Array({2, 3})}, {"label", Array({2}, DType::i64)}};
  BOOST_TEST(test::named_message_of([&] { (void)program.run(state, wrong); }, {{"image", image}, {"label", label}}) ==
             "run: 3 inputs do not fit\n"
             "  \"imige\" is no input; did you mean \"image\"?\n"
             "  \"image\" is missing: f32[batch, 3], declared at <image>\n"
             "  \"label\" is i64[2], not i32[batch], declared at <label>\n"
             "  a run is given every input of its Program by name, of the declared dtype and shape");
  BOOST_TEST(state.names().empty());
}

BOOST_AUTO_TEST_CASE(baked_in_constants_need_no_state) {
  Graph g;
  const Tensor x = g.input("x", {3});
  const Tensor w = g.parameter("w", {3});
  State trained;
  trained.set("w", Array::from<float>({1, 2, 3}));
  const Program program = compile({.outputs = {x * w}, .mode = Mode::inference, .constants = &trained});
  const State empty;
  const auto outputs = program.run(Executor{{.threads = 1}}, empty, {{"x", Array::from<float>({2, 2, 2})}});
  BOOST_TEST(outputs[0].to_vector<float>() == (std::vector<float>{2, 4, 6}));
}

BOOST_AUTO_TEST_CASE(a_constant_of_another_shape_is_refused) {
  Graph g;
  const int w_line = __LINE__ + 1;
  const Tensor w = g.parameter("w", {3});
  State trained;
  trained.set("w", Array({4}));
  const std::string text =
      test::named_message_of([&] { (void)compile({.outputs = {w * 2}, .constants = &trained}); }, {{"w", w_line}});
  BOOST_TEST(text ==
             "<w>: parameter \"w\": the State to bake in has it as f32[4]\n"
             "  a value that is baked in has the parameter's dtype and shape, f32[3]");
}

BOOST_AUTO_TEST_CASE(only_the_latest_specialisations_are_kept) {
  Graph g;
  const Tensor x = g.input("x", {"n"});
  const Program program = compile({.outputs = {x + 1}, .specializations = 3});
  State state;
  for (int64_t n = 1; n <= 5; ++n) (void)program.run(state, {{"x", Array({n})}});
  BOOST_TEST(program.stats().specializations == 3);
  (void)program.run(state, {{"x", Array({5})}});
  BOOST_TEST(program.stats().specializations_made == 5);
  (void)program.run(state, {{"x", Array({1})}});
  BOOST_TEST(program.stats().specializations_made == 6);
}

BOOST_AUTO_TEST_CASE(symbols_that_meet_are_checked_with_both_lines) {
  Graph g;
  const int one = __LINE__ + 1;
  const Tensor a = g.input("a", {"n"});
  const int other = __LINE__ + 1;
  const Tensor b = g.input("b", {"m"});
  const int product = __LINE__ + 1;
  const Program program = compile({.outputs = {a * b}});
  State state;
  BOOST_TEST(program.run(state, {{"a", Array({4})}, {"b", Array({4})}})[0].size() == 4);
  const Batch unequal = {{"a", Array({4})}, {"b", Array({5})}};
  BOOST_TEST(test::named_message_of([&] { (void)program.run(state, unequal); },
                                    {{"one", one}, {"other", other}, {"product", product}}) ==
             "<product>: broadcast: the sizes of axis -1 differ, m = 5 and n = 4\n"
             "  n is 4, by input \"a\", <one>\n"
             "  m is 5, by input \"b\", <other>\n"
             "  sizes that the graph takes to be equal must be given equal values");
}

BOOST_AUTO_TEST_CASE(outputs_may_be_the_callers_and_lie_over_the_inputs) {
  Graph g;
  const Tensor x = g.input("x", {2, 2});
  const Program program = compile({.outputs = {transpose(x)}});
  State state;
  const Executor executor{{.threads = 1}};
  Array both = Array::from(std::vector<float>{1, 2, 3, 4}, {2, 2});
  program.run(executor, state, {{"x", both}}, std::span<Array>(&both, 1));
  BOOST_TEST(both.to_vector<float>() == (std::vector<float>{1, 3, 2, 4}));
  const std::vector<float> fixed(4);
  Array view = Array::view(fixed.data(), {2, 2});
  BOOST_CHECK_EXCEPTION(program.run(executor, state, {{"x", both}}, std::span<Array>(&view, 1)), Error,
                        [](const Error& error) { return error.problem() == "output 0 is a view of const memory"; });
}

BOOST_AUTO_TEST_CASE(outputs_do_not_share_memory) {
  Graph g;
  const Tensor x = g.input("x", {3});
  const Program program = compile({.outputs = {x + 1, x * 2}});
  State state;
  std::vector<Array> same(2, Array({3}));  // copies of an Array share its elements
  BOOST_TEST(test::message_of([&] {
               program.run(Executor{}, state, {{"x", Array({3})}}, std::span<Array>(same));
             }) ==
             "run: outputs 0 and 1 share memory\n"
             "  outputs are given as dense Arrays of the Program's dtypes and sizes, each with its own memory");
}

BOOST_AUTO_TEST_CASE(runs_that_meet_over_a_state_are_refused) {
  Graph g;
  const Tensor x = g.input("x", {3}), w = g.parameter("w", {3});
  const Program reads = compile({.outputs = {x * w}}), updates = compile({.updates = {{w, w + x}}});
  State state, empty;
  reads.initialize(state);
  const Batch batch = {{"x", Array({3})}};
  const std::string rule =
      "\n  runs may read a State together; one that updates it, or gives it values that it lacks, has it alone";
  std::atomic<int>& runs = StateAccess::data(state).runs;
  runs = -1;
  BOOST_TEST(test::message_of([&] { (void)reads.run(Executor{}, std::as_const(state), batch); }) ==
             "run: the State is being updated by another run" + rule);
  runs = 1;
  (void)reads.run(Executor{}, std::as_const(state), batch);
  (void)reads.run(Executor{}, state, batch);
  BOOST_TEST(runs == 1);
  BOOST_TEST(test::message_of([&] { (void)updates.run(Executor{}, state, batch); }) ==
             "run: the State is being read by another run" + rule);
  runs = 0;
  (void)updates.run(Executor{}, state, batch);
  BOOST_TEST(runs == 0);
  StateAccess::data(empty).runs = 1;
  BOOST_TEST(test::message_of([&] { (void)reads.run(Executor{}, empty, batch); }) ==
             "run: the State is being read by another run" + rule);
  BOOST_TEST(StateAccess::data(empty).runs == 1);
  BOOST_TEST(!empty.has("w"));
}

BOOST_AUTO_TEST_CASE(a_state_that_does_not_fit_is_an_error) {
  Graph g;
  const Tensor w = g.parameter("w", {3}), v = g.parameter("v", {2, 2}, {}, {.dtype = DType::f64});
  const Program reads = compile({.outputs = {sum(w), sum(v)}}), updates = compile({.updates = {{w, w + 1}}});
  State state;
  BOOST_TEST(test::message_of([&] { (void)reads.run(Executor{}, std::as_const(state), {}); }) ==
             "run: the State, which is const, lacks values\n  \"w\", f32[3]\n  \"v\", f64[2, 2]\n"
             "  Program::initialize, a run with a State that may change, or io::load gives them values");
  BOOST_TEST(test::message_of([&] { (void)updates.run(Executor{}, std::as_const(state), {}); }) ==
             "run: the Program has updates but the State is const\n"
             "  a run that updates needs a State it may write to");
  state.set("w", Array({4}));
  BOOST_TEST(test::message_of([&] { (void)reads.run(Executor{}, state, {}); }) ==
             "run: the State does not fit the Program\n  \"w\" is f32[4] in the State and f32[3] in the Program\n"
             "  a State's values have the dtypes and shapes of the parameters of that name");
  BOOST_TEST(!state.has("v"));
  const Program small = compile({.outputs = {w * 2}, .memory_budget = 1});
  BOOST_TEST(test::message_of([&] { (void)small.specialize({}); }).starts_with("compile: the plan needs "));
}

BOOST_AUTO_TEST_CASE(compile_refuses_what_makes_no_program) {
  Graph g, other;
  const Tensor x = g.input("x", {2}), w = g.parameter("w", {2}), y = other.input("y", {2});
  const std::string rule =
      "\n  compile needs outputs or updates, all of one graph, and each parameter updated once at most";
  const auto message_of = [](const CompileOptions& options) {
    try {
      (void)compile(options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  const std::string at = "program_test.cpp:" + std::to_string(w.node().location.line);
  BOOST_TEST(message_of({}) == "compile: neither outputs nor updates are given" + rule);
  BOOST_TEST(message_of({.outputs = {x, y}}) == at + ": compile \"y\": it is of another graph" + rule);
  BOOST_TEST(message_of({.updates = {{x, x}}}) ==
             at + ": compile \"x\": it is to be updated but is no parameter" + rule);
  BOOST_TEST(message_of({.updates = {{w, x}, {w, w}}}) == at + ": compile \"w\": it is updated twice" + rule);
  BOOST_TEST(message_of({.updates = {{w, sum(w)}}}) ==
             at + ": compile \"w\": its update is f32[], it is f32[2]" + rule);
  // Also where the graph's own updates are looked through: a node with a number that the graph does not have.
  g.add_side_update({w, w + x});
  Tensor far = y;
  for (int i = 0; i < 20; ++i) far = far + 1;
  BOOST_TEST(message_of({.outputs = {x, far}}).find("it is of another graph") != std::string::npos);
  BOOST_TEST(message_of({.outputs = {x}, .updates = {{w, far}}}).find("it is of another graph") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(explain_shows_passes_memory_and_tasks) {
  Graph g;
  const Tensor x = g.input("x", {"n"});
  const Program program = compile({.outputs = {sum(x * 2 + 1)}});
  const SymbolBinding n[] = {{"n", 8}};
  const std::string text = program.explain(n);
  for (const char* part : {"---- declared", "---- specialize", "---- simplify", "---- fuse", "---- memory",
                           "---- tasks", "region(mul, add)"}) {
    BOOST_TEST(text.find(part) != std::string::npos, part);
  }
}

// Written out once per pass, the weights of a network would take far more memory than the network.
BOOST_AUTO_TEST_CASE(explain_shows_the_first_elements_of_baked_in_weights) {
  Graph g;
  const Tensor x = g.input("x", {2, 1000}), w = g.parameter("w", {1000, 300});
  State trained;
  trained.set("w", Array({1000, 300}));
  const std::string text = compile({.outputs = {matmul(x, w)}, .constants = &trained}).explain();
  BOOST_TEST(text.find("literal f32[1000, 300] {0, 0") != std::string::npos);
  BOOST_TEST(text.find(", 0, and 299984 more}") != std::string::npos);
  BOOST_TEST(text.size() < 10000);
}

BOOST_AUTO_TEST_SUITE_END()
