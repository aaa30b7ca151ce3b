#include "message_helper.hpp"
#include <gradloom/graph/attributes.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::message_of;

BOOST_AUTO_TEST_SUITE(graph_attributes)

BOOST_AUTO_TEST_CASE(values_are_found_by_name_and_type) {
  Attributes attributes = {{"axis", int64_t{1}}, {"keepdims", true}};
  attributes.set("axis", int64_t{2});
  attributes.set("shape", Shape{"n"});
  BOOST_TEST(attributes.get<int64_t>("axis") == 2);
  BOOST_TEST(attributes.get_or<double>("rate", 0.5) == 0.5);
  BOOST_TEST(attributes.has("keepdims"));
  BOOST_TEST(!attributes.has("keep"));
  BOOST_TEST(attributes.items().size() == 3u);
  const SymbolBinding bindings[] = {{"n", 7}};
  BOOST_TEST((attributes.bind(bindings).get<Shape>("shape") == Shape{7}));
}

BOOST_AUTO_TEST_CASE(literals_are_equal_by_their_contents) {
  const auto literal = [](int8_t byte) {
    return Attributes{{"literal", std::make_shared<const Literal>(Literal{DType::u8, {1}, {std::byte(byte)}})}};
  };
  BOOST_TEST((literal(1) == literal(1)));
  BOOST_TEST(!(literal(1) == literal(2)));
  BOOST_TEST(!(Attributes{{"a", true}} == Attributes{{"a", int64_t{1}}}));
  BOOST_TEST(!(Attributes{{"a", true}} == Attributes{{"b", true}}));
}

BOOST_AUTO_TEST_CASE(a_value_has_the_type_that_it_was_made_from) {
  BOOST_TEST(AttributeValue(true).get_if<bool>() != nullptr);
  BOOST_TEST(AttributeValue(3).get_if<int64_t>() != nullptr);
  BOOST_TEST(AttributeValue(0.5).get_if<double>() != nullptr);
  BOOST_TEST(*AttributeValue("same").get_if<std::string>() == "same");
  BOOST_TEST(AttributeValue("same").get_if<bool>() == nullptr);
  BOOST_TEST((AttributeValue(Dim("n")).get_if<Dim>() != nullptr));
  BOOST_TEST(!(AttributeValue(1) == AttributeValue(1.0)));
  static_assert(!std::is_constructible_v<AttributeValue, int*>, "it would be a bool");
  const Attributes shared = {{"axes", std::vector<int64_t>{0, 1}}};
  Attributes changed = shared;
  changed.set("axes", std::vector<int64_t>{2});
  BOOST_TEST(shared.get<std::vector<int64_t>>("axes").size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_missing_name_and_a_wrong_type_are_errors) {
  const Attributes attributes = {{"axis", int64_t{1}}};
  BOOST_TEST(message_of([&] { (void)attributes.get<int64_t>("axes"); }) == "the attribute \"axes\" is missing");
  BOOST_TEST(message_of([&] { (void)attributes.get<bool>("axis"); }) == "the attribute \"axis\" has another type");
  BOOST_TEST(message_of([&] { (void)attributes.get_or<bool>("axis", true); }) ==
             "the attribute \"axis\" has another type");
}

BOOST_AUTO_TEST_SUITE_END()
