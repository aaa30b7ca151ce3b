#include "message_helper.hpp"
#include <gradloom/runtime/batch.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::message_of;

BOOST_AUTO_TEST_SUITE(runtime_batch)

BOOST_AUTO_TEST_CASE(arrays_are_found_by_name) {
  Batch batch = {{"image", Array({2, 3})}, {"label", Array({2}, DType::i32)}};
  BOOST_TEST(batch.size() == 2u);
  BOOST_TEST((batch["label"].dtype() == DType::i32));
  BOOST_TEST(batch.find("weight") == nullptr);
  batch.set("label", Array({4}));
  batch.set("weight", Array({1}));
  BOOST_TEST(batch["label"].size() == 4);
  std::string names;
  for (const auto& [name, array] : batch) names += name + " ";
  BOOST_TEST(names == "image label weight ");
}

BOOST_AUTO_TEST_CASE(copies_share_until_one_is_set) {
  Batch batch = {{"image", Array({2})}};
  BOOST_TEST(batch.unique());
  Batch copy = batch;
  BOOST_TEST(!batch.unique());
  copy.set("image", Array({3}));
  BOOST_TEST(batch["image"].size() == 2);
  BOOST_TEST(copy["image"].size() == 3);
  BOOST_TEST(batch.unique());
  const Array kept = batch["image"];
  BOOST_TEST(!batch.unique());
  BOOST_TEST(Batch().unique());
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  const Batch batch = {{"image", Array({2})}, {"label", Array({2})}};
  BOOST_TEST(message_of([&] { (void)batch["lebel"]; }) == "the Batch has no \"lebel\"\n  did you mean \"label\"?");
  BOOST_TEST(message_of([&] { (void)batch["weight"]; }) == "the Batch has no \"weight\"\n  it has image, label");
  BOOST_TEST(message_of([&] { (void)Batch()["x"]; }) == "the Batch has no \"x\"\n  it is empty");
  BOOST_TEST(message_of([] { Batch({{"x", Array()}, {"x", Array()}}); }) == "a Batch is given \"x\" twice");
}

BOOST_AUTO_TEST_SUITE_END()
