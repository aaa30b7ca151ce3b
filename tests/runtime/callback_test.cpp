#include <gradloom/runtime/callback.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>

using gradloom::Callback;

BOOST_AUTO_TEST_SUITE(runtime_callback)

BOOST_AUTO_TEST_CASE(a_function_is_kept_called_and_let_go) {
  const auto counter = std::make_shared<int>(0);
  {
    Callback<int(int, int&)> callback = [counter](int step, int& seen) {
      *counter += step;
      seen = *counter;
      return 2 * *counter;
    };
    int seen = 0;
    BOOST_TEST(callback(3, seen) == 6);
    BOOST_TEST(seen == 3);
    Callback<int(int, int&)> moved = std::move(callback);
    BOOST_TEST(moved(1, seen) == 8);
    moved = {};
    BOOST_TEST(!moved);
  }
  BOOST_TEST(counter.use_count() == 1);
  BOOST_TEST(!Callback<void()>());
}

BOOST_AUTO_TEST_SUITE_END()
