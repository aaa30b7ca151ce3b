// What every user's compiler has to read.
#include <boost/test/unit_test.hpp>

#include <cstdio>
#include <string>

namespace {

/// How many lines a source with one #include has after the preprocessor.
int preprocessed_lines(const std::string& header) {
  const std::string command = "echo '#include <" + header +
                              ">' | g++ -std=c++20 -E -P -DGRADLOOM_STATIC=1 -I" GRADLOOM_BINARY_DIR
                              "/include -x c++ - 2>&1";
  std::FILE* const output = popen(command.c_str(), "r");
  BOOST_REQUIRE(output != nullptr);
  int lines = 0;
  for (int c = std::fgetc(output); c != EOF; c = std::fgetc(output)) lines += c == '\n';
  BOOST_REQUIRE(pclose(output) == 0);
  return lines;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_umbrella)

BOOST_AUTO_TEST_CASE(is_short_after_the_preprocessor) {
  const int lines = preprocessed_lines("gradloom/gradloom.hpp");
  BOOST_TEST_MESSAGE("gradloom/gradloom.hpp: " << lines << " lines");
  BOOST_TEST(lines > 1000);
  BOOST_TEST(lines < 45'000);
}

BOOST_AUTO_TEST_SUITE_END()
