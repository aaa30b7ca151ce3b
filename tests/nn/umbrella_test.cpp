// <gradloom/gradloom.hpp> has everything that users need, and stays cheap to include.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>

namespace {

/// What the compiler prints about a source that includes the umbrella alone.
std::string compiler_says(const std::string& flags) {
  const std::string command =
      "echo '#include <gradloom/gradloom.hpp>' | g++ -std=c++20 -DGRADLOOM_STATIC=1 -I" GRADLOOM_BINARY_DIR
      "/include -x c++ " +
      flags + " -";
  std::FILE* const output = popen(command.c_str(), "r");
  BOOST_REQUIRE(output != nullptr);
  std::string text;
  for (int c = std::fgetc(output); c != EOF; c = std::fgetc(output)) text += static_cast<char>(c);
  BOOST_REQUIRE(pclose(output) == 0);
  return text;
}

/// For authors of ops and passes: not worth the compile time of every user.
const std::set<std::string> for_authors = {"graph/attributes.hpp", "graph/bodies.hpp",    "graph/builtin_ops.hpp",
                                           "graph/node.hpp",       "graph/op_def.hpp",    "ops/fused_program.hpp",
                                           "ops/gemm.hpp",         "ops/gradient.hpp",    "ops/patterns.hpp",
                                           "ops/kernel.hpp",       "ops/op_table.hpp",    "ops/philox.hpp",
                                           "ops/pointwise.hpp",    "ops/sample.hpp",      "ops/pointwise_table.hpp",
                                           "ops/recurrence.hpp",   "ops/strided_copy.hpp"};

/// For users of oneTBB, which it includes.
const std::string apart = "runtime/executor_tbb.hpp";

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_umbrella)

BOOST_AUTO_TEST_CASE(is_short_after_the_preprocessor) {
  const std::string text = compiler_says("-E -P");
  const auto lines = std::count(text.begin(), text.end(), '\n');
  BOOST_TEST_MESSAGE("gradloom/gradloom.hpp: " << lines << " lines");
  BOOST_TEST(lines > 1000);
  BOOST_TEST(lines < 45'000);
}

BOOST_AUTO_TEST_CASE(has_every_header_for_users) {
  const std::string included = compiler_says("-M");
  for (const char* const part : {"graph", "ops", "autodiff", "runtime", "nn", "io"}) {
    for (const auto& file : std::filesystem::directory_iterator(std::string(GRADLOOM_SOURCE_DIR "/") + part)) {
      const std::string name = part + ("/" + file.path().filename().string());
      if (name == "nn/gradloom.hpp" || !name.ends_with(".hpp") || name.ends_with("_internal.hpp") ||
          for_authors.contains(name) || name == apart)
        continue;
      BOOST_TEST(included.find("/gradloom/" + name) != std::string::npos, name + " is missing");
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
