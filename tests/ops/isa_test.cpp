#include "message_helper.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/runtime/program.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <string>

using namespace gradloom;
using test::message_of;

namespace {

/// Sets GRADLOOM_ISA, and puts back what it was.
class Forced {
 public:
  explicit Forced(const char* isa) {
    if (const char* const before = std::getenv(name); before != nullptr) before_ = before;
    setenv(name, isa, 1);
  }
  ~Forced() { setenv(name, before_.c_str(), 1); }  // an empty value forces nothing
  Forced(const Forced&) = delete;
  Forced& operator=(const Forced&) = delete;

 private:
  static constexpr const char* name = "GRADLOOM_ISA";
  std::string before_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_isa)

BOOST_AUTO_TEST_CASE(the_environment_may_force_one) {
  const Forced baseline("baseline");
  BOOST_TEST((default_isa() == Isa::baseline));
  const Forced nothing("");
  BOOST_TEST((default_isa() == supported_isas().back()));
}

BOOST_AUTO_TEST_CASE(an_unknown_name_lists_the_choices) {
  const std::string text =
      "unknown instruction set \"avx3\"\n"
      "  the instruction sets are baseline, avx2, avx512";
  BOOST_TEST(message_of([] { (void)parse_isa("avx3"); }) == text);
  Graph g;
  const Tensor y = g.input("x", {3}) + 1;
  BOOST_TEST(message_of([&] { (void)compile({.outputs = {y}, .isa = "avx3"}); }) == text);
  const Forced forced("avx3");
  BOOST_TEST(message_of([] { (void)default_isa(); }) == text);
}

BOOST_AUTO_TEST_CASE(what_the_cpu_lacks_is_refused) {
  if (supported_isas().back() == Isa::avx512) {
    BOOST_TEST_MESSAGE("this CPU has them all: nothing to refuse");
    return;
  }
  const std::string best(to_string(supported_isas().back()));
  Graph g;
  const Tensor y = g.input("x", {3}) + 1;
  BOOST_TEST(message_of([&] { (void)compile({.outputs = {y}, .isa = "avx512"}); }) ==
             "this CPU has no avx512; the best it has is " + best);
  const Forced forced("avx512");
  BOOST_TEST(message_of([] { (void)default_isa(); }) ==
             "GRADLOOM_ISA asks for avx512, but this CPU has " + best + " at most");
}

BOOST_AUTO_TEST_SUITE_END()
