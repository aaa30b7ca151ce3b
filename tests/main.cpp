#define BOOST_TEST_MODULE gradloom
#include <boost/test/unit_test.hpp>
