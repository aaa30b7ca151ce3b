#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/reduce.hpp>

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
  const int line = __LINE__ + 1;
  const Tensor x = g.input("image", {"batch", 3});
  const Tensor t = g.input("label", {"batch"}, DType::i32);
  const Program program = compile({.outputs = {sum(x), sum(t)}});
  State state;
  try {
    (void)program.run(state, {{"imige", Array({2, 3})}, {"label", Array({2}, DType::i64)}});
    BOOST_FAIL("nothing was thrown");
  } catch (const Error& error) {
    const std::string at = "program_test.cpp:";
    BOOST_TEST(error.what() ==
               "run: 3 inputs do not fit\n"
               "  \"imige\" is no input; did you mean \"image\"?\n"
               "  \"image\" is missing: f32[batch, 3], declared at " + at + std::to_string(line) + "\n"
               "  \"label\" is i64[2], not i32[batch], declared at " + at + std::to_string(line + 1) + "\n"
               "  a run is given every input of its Program by name, of the declared dtype and shape");
  }
  BOOST_TEST(state.names().empty());
}

BOOST_AUTO_TEST_SUITE_END()
