#include "message_helper.hpp"
#include <gradloom/graph/dtype.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;

BOOST_AUTO_TEST_SUITE(graph_dtype)

BOOST_AUTO_TEST_CASE(names_parse_back) {
  for (int i = 0; i < dtype_count; ++i) {
    const DType dtype = static_cast<DType>(i);
    BOOST_TEST((parse_dtype(to_string(dtype)) == dtype));
  }
  BOOST_TEST(test::message_of([] { (void)parse_dtype("f16"); }) ==
             "unknown dtype \"f16\"\n  the dtypes are boolean, u8, i32, i64, f32, f64");
}

BOOST_AUTO_TEST_CASE(promotion_takes_the_later_of_the_two) {
  BOOST_TEST((promote(DType::boolean, DType::u8) == DType::u8));
  BOOST_TEST((promote(DType::f32, DType::i64) == DType::f32));
  BOOST_TEST((promote(DType::f64, DType::f32) == DType::f64));
}

BOOST_AUTO_TEST_SUITE_END()
