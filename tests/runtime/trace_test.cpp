// What a traced run tells: every chunk of every kernel, its time, and the bytes that the kernels counted.
#include "own_ops_helper.hpp"
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/argreduce.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/iota.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/random.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/runtime/program.hpp>
#include <gradloom/runtime/trace.hpp>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <set>

using namespace gradloom;
using Json = nlohmann::json;

namespace {

/// The one kernel of that name, as the latest traced run saw it.
KernelStats kernel_of(const Program& program, const std::string& name) {
  for (const KernelStats& kernel : program.stats().traced) {
    if (kernel.kernel == name) return kernel;
  }
  BOOST_FAIL("no kernel " + name);
  return {};
}

/// Node by node, so that each op is a kernel of its own.
KernelStats traced_alone(const Tensor& output, const Batch& inputs, const std::string& kernel) {
  const Program program = compile({.outputs = {output}, .optimize = Optimize::none});
  State state;
  Trace trace;
  (void)program.run(Executor{{.threads = 1}}, state, inputs, {.trace = &trace});
  return kernel_of(program, kernel);
}

void check_bytes(const KernelStats& kernel, int64_t read, int64_t written) {
  BOOST_TEST_CONTEXT(kernel.kernel) {
    BOOST_TEST(kernel.bytes_read == read);
    BOOST_TEST(kernel.bytes_written == written);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_trace)

BOOST_AUTO_TEST_CASE(every_chunk_is_an_event_with_its_thread) {
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 4);
  Graph g;
  const Tensor x = g.input("x", {64, 4096});
  const Tensor y = sum(test::meet(x, 3).named("a meeting"));
  const Program program = compile({.outputs = {y}});
  const Executor executor{{.threads = 3, .hold_back_ms = 0}};
  State state;
  Trace trace;
  (void)test::threads_that_met();
  for (int i = 0; i < 2; ++i) (void)program.run(executor, state, {{"x", Array({64, 4096})}}, {.trace = &trace});
  BOOST_TEST(trace.runs() == 2);

  const Json json = Json::parse(trace.json());
  std::set<int> threads;
  int64_t runs = 0, chunks = 0, meetings = 0, meet_chunks = 0;
  for (const Json& event : json.at("traceEvents")) {
    BOOST_TEST(event.at("ph") == "X");
    BOOST_TEST(event.at("ts").get<double>() >= 0);
    BOOST_TEST(event.at("dur").get<double>() >= 0);
    if (event.at("cat") == "run") {
      ++runs;
      continue;
    }
    ++chunks;
    if (event.at("cat") != "meet") continue;
    ++meetings;
    meet_chunks = event.at("args").at("chunks");
    BOOST_TEST(event.at("name") == "a meeting");
    BOOST_TEST(event.at("args").at("line").get<std::string>().starts_with("trace_test.cpp:"));
    threads.insert(event.at("tid").get<int>());
  }
  BOOST_TEST(runs == 2);
  BOOST_TEST(chunks == 2 * program.stats().tasks);
  BOOST_TEST(meetings == 2 * meet_chunks);
  BOOST_TEST(threads.size() >= 3u);

  trace.clear();
  BOOST_TEST(trace.runs() == 0);
  BOOST_TEST(Json::parse(trace.json()).at("traceEvents").empty());
}

BOOST_AUTO_TEST_CASE(chunks_are_the_events_in_order) {
  Graph g;
  const Tensor x = g.input("x", {64, 4096});
  const Program program = compile({.outputs = {sum(tanh(x).named("bent")).named("total")}});
  const Executor executor{{.threads = 2}};
  State state;
  Trace trace;
  for (int i = 0; i < 2; ++i) (void)program.run(executor, state, {{"x", Array({64, 4096})}}, {.trace = &trace});

  const Json json = Json::parse(trace.json());
  std::vector<Json> events;
  for (const Json& event : json.at("traceEvents")) {
    if (event.at("cat") != "run") events.push_back(event);
  }
  std::stable_sort(events.begin(), events.end(), [](const Json& a, const Json& b) { return a.at("ts") < b.at("ts"); });
  const std::vector<TracedChunk> chunks = trace.chunks();
  BOOST_REQUIRE(chunks.size() == events.size());
  for (size_t i = 0; i < chunks.size(); ++i) {
    const TracedChunk& chunk = chunks[i];
    BOOST_TEST(chunk.run == static_cast<int64_t>(2 * i / chunks.size()));
    BOOST_TEST(chunk.name == events[i].at("name"));
    BOOST_TEST(chunk.kernel == events[i].at("args").at("kernel"));
    BOOST_TEST(chunk.chunk == events[i].at("args").at("chunk"));
    BOOST_TEST(chunk.chunks == events[i].at("args").at("chunks"));
    BOOST_TEST(chunk.thread == events[i].at("tid"));
    BOOST_TEST(std::abs(chunk.begin - events[i].at("ts").get<double>()) < 0.001);
    BOOST_TEST(std::abs(chunk.end - chunk.begin - events[i].at("dur").get<double>()) < 0.0015);
  }
  BOOST_TEST(chunks.front().chunks > 1);
  BOOST_TEST(chunks.back().kernel.find("sum") != std::string::npos, chunks.back().kernel);
}

BOOST_AUTO_TEST_CASE(a_run_that_is_not_traced_leaves_nothing) {
  Graph g;
  const Program program = compile({.outputs = {sum(g.input("x", {8}))}});
  State state;
  (void)program.run(state, {{"x", Array({8})}});
  BOOST_TEST(program.stats().traced.empty());
  BOOST_TEST(program.explain().find("traced") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_run_that_throws_is_not_recorded) {
  Graph g;
  const Program program = compile({.outputs = {sum(test::not_negative(g.input("x", {4})))}});
  State state;
  Trace trace;
  BOOST_CHECK_THROW((void)program.run(state, {{"x", Array::from<float>({1, -1, 1, 1})}}, {.trace = &trace}),
                    std::exception);
  BOOST_TEST(trace.runs() == 0);
}

BOOST_AUTO_TEST_CASE(a_traced_run_computes_the_same_bits) {
  Graph g;
  const Tensor x = g.input("x", {"n"});
  const Program program = compile({.outputs = {sum(tanh(x))}});
  State state;
  std::vector<float> values(100'000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 113) * 0.03f - 1;
  const Batch inputs = {{"x", Array::from(values, {100'000})}};
  Trace trace;
  const auto plain = program.run(state, inputs), traced = program.run(state, inputs, {.trace = &trace});
  BOOST_TEST(same_bits(plain[0], traced[0]));
}

BOOST_AUTO_TEST_CASE(kernels_count_operands_and_results_once) {
  constexpr int64_t n = 300, m = 700, all = n * m * 4;  // several chunks
  Graph g;
  const Tensor x = g.input("x", {n, m});
  const Batch inputs = {{"x", Array({n, m})}};
  check_bytes(traced_alone(tanh(x), inputs, "tanh"), all, all);
  check_bytes(traced_alone(sum(x), inputs, "sum"), all, 4);
  check_bytes(traced_alone(sum(x, {.axes = {0}}), inputs, "sum"), all, m * 4);
  check_bytes(traced_alone(sum(x, {.axes = {1}}), inputs, "sum"), all, n * 4);
  check_bytes(traced_alone(argmax(x, {.axis = 1}), inputs, "argmax"), all, n * 8);
  check_bytes(traced_alone(transpose(x), inputs, "transpose"), all, all);
  check_bytes(traced_alone(concat({x, x}, 1), inputs, "concat"), 2 * all, 2 * all);
  check_bytes(traced_alone(iota(g, {n, m}, 1, DType::f32), {}, "iota"), 0, all);
  check_bytes(traced_alone(random_uniform(g, {n, m}), {}, "random_uniform"), 0, all);

  const Tensor indices = g.input("indices", {5}, DType::i32);
  const Batch both = {{"x", Array({n, m})}, {"indices", Array({5}, DType::i32)}};
  // The indices are read to be checked, and again to be used.
  check_bytes(traced_alone(gather(x, indices, 0), both, "gather"), 5 * m * 4 + 2 * 5 * 4, 5 * m * 4);
  check_bytes(traced_alone(one_hot(indices, 10), {{"indices", Array({5}, DType::i32)}}, "one_hot"), 2 * 5 * 4,
              5 * 10 * 4);
}

BOOST_AUTO_TEST_CASE(explain_ends_with_the_traced_kernels) {
  Graph g;
  const Program program = compile({.outputs = {sum(g.input("x", {1000})).named("total")}});
  State state;
  Trace trace;
  (void)program.run(state, {{"x", Array({1000})}}, {.trace = &trace});
  const std::string text = program.explain();
  const size_t at =
      text.find("---- kernels of the latest traced run\n   calls   bytes read      written         us  kernel\n");
  BOOST_REQUIRE(at != std::string::npos);
  BOOST_TEST(text.find("       1         4000            4 ", at) != std::string::npos);
  BOOST_TEST(text.find("  sum sum/total\n", at) != std::string::npos);
  BOOST_TEST(text.find("  in all\n", at) != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
