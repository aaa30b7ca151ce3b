// What stays in a second-level cache, by the sets that its lines fall into.
#include <gradloom/ops/second_cache_internal.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;

BOOST_AUTO_TEST_SUITE(ops_second_cache)

BOOST_AUTO_TEST_CASE(rows_that_share_sets_drive_each_other_out) {
  const auto [sets, ways] = second_cache();
  BOOST_REQUIRE(sets >= 64);
  BOOST_REQUIRE(ways >= 1);
  const int64_t lines = sets * ways, around = sets * cache_line;

  // One after the other they fill all sets.
  BOOST_TEST(stays_in_second_cache(lines, 1, cache_line));
  BOOST_TEST(!stays_in_second_cache(lines + 1, 1, cache_line));
  BOOST_TEST(stays_in_second_cache(lines / 2, 2, 2 * cache_line));
  // An odd number of lines apart, too, in some order; and no whole lines apart.
  BOOST_TEST(stays_in_second_cache(lines, 1, 5 * cache_line));
  BOOST_TEST(stays_in_second_cache(lines, 1, 1000));
  // Half a page apart they find few.
  constexpr int64_t half_page = 2048;
  const int64_t places = around / half_page;
  BOOST_TEST(stays_in_second_cache(places * ways, 2, half_page));
  BOOST_TEST(!stays_in_second_cache(places * ways + 1, 2, half_page));
  // Whole pages apart: together with other rows like them.
  BOOST_TEST(!stays_in_second_cache(1, 1, 4096));
  BOOST_TEST(!stays_in_second_cache(1, 1, 3 * 4096));
}

BOOST_AUTO_TEST_SUITE_END()
