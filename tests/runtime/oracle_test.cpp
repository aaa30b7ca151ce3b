// Random graphs: whatever the passes, the plan and the threads do, a Program computes what `optimize = none` computes
// node by node: the same bits where only fusion, planning and scheduling differ, close to it where formulas are
// rewritten.
#include "random_cases_helper.hpp"
#include "random_graph_helper.hpp"
#include "random_image_graph_helper.hpp"
#include <gradloom/graph/error.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>
#include <oneapi/tbb/global_control.h>

using namespace gradloom;
using test::random_graph;
using test::RandomGraph;

namespace {

struct Results {
  std::vector<Array> arrays;  // of two runs: outputs, then the State
};

Results results_of(const Program& program, const RandomGraph& made, const Executor& executor) {
  State state = made.state;
  Results results;
  for (int run = 0; run < 2; ++run) {
    for (Array& output : program.run(executor, state, made.inputs)) results.arrays.push_back(std::move(output));
  }
  for (const std::string& name : state.names()) results.arrays.push_back(state.get(name));
  return results;
}

Results results_of(const RandomGraph& made, Optimize optimize, std::vector<std::string> without_passes,
                   const Executor& executor) {
  return results_of(compile({.outputs = made.outputs,
                             .updates = made.updates,
                             .optimize = optimize,
                             .without_passes = std::move(without_passes)}),
                    made, executor);
}

/// With the parameters as constants.
Results baked(const RandomGraph& made, Optimize optimize, const Executor& executor) {
  return results_of(
      compile({.outputs = made.outputs, .mode = Mode::inference, .optimize = optimize, .constants = &made.state}), made,
      executor);
}

std::string difference(const Results& a, const Results& b, bool to_the_bit) {
  if (a.arrays.size() != b.arrays.size()) return "the numbers of results differ";
  for (size_t i = 0; i < a.arrays.size(); ++i) {
    const bool agree =
        to_the_bit ? same_bits(a.arrays[i], b.arrays[i]) : all_close(a.arrays[i], b.arrays[i], 1e-3, 1e-4);
    if (!agree)
      return "result " + std::to_string(i) + ": " + a.arrays[i].to_string() + " and " + b.arrays[i].to_string();
  }
  return {};
}

template <class Make>
void check_graphs(Make make, uint64_t graphs, const std::vector<std::string>& passes) {
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 8);
  const Executor one{{.threads = 1}}, two{{.threads = 2}}, eight{{.threads = 8}};
  const Executor* const executors[] = {&one, &two, &eight};
  int wrong = 0;
  for (uint64_t seed = 0; seed < graphs && wrong < 5; ++seed) {
    const RandomGraph made = make(seed);
    const Results expected = results_of(made, Optimize::none, {}, one);
    const auto check = [&](const std::string& what, const Results& results, bool to_the_bit) {
      const std::string found = difference(expected, results, to_the_bit);
      if (found.empty()) return;
      ++wrong;
      BOOST_ERROR("seed " << seed << ", " << what << ": " << found);
    };
    const Executor& executor = *executors[seed % 3];
    check("fused", results_of(made, Optimize::all, {"stabilize", "simplify", "hoist", "winograd"}, executor), true);
    check("all passes", results_of(made, Optimize::all, {}, executor), false);
    const std::string& left_out = passes[seed % passes.size()];
    check("without " + left_out, results_of(made, Optimize::all, {left_out}, executor), false);
    check("as written, threads", results_of(made, Optimize::none, {}, *executors[1 + seed % 2]), true);
    if (seed % 4 != 0) continue;
    const std::string constants =
        difference(baked(made, Optimize::none, one), baked(made, Optimize::all, executor), false);
    if (constants.empty()) continue;
    ++wrong;
    BOOST_ERROR("seed " << seed << ", with constants: " << constants);
  }
}

/// With storage as bf16: any number of threads gives the same bits, and fusion changes none where nothing is rounded
/// for being kept. (How close all that is to f32 depends on the graph: see narrow_test.cpp.)
template <class Make>
void check_bf16(Make make, uint64_t graphs) {
  const tbb::global_control more(tbb::global_control::max_allowed_parallelism, 8);
  const Executor one{{.threads = 1}}, eight{{.threads = 8}};
  int wrong = 0;
  for (uint64_t seed = 0; seed < graphs && wrong < 5; ++seed) {
    const RandomGraph made = make(seed);
    const auto results = [&](std::vector<std::string> without_passes, const Executor& executor) {
      return results_of(compile({.outputs = made.outputs,
                                 .updates = made.updates,
                                 .storage = DType::bf16,
                                 .without_passes = std::move(without_passes)}),
                        made, executor);
    };
    const auto check = [&](const char* what, const std::string& found) {
      if (found.empty()) return;
      ++wrong;
      BOOST_ERROR("seed " << seed << ", " << what << ": " << found);
    };
    check("threads", difference(results({}, one), results({}, eight), true));
    check("unfused", difference(results({"narrow"}, one), results({"narrow", "fuse", "recompute"}, eight), true));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_oracle)

BOOST_AUTO_TEST_CASE(optimised_programs_agree_with_the_graph_as_written) {
  check_graphs([](uint64_t seed) { return random_graph(seed); }, test::random_cases(1000, 10000),
               {"stabilize", "simplify", "recompute", "pack", "fuse"});
}

BOOST_AUTO_TEST_CASE(optimised_loops_agree_with_loops_as_written) {
  check_graphs([](uint64_t seed) { return random_graph(seed, {.loops = true}); }, test::random_cases(100, 3000),
               {"prune", "hoist", "simplify", "fuse", "stabilize"});
}

BOOST_AUTO_TEST_CASE(optimised_networks_over_images_agree_with_networks_as_written) {
  check_graphs(test::random_image_graph, test::random_cases(150, 3000),
               {"winograd", "fold", "fuse", "simplify", "recompute", "pack"});
}

BOOST_AUTO_TEST_CASE(bf16_has_the_same_bits_on_any_number_of_threads_and_unfused) {
  check_bf16([](uint64_t seed) { return random_graph(seed); }, test::random_cases(300, 5000));
  check_bf16([](uint64_t seed) { return random_graph(seed, {.loops = true}); }, test::random_cases(50, 1500));
  check_bf16(test::random_image_graph, test::random_cases(50, 1000));
}

BOOST_AUTO_TEST_SUITE_END()
