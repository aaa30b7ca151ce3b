#include <gradloom/graph/dim.hpp>
#include <gradloom/graph/error.hpp>

#include <boost/test/unit_test.hpp>

namespace gl = gradloom;
using gl::Dim;

BOOST_AUTO_TEST_SUITE(graph_dim)

BOOST_AUTO_TEST_CASE(normal_form_makes_equal_expressions_equal) {
  const Dim batch = "batch", time = "time";
  BOOST_TEST((2 * batch + batch == 3 * batch));
  BOOST_TEST((batch * time == time * batch));
  BOOST_TEST(((batch + time) * (batch - time) == batch * batch - time * time));
  BOOST_TEST((6 * batch / 3 == 2 * batch));
  BOOST_TEST((batch * time / batch == time));
  BOOST_TEST((batch - batch == Dim(0)));
  BOOST_TEST(!(batch == time));
}

BOOST_AUTO_TEST_CASE(text_form_parses_back) {
  for (const char* text : {"batch", "2*batch + 1", "batch*time", "((batch + 1) / (2))", "-batch + 3", "-4",
                           "((((a + 1) / (2)) + 3) / (b))"}) {
    const Dim dim = text;
    BOOST_TEST(dim.to_string() == text);
    BOOST_TEST((Dim::parse(dim.to_string()) == dim));
  }
}

BOOST_AUTO_TEST_CASE(division_is_floor_division) {
  BOOST_TEST((Dim(7) / Dim(2)).value() == 3);
  BOOST_TEST((Dim(-7) / Dim(2)).value() == -4);
  const gl::SymbolBinding seven[] = {{"n", 7}};
  BOOST_TEST(((Dim("n") - 1) / 2).bind(seven).value() == 3);
  BOOST_TEST((((Dim("n") + 1) / 2 + 1) / 3).bind(seven).value() == 1);
}

BOOST_AUTO_TEST_CASE(symbols_are_found_inside_quotients) {
  const std::vector<std::string> expected = {"a", "b"};
  BOOST_TEST((((Dim("a") + 1) / Dim("b")).symbols() == expected));
}

BOOST_AUTO_TEST_CASE(copies_outlive_what_they_were_copied_from) {
  Dim copy, moved;
  {
    Dim original = Dim("batch") + 1;
    copy = original;
    const Dim& itself = copy;
    copy = itself;
    moved = std::move(original);
  }
  BOOST_TEST((copy == moved && copy.to_string() == "batch + 1"));
  copy = copy * 2;
  BOOST_TEST(moved.to_string() == "batch + 1");
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  const auto message_of = [](auto f) {
    try {
      f();
    } catch (const gl::Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  BOOST_TEST(message_of([] { return Dim("2 +"); }) ==
             "\"2 +\" is no dimension\n  a dimension is an integer, a name such as batch, or + - * / of them");
  BOOST_TEST(message_of([] { return Dim("n") / 0; }) == "the dimension n is divided by zero");
  BOOST_TEST(message_of([] { return Dim(INT64_MAX) + 1; }) ==
             "the dimension (9223372036854775807) + (1) does not fit in 64 bits");
  BOOST_TEST(message_of([] { return Dim("n").value(); }) == "the dimension n has no value yet: it is symbolic");
  BOOST_TEST(message_of([] { return Dim("99999999999999999999"); }) ==
             "the dimension 99999999999999999999 does not fit in 64 bits");
}

BOOST_AUTO_TEST_SUITE_END()
