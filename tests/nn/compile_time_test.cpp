// What <gradloom/gradloom.hpp> costs those who include it.
#include <boost/test/unit_test.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <string>

namespace {

/// CPU seconds of the child processes that have ended.
double cpu_of_children() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double seconds_to_compile(const std::string& input, const std::string& arguments) {
  const std::string command = input +
                              GRADLOOM_COMPILER " -std=c++20 -O2 -DGRADLOOM_STATIC=1 -I" GRADLOOM_BINARY_DIR
                                                "/include -c -o /dev/null " +
                              arguments;
  const double before = cpu_of_children();
  BOOST_REQUIRE(std::system(command.c_str()) == 0);
  return cpu_of_children() - before;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_compile_time)

// CPU seconds stretch on a slow or busy machine, so the limit is a ratio to what the standard headers cost that such a
// program includes anyway. Best of three: 2.4 to 3.0, whatever else the machine does (where the headers take 0.2 s,
// that is 0.6 s at most); the limit leaves a third for noise.
BOOST_AUTO_TEST_CASE(a_model_of_fifty_lines_costs_little_more_than_the_standard_headers) {
  double model = 1e9, headers = 1e9;
  for (int i = 0; i < 3; ++i) {
    model = std::min(model, seconds_to_compile("", GRADLOOM_SOURCE_DIR "/tests/nn/fifty_line_model.cpp"));
    headers =
        std::min(headers, seconds_to_compile("printf '#include <%s>\\n' cstdio span string vector | ", "-x c++ -"));
  }
  BOOST_TEST_MESSAGE("the model: " << model << " s of CPU time; the standard headers: " << headers << " s");
  BOOST_TEST(model < 4 * headers);
}

BOOST_AUTO_TEST_SUITE_END()
