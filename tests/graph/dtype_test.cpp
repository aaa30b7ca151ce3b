#include "message_helper.hpp"
#include <gradloom/graph/dtype.hpp>

#include <boost/test/unit_test.hpp>

#include <bit>
#include <cmath>
#include <limits>

using namespace gradloom;

BOOST_AUTO_TEST_SUITE(graph_dtype)

BOOST_AUTO_TEST_CASE(names_parse_back) {
  for (int i = 0; i < dtype_count; ++i) {
    const DType dtype = static_cast<DType>(i);
    BOOST_TEST((parse_dtype(to_string(dtype)) == dtype));
  }
  BOOST_TEST(test::message_of([] { (void)parse_dtype("f16"); }) ==
             "unknown dtype \"f16\"\n  the dtypes are boolean, u8, i32, i64, bf16, f32, f64");
}

BOOST_AUTO_TEST_CASE(promotion_takes_the_later_of_the_two) {
  BOOST_TEST((promote(DType::boolean, DType::u8) == DType::u8));
  BOOST_TEST((promote(DType::f32, DType::i64) == DType::f32));
  BOOST_TEST((promote(DType::f64, DType::f32) == DType::f64));
  BOOST_TEST((promote(DType::i64, DType::bf16) == DType::bf16));
  BOOST_TEST((promote(DType::bf16, DType::f32) == DType::f32));
}

BOOST_AUTO_TEST_CASE(bf16_is_no_integer_and_is_computed_as_f32) {
  BOOST_TEST((!is_integer(DType::bf16) && !is_float(DType::bf16)));
  for (int i = 0; i < dtype_count; ++i) {
    const DType dtype = static_cast<DType>(i);
    BOOST_TEST((computed_as(dtype) == (dtype == DType::bf16 ? DType::f32 : dtype)));
  }
}

BOOST_AUTO_TEST_CASE(every_bf16_is_a_float_and_back) {
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    BFloat16 x;
    x.bits = static_cast<uint16_t>(bits);
    const float value = x;
    if (std::isnan(value)) {
      BOOST_REQUIRE(std::isnan(static_cast<float>(BFloat16(value))));
    } else {
      BOOST_REQUIRE(BFloat16(value).bits == bits);
      BOOST_REQUIRE(BFloat16(static_cast<double>(value)).bits == bits);
    }
  }
}

BOOST_AUTO_TEST_CASE(conversion_to_bf16_rounds_once_to_nearest_even) {
  // Between neighbours a < b: all below the middle become a, all above b, the middle that whose last bit is 0.
  for (uint32_t bits = 0; bits < 0x7f7f; ++bits) {
    BFloat16 a, b;
    a.bits = static_cast<uint16_t>(bits);
    b.bits = static_cast<uint16_t>(bits + 1);
    const double low = static_cast<float>(a), high = static_cast<float>(b), middle = (low + high) / 2;
    const uint32_t even = bits + (bits & 1);
    for (const double sign : {1.0, -1.0}) {
      const uint32_t s = sign < 0 ? 0x8000U : 0U;
      BOOST_REQUIRE(BFloat16(sign * middle).bits == (s | even));
      BOOST_REQUIRE(BFloat16(static_cast<float>(sign * middle)).bits == (s | even));
      // What a rounding to float on the way would make the middle.
      BOOST_REQUIRE(BFloat16(sign * std::nextafter(middle, low)).bits == (s | bits));
      BOOST_REQUIRE(BFloat16(sign * std::nextafter(middle, high)).bits == (s | (bits + 1)));
      const auto float_middle = static_cast<float>(middle);
      BOOST_REQUIRE(BFloat16(static_cast<float>(sign) * std::nextafter(float_middle, 0.0F)).bits == (s | bits));
    }
  }
  constexpr float infinity = std::numeric_limits<float>::infinity();
  BOOST_TEST(static_cast<float>(BFloat16(std::numeric_limits<float>::max())) == infinity);
  BOOST_TEST(static_cast<float>(BFloat16(-1e300)) == -infinity);
  BOOST_TEST(std::signbit(static_cast<float>(BFloat16(-0.0F))));
  BOOST_TEST(static_cast<float>(BFloat16(int64_t{257})) == 256.0F);
  BOOST_TEST(static_cast<float>(BFloat16(int64_t{259})) == 260.0F);
  BOOST_TEST(std::isnan(static_cast<float>(BFloat16(std::bit_cast<float>(0x7f800001U)))));
}

BOOST_AUTO_TEST_SUITE_END()
