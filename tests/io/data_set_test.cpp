#include "message_helper.hpp"
#include <gradloom/io/data_set.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace gradloom;
using test::message_of;

namespace {

const Batch samples = {{"x", Array::from(std::vector<float>{0, 1, 2, 3, 4, 5}, {3, 2})},
                       {"y", Array::from(std::vector<uint8_t>{7, 8, 9}, {3})}};

}  // namespace

BOOST_AUTO_TEST_SUITE(io_data_set)

BOOST_AUTO_TEST_CASE(samples_are_counted_and_taken) {
  BOOST_TEST(io::sample_count(samples) == 3);
  const Batch rows = io::take(samples, 1, 3);
  BOOST_TEST((rows["x"].to_vector<float>() == std::vector<float>{2, 3, 4, 5}));
  BOOST_TEST(rows["y"].raw() == &samples["y"].at<uint8_t>({1}));
  const std::vector<int64_t> order = {2, 0, 2, 1};
  const Batch chosen = io::take(samples, order);
  BOOST_TEST((chosen["x"].to_vector<float>() == std::vector<float>{4, 5, 0, 1, 4, 5, 2, 3}));
  BOOST_TEST((chosen["y"].to_vector<uint8_t>() == std::vector<uint8_t>{9, 7, 9, 8}));
  BOOST_TEST(io::take(samples, {})["x"].size() == 0);
}

BOOST_AUTO_TEST_CASE(strided_and_wide_samples_are_taken) {
  const Array wide = Array::from(std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {2, 6});
  const std::vector<int64_t> sizes = {6, 2}, strides = {1, 6}, order = {5, 1};
  const Batch transposed = {{"x", Array::view(wide.data<const int64_t>().data(), sizes, strides)},
                            {"s", Array({6}, DType::f64)}};
  const Batch taken = io::take(transposed, order);
  BOOST_TEST((taken["x"].to_vector<int64_t>() == std::vector<int64_t>{5, 11, 1, 7}));
  BOOST_TEST((taken["s"].to_vector<double>() == std::vector<double>{0, 0}));
}

BOOST_AUTO_TEST_CASE(an_order_is_a_permutation_that_never_changes) {
  BOOST_TEST((io::shuffled_order(8, 1, 0) == std::vector<int64_t>{4, 7, 1, 2, 3, 6, 5, 0}));
  BOOST_TEST((io::shuffled_order(8, 1, 1) == std::vector<int64_t>{0, 2, 7, 4, 5, 3, 1, 6}));
  BOOST_TEST((io::shuffled_order(8, 2, 0) == std::vector<int64_t>{0, 3, 6, 1, 5, 4, 2, 7}));
  std::vector<int64_t> order = io::shuffled_order(1000, 3);
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 1000; ++i) BOOST_REQUIRE(order[static_cast<size_t>(i)] == i);
  BOOST_TEST(io::shuffled_order(0, 3).empty());
}

BOOST_AUTO_TEST_CASE(every_place_is_as_likely) {
  // 6,000 orders of 4: each element at each place 1,500 times, give or take 6 standard deviations of 34.
  int times[4][4] = {};
  for (int64_t epoch = 0; epoch < 6000; ++epoch) {
    const std::vector<int64_t> order = io::shuffled_order(4, 5, epoch);
    for (size_t place = 0; place < 4; ++place) ++times[place][order[place]];
  }
  for (const auto& place : times) {
    for (const int n : place) BOOST_TEST(std::abs(n - 1500) < 200);
  }
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  BOOST_TEST(message_of([] { (void)io::sample_count({}); }) == "a data set needs at least one Array");
  BOOST_TEST(message_of([] {
               (void)io::sample_count({{"x", Array::scalar(1.0f)}});
             }) == "\"x\" of the data set is a scalar\n  the first axis of every Array counts the samples");
  BOOST_TEST(message_of([] {
               (void)io::sample_count({{"x", Array({3})}, {"y", Array({2, 3})}});
             }) == "\"x\" has 3 samples, and \"y\" 2\n  the first axis of every Array counts the samples");
  BOOST_TEST(message_of([] { (void)io::take(samples, 2, 4); }) == "there are no samples 2 to 4: there are 3");
  const std::vector<int64_t> outside = {0, 3}, negative = {-1};
  BOOST_TEST(message_of([&] { (void)io::take(samples, outside); }) == "take: there is no sample 3: there are 3");
  BOOST_TEST(message_of([&] { (void)io::take(samples, negative); }) == "take: there is no sample -1: there are 3");
  BOOST_TEST(message_of([] { (void)io::shuffled_order(-1, 0); }) == "there is no order of -1 samples");
}

BOOST_AUTO_TEST_SUITE_END()
