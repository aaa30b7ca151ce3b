#include "allocation_helper.hpp"
#include "message_helper.hpp"
#include <gradloom/io/data_set.hpp>
#include <gradloom/io/loader.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <iterator>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>

using namespace gradloom;
using io::Loader;
using io::LoaderOptions;
using test::message_of;

static_assert(std::input_iterator<io::LoaderIterator>);

namespace {

// Sample i is {i, i + 0.5} and its number.
Batch numbered(int64_t count) {
  const Array x({count, 2}), number({count}, DType::i32);
  for (int64_t i = 0; i < count; ++i) {
    x.at<float>({i, 0}) = static_cast<float>(i);
    x.at<float>({i, 1}) = static_cast<float>(i) + 0.5f;
    number.at<int32_t>({i}) = static_cast<int32_t>(i);
  }
  return {{"x", x}, {"number", number}};
}

// The numbers of an epoch, batch by batch, checked against x.
std::vector<std::vector<int32_t>> epoch_of(Loader& loader) {
  std::vector<std::vector<int32_t>> epoch;
  for (Batch batch : loader) {
    epoch.push_back(batch["number"].to_vector<int32_t>());
    const Array& x = batch["x"];
    BOOST_TEST(x.sizes()[0] == batch["number"].size());
    for (int64_t i = 0; i < x.sizes()[0]; ++i) {
      const auto number = static_cast<float>(epoch.back()[static_cast<size_t>(i)]);
      BOOST_REQUIRE((x.at<float>({i, 0}) == number && x.at<float>({i, 1}) == number + 0.5f));
    }
  }
  return epoch;
}

std::vector<int32_t> joined(const std::vector<std::vector<int32_t>>& epoch) {
  std::vector<int32_t> all;
  for (const auto& batch : epoch) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(io_loader)

BOOST_AUTO_TEST_CASE(an_epoch_has_every_sample_once) {
  for (const int prefetch : {0, 1, 3, 20}) {
    Loader loader(numbered(23), {.batch_size = 5, .seed = 4, .prefetch = prefetch});
    BOOST_TEST(loader.sample_count() == 23);
    BOOST_TEST(loader.batch_count() == 5);
    BOOST_TEST(loader.epoch() == -1);
    for (int64_t e = 0; e < 3; ++e) {
      const auto epoch = epoch_of(loader);
      BOOST_TEST(loader.epoch() == e);
      BOOST_TEST(epoch.size() == 5u);
      BOOST_TEST(epoch.back().size() == 3u);
      const std::vector<int64_t> order = io::shuffled_order(23, 4, e);
      BOOST_TEST(joined(epoch) == std::vector<int32_t>(order.begin(), order.end()), boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(order_and_last_batch_are_options) {
  for (const int prefetch : {0, 2}) {
    Loader in_order(numbered(7), {.batch_size = 3, .shuffle = false, .prefetch = prefetch});
    BOOST_TEST((epoch_of(in_order) == std::vector<std::vector<int32_t>>{{0, 1, 2}, {3, 4, 5}, {6}}));
    Loader full(numbered(7), {.batch_size = 3, .shuffle = false, .drop_last = true, .prefetch = prefetch});
    BOOST_TEST(full.batch_count() == 2);
    BOOST_TEST((epoch_of(full) == std::vector<std::vector<int32_t>>{{0, 1, 2}, {3, 4, 5}}));
    Loader chosen(numbered(7), {.batch_size = 2, .prefetch = prefetch, .order = [](int64_t epoch) {
                                  return std::vector<int64_t>{epoch, 6, epoch};
                                }});
    BOOST_TEST((epoch_of(chosen) == std::vector<std::vector<int32_t>>{{0, 6}, {0}}));
    BOOST_TEST((epoch_of(chosen) == std::vector<std::vector<int32_t>>{{1, 6}, {1}}));
    Loader none(numbered(0), {.prefetch = prefetch});
    BOOST_TEST(epoch_of(none).empty());
  }
}

BOOST_AUTO_TEST_CASE(training_goes_on_at_any_epoch) {
  Loader loader(numbered(10), {.seed = 1}), later(numbered(10), {.seed = 1});
  (void)epoch_of(loader);
  const auto second = epoch_of(loader);
  later.set_next_epoch(1);
  BOOST_TEST((epoch_of(later) == second));
  BOOST_TEST(later.epoch() == 1);
}

BOOST_AUTO_TEST_CASE(an_epoch_can_be_given_up) {
  for (const int prefetch : {0, 1, 4}) {
    Loader loader(numbered(50), {.batch_size = 2, .shuffle = false, .prefetch = prefetch});
    for (int64_t taken = 0; taken < 6; ++taken) {
      int64_t n = 0;
      for (const Batch& batch : loader) {
        BOOST_TEST(batch["number"].at<int32_t>({0}) == 2 * n);
        if (++n > taken) break;
      }
    }
    BOOST_TEST(epoch_of(loader).size() == 25u);
    BOOST_TEST(loader.epoch() == 6);
    auto abandoned = loader.begin();
    ++abandoned;
  }  // and the loader goes in the middle of one
}

BOOST_AUTO_TEST_CASE(the_iterator_keeps_its_loader) {
  auto iterator = Loader(numbered(3), {.batch_size = 2, .prefetch = 1}).begin();
  BOOST_TEST(iterator->size() == 2u);
  ++iterator;
  BOOST_TEST((*iterator)["number"].size() == 1);
  iterator++;
  BOOST_TEST((iterator == io::LoaderIterator::End()));
}

BOOST_AUTO_TEST_CASE(bytes_become_floats) {
  Array pixels({256, 37}, DType::u8);  // two blocks of vectors, and a rest
  for (int64_t i = 0; i < 256; ++i) pixels.at<uint8_t>({i, 1}) = pixels.at<uint8_t>({i, 36}) = static_cast<uint8_t>(i);
  Loader loader({{"pixels", pixels}}, {.batch_size = 100, .shuffle = false, .to_float = {{"pixels"}}});
  int64_t i = 0;
  for (const Batch& batch : loader) {
    const Array& floats = batch["pixels"];
    BOOST_TEST((floats.dtype() == DType::f32));
    for (int64_t row = 0; row < floats.sizes()[0]; ++row, ++i) {
      BOOST_REQUIRE(floats.at<float>({row, 1}) == static_cast<float>(i) / 255.0f);
      BOOST_REQUIRE(floats.at<float>({row, 36}) == static_cast<float>(i) / 255.0f);
      BOOST_REQUIRE(floats.at<float>({row, 2}) == 0);
    }
  }
  BOOST_TEST(i == 256);
}

BOOST_AUTO_TEST_CASE(a_transform_changes_batches) {
  for (const int prefetch : {0, 2}) {
    Loader loader(numbered(9), {.batch_size = 4, .shuffle = false, .prefetch = prefetch, .transform = [](Batch& batch) {
                                  for (float& x : batch["x"].data<float>()) x = -x;
                                  batch.set("weight", Array(batch["number"].sizes(), DType::f64));
                                }});
    for (int epoch = 0; epoch < 3; ++epoch) {
      int64_t n = 0;
      for (const Batch& batch : loader) {
        BOOST_TEST(batch.size() == 3u);
        BOOST_TEST(batch["weight"].size() == batch["number"].size());
        for (int64_t i = 0; i < batch["number"].size(); ++i, ++n) {
          BOOST_TEST(batch["x"].at<float>({i, 0}) == static_cast<float>(-n));
        }
      }
      BOOST_TEST(n == 9);
    }
  }
}

BOOST_AUTO_TEST_CASE(batches_that_are_kept_stay_as_they_are) {
  for (const int prefetch : {0, 2}) {
    Loader loader(numbered(40), {.batch_size = 3, .shuffle = false, .prefetch = prefetch});
    std::vector<Batch> batches;
    std::vector<Array> arrays;  // an Array alone must keep its memory too
    for (Batch batch : loader) batches.push_back(batch);
    for (Batch batch : loader) arrays.push_back(batch["number"]);
    (void)epoch_of(loader);
    for (int32_t i = 0; i < 40; ++i) {
      BOOST_TEST(batches[static_cast<size_t>(i / 3)]["number"].at<int32_t>({i % 3}) == i);
      BOOST_TEST(arrays[static_cast<size_t>(i / 3)].at<int32_t>({i % 3}) == i);
    }
  }
}

BOOST_AUTO_TEST_CASE(memory_is_used_again) {
  for (const int prefetch : {0, 1, 4}) {
    Loader loader(numbered(103), {.batch_size = 5, .prefetch = prefetch});
    std::set<const void*> seen;
    const auto look = [&] {
      for (Batch batch : loader) seen.insert(batch["x"].raw());
    };
    for (int i = 0; i < 10; ++i) look();
    // those made ahead, the one being made, the consumer's, and the smaller last ones of this epoch and the next
    BOOST_TEST(seen.size() <= static_cast<size_t>(prefetch) + 4);
  }
}

BOOST_AUTO_TEST_CASE(a_warmed_up_epoch_allocates_nothing) {
  if (!test::counts_allocations()) return;
  const Batch samples = {{"x", Array({103, 7}, DType::u8)}, {"label", Array({103}, DType::i32)}};
  Loader loader(samples, {.batch_size = 5, .to_float = {{"x"}}});
  for (Batch batch : loader) BOOST_TEST(batch.size() == 2u);
  int64_t batches = 0;
  const int64_t before = test::allocations();
  for (Batch batch : loader) ++batches;
  BOOST_TEST(test::allocations() - before == 0);
  BOOST_TEST(batches == 21);
}

BOOST_AUTO_TEST_CASE(what_a_transform_throws_arrives_with_its_batch) {
  for (const int prefetch : {0, 1, 5}) {
    int made = 0;
    Loader loader(numbered(10),
                  {.batch_size = 1, .shuffle = false, .prefetch = prefetch, .transform = [&](Batch& batch) {
                     if (batch["number"].item<int32_t>() == 4 && made++ == 0) throw std::runtime_error("no 4");
                   }});
    std::vector<int32_t> seen;
    std::string message;
    try {
      for (Batch batch : loader) seen.push_back(batch["number"].item<int32_t>());
    } catch (const std::runtime_error& error) {
      message = error.what();
    }
    BOOST_TEST(message == "no 4");
    BOOST_TEST((seen == std::vector<int32_t>{0, 1, 2, 3}));
    BOOST_TEST(epoch_of(loader).size() == 10u);
  }
}

BOOST_AUTO_TEST_CASE(an_order_that_cannot_be_had_is_thrown_by_begin) {
  for (const int prefetch : {0, 1}) {
    Loader loader(numbered(10), {.prefetch = prefetch, .order = [](int64_t epoch) -> std::vector<int64_t> {
                                   if (epoch == 1) throw Error("no order");
                                   return {epoch == 2 ? 10 : 0};
                                 }});
    BOOST_TEST(epoch_of(loader).size() == 1u);
    BOOST_TEST(message_of([&] { (void)loader.begin(); }) == "no order");
    BOOST_TEST(message_of([&] { (void)loader.begin(); }) ==
               "the order of epoch 2: there is no sample 10: there are 10");
    BOOST_TEST(epoch_of(loader).size() == 1u);
    BOOST_TEST(loader.epoch() == 3);
  }
}

BOOST_AUTO_TEST_CASE(batches_are_made_ahead_but_no_more_than_asked_for) {
  std::atomic<int> made = 0;
  Loader loader(numbered(10), {.batch_size = 1, .prefetch = 3, .transform = [&](Batch&) { ++made; }});
  const auto iterator = loader.begin();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (made < 4 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  BOOST_TEST(made == 4);  // the one at hand and three ahead
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  const auto message = [](LoaderOptions options) {
    return message_of([&] { Loader(numbered(3), std::move(options)); });
  };
  BOOST_TEST(message({.batch_size = 0}) == "a batch cannot have 0 samples");
  BOOST_TEST(message({.prefetch = -1}) == "a Loader cannot prefetch -1 batches");
  BOOST_TEST(message({.to_float = {{"y"}}}) == "the data set has no \"y\"\n  did you mean \"x\"?");
  BOOST_TEST(message({.to_float = {{"x"}}}) == "\"x\" of the data set is f32\n  to_float is for u8");
  BOOST_TEST(message({.to_float = {{"x", 0}}}) == "\"x\" of the data set cannot be divided by 0");
  BOOST_TEST(message_of([] { Loader({}); }) == "a data set needs at least one Array");
  Loader loader(numbered(3));
  BOOST_TEST(message_of([&] { loader.set_next_epoch(-1); }) == "there is no epoch -1");
}

BOOST_AUTO_TEST_SUITE_END()
