// ONNX's own cases, where the environment variable GRADLOOM_ONNX_CASES names a folder that has them: models with inputs
// and the results that others compute from them.
#include "onnx/onnx_ops_helper.hpp"
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>

using namespace gradloom;
namespace fs = std::filesystem;

namespace {

std::vector<Array> tensors(const fs::path& folder, const std::string& kind) {
  std::vector<Array> found;
  for (int i = 0; fs::exists(folder / fmt::format("{}_{}.pb", kind, i)); ++i) {
    found.push_back(test::onnx::parse_tensor(test::onnx::read_file(folder / fmt::format("{}_{}.pb", kind, i))));
  }
  return found;
}

/// Empty if two results agree: in dtype and sizes, and to 1e-6 + 1e-5 |want|, where ONNX Runtime is too.
std::string difference(const Array& got, const Array& want) {
  if (got.dtype() != want.dtype() || got.sizes() != want.sizes()) {
    return fmt::format("{} instead of {}", got.to_string(), want.to_string());
  }
  if (all_close(got, want, 1e-5, 1e-6)) return {};
  return fmt::format("{} instead of {}", got.to_string(), want.to_string());
}

struct Tally {
  int agreed = 0;
  std::vector<std::string> differ;
  std::map<std::string, int> without;  // a counterpart: why, how many
};

void run_case(const fs::path& folder, Tally& tally) {
  const std::string name = folder.parent_path().filename() / folder.filename();
  std::vector<Array> wanted;
  try {
    const test::onnx::Model model = test::onnx::parse_model(test::onnx::read_file(folder / "model.onnx"));
    const std::vector<Array> inputs = tensors(folder / "test_data_set_0", "input");
    wanted = tensors(folder / "test_data_set_0", "output");
    test::onnx::Built built = test::onnx::build(model, inputs);
    const std::vector<Array> got = compile({.outputs = built.outputs}).run(built.state, built.inputs);
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (const std::string found = difference(got.at(i), wanted[i]); !found.empty()) {
        tally.differ.push_back(fmt::format("{}: output {} is {}", name, i, found));
        return;
      }
    }
    ++tally.agreed;
  } catch (const test::onnx::NoCounterpart& missing) {
    ++tally.without[missing.what];
  } catch (const std::exception& error) {
    tally.differ.push_back(fmt::format("{}: {}", name, error.what()));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(onnx_cases)

BOOST_AUTO_TEST_CASE(results_are_those_that_others_compute) {
  const char* const root = std::getenv("GRADLOOM_ONNX_CASES");
  if (root == nullptr || !fs::is_directory(root)) {
    BOOST_TEST_MESSAGE("skipped: GRADLOOM_ONNX_CASES names no folder of cases");
    fmt::print("onnx cases: skipped, GRADLOOM_ONNX_CASES names no folder\n");
    return;
  }
  std::vector<fs::path> folders;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().filename() == "model.onnx") folders.push_back(entry.path().parent_path());
  }
  std::sort(folders.begin(), folders.end());
  BOOST_REQUIRE(!folders.empty());
  Tally tally;
  for (const fs::path& folder : folders) run_case(folder, tally);
  int without = 0;
  for (const auto& [what, count] : tally.without) without += count;
  fmt::print("onnx cases: {} in all, {} agree, {} differ, {} have no counterpart\n", folders.size(), tally.agreed,
             tally.differ.size(), without);
  for (const auto& [what, count] : tally.without) fmt::print("  {:3} {}\n", count, what);
  for (const std::string& found : tally.differ) BOOST_ERROR(found);
}

BOOST_AUTO_TEST_SUITE_END()
