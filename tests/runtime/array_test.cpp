#include "message_helper.hpp"
#include <gradloom/runtime/array.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <limits>
#include <numeric>

using namespace gradloom;
using test::message_of;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

Array counting(std::initializer_list<int64_t> sizes) {
  Array array(sizes);
  std::iota(array.data<float>().begin(), array.data<float>().end(), 0.0f);
  return array;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_array)

BOOST_AUTO_TEST_CASE(an_array_is_aligned_zeros) {
  for (const int64_t size : {1, 17, 300'000, 700'000, 3'000'000}) {
    const Array array({size}, DType::f64);
    BOOST_TEST(reinterpret_cast<uintptr_t>(array.raw()) % 64 == 0);
    const auto elements = array.data<const double>();
    BOOST_TEST(std::all_of(elements.begin(), elements.end(), [](double element) { return element == 0; }));
  }
  const Array large({1 << 20}, DType::u8);
  BOOST_TEST(reinterpret_cast<uintptr_t>(large.raw()) % (2 << 20) == 0);
  const Array nothing;
  BOOST_TEST(nothing.size() == 0);
  BOOST_TEST(nothing.data<float>().empty());
}

BOOST_AUTO_TEST_CASE(values_go_in_and_out) {
  const Array array = Array::from(std::vector<int32_t>{1, 2, 3, 4, 5, 6}, {2, 3});
  BOOST_TEST((array.dtype() == DType::i32));
  BOOST_TEST(array.rank() == 2);
  BOOST_TEST(array.size() == 6);
  BOOST_TEST(array.byte_size() == 24u);
  BOOST_TEST(array.at<int32_t>({1, 0}) == 4);
  array.at<int32_t>({1, 0}) = 40;
  BOOST_TEST((array.to_vector<int32_t>() == std::vector<int32_t>{1, 2, 3, 40, 5, 6}));
  BOOST_TEST(Array::scalar(2.5).item<double>() == 2.5);
  BOOST_TEST((Array::from({true, false}).to_vector<bool>() == std::vector<bool>{true, false}));
}

BOOST_AUTO_TEST_CASE(copies_share_and_clones_do_not) {
  const Array array = counting({4, 2});
  const Array shared = array, clone = array.clone();
  const Array row = array.rows(1, 3), flat = array.reshaped({8});
  array.data<float>()[2] = 20;
  BOOST_TEST(shared.at<float>({1, 0}) == 20);
  BOOST_TEST(row.at<float>({0, 0}) == 20);
  BOOST_TEST(flat.at<float>({2}) == 20);
  BOOST_TEST(clone.at<float>({1, 0}) == 2);
  BOOST_TEST((row.sizes() == std::vector<int64_t>{2, 2}));
}

BOOST_AUTO_TEST_CASE(storage_lives_as_long_as_a_part_of_it) {
  Array row;
  {
    const Array array = counting({3, 2});
    row = array.rows(2, 3);
  }
  BOOST_TEST((row.to_vector<float>() == std::vector<float>{4, 5}));
}

BOOST_AUTO_TEST_CASE(views_have_strides) {
  std::vector<float> memory = {0, 1, 2, 3, 4, 5};
  const std::vector<int64_t> sizes = {3, 2}, transposed = {1, 3}, reversed = {-2, -1}, repeated = {0, 1};
  const Array transpose = Array::view(memory.data(), sizes, transposed);
  BOOST_TEST(!transpose.contiguous());
  BOOST_TEST((transpose.to_vector<float>() == std::vector<float>{0, 3, 1, 4, 2, 5}));
  BOOST_TEST(
      (Array::view(memory.data() + 5, sizes, reversed).to_vector<float>() == std::vector<float>{5, 4, 3, 2, 1, 0}));
  BOOST_TEST((Array::view(memory.data(), sizes, repeated).to_vector<float>() == std::vector<float>{0, 1, 0, 1, 0, 1}));
  transpose.at<float>({2, 1}) = 50;
  BOOST_TEST(memory[5] == 50);
  BOOST_TEST(Array::view(memory.data(), {1, 6}).contiguous());
}

BOOST_AUTO_TEST_CASE(views_of_const_memory_are_read_only) {
  const std::vector<float> memory = {1, 2};
  const Array view = Array::view(memory.data(), {2});
  BOOST_TEST(view.read_only());
  BOOST_TEST(view.rows(0, 1).read_only());
  BOOST_TEST(!view.clone().read_only());
  BOOST_TEST(view.data<const float>()[1] == 2);
  BOOST_TEST(view.at<const float>({1}) == 2);
  const std::string refused =
      "f32[2] is a view of const memory\n"
      "  it can be read as const elements, or cloned";
  BOOST_TEST(message_of([&] { (void)view.data<float>(); }) == refused);
  BOOST_TEST(message_of([&] { (void)view.at<float>({0}); }) == refused);
  BOOST_TEST(message_of([&] { view.assign(Array({2})); }) == refused);
}

BOOST_AUTO_TEST_CASE(assignment_copies_between_any_strides_even_overlapping) {
  const Array array = counting({2, 3});
  std::vector<float> memory(6);
  const std::vector<int64_t> sizes = {2, 3}, strides = {1, 2};
  const Array transposed = Array::view(memory.data(), sizes, strides);
  transposed.assign(array);
  BOOST_TEST((memory == std::vector<float>{0, 3, 1, 4, 2, 5}));
  BOOST_TEST(array_equal(transposed, array));

  const Array line = counting({6});
  line.rows(1, 6).assign(line.rows(0, 5));
  BOOST_TEST((line.to_vector<float>() == std::vector<float>{0, 0, 1, 2, 3, 4}));
  const std::vector<int64_t> all = {6}, backwards = {-1};
  line.assign(Array::view(&line.at<float>({5}), all, backwards));
  BOOST_TEST((line.to_vector<float>() == std::vector<float>{4, 3, 2, 1, 0, 0}));
}

BOOST_AUTO_TEST_CASE(walks_three_axes_of_any_strides) {
  const Array array = counting({2, 3, 4});
  const std::vector<int64_t> sizes = {4, 2, 3}, strides = {1, 12, 4};
  std::vector<float> expected;
  for (int k = 0; k < 4; ++k) {
    for (int i = 0; i < 2; ++i) {
      for (int j = 0; j < 3; ++j) expected.push_back(static_cast<float>(12 * i + 4 * j + k));
    }
  }
  BOOST_TEST((Array::view(array.data<float>().data(), sizes, strides).to_vector<float>() == expected));
}

BOOST_AUTO_TEST_CASE(comparisons_know_nan_infinity_and_zero) {
  const Array a = Array::from({not_a_number, 0.0f, infinity}), b = Array::from({not_a_number, -0.0f, infinity});
  BOOST_TEST(array_equal(a, b));
  BOOST_TEST(all_close(a, b));
  BOOST_TEST(!same_bits(a, b));
  BOOST_TEST(same_bits(a, a.clone()));
  BOOST_TEST(!all_close(Array::scalar(1.0f), Array::scalar(infinity)));
  BOOST_TEST(!all_close(Array::scalar(infinity), Array::scalar(-infinity)));
  BOOST_TEST(!all_close(Array::scalar(not_a_number), Array::scalar(1.0f)));
  BOOST_TEST(all_close(Array::scalar(100.0), Array::scalar(101.0), 0.01));
  BOOST_TEST(!all_close(Array::scalar(100.0), Array::scalar(101.1), 0.01));
  BOOST_TEST(all_close(Array::scalar(0.0), Array::scalar(0.25), 0, 0.25));
  BOOST_TEST(!array_equal(Array({2}), Array({1, 2})));
  BOOST_TEST(!array_equal(Array({2}), Array({2}, DType::f64)));
  BOOST_TEST(array_equal(Array({0, 2}), Array({0, 2})));
  // beyond 2^53, where doubles would take both for the same
  BOOST_TEST(!array_equal(Array::scalar(int64_t{9007199254740993}), Array::scalar(int64_t{9007199254740992})));
}

BOOST_AUTO_TEST_CASE(text_is_readable) {
  BOOST_TEST(Array::scalar(3.14159265f).to_string() == "f32[] 3.14159");
  BOOST_TEST(Array({0, 2}).to_string() == "f32[0, 2] []");
  BOOST_TEST(Array::from({true, false}).to_string() == "boolean[2] [ true, false]");
  BOOST_TEST(Array::from({not_a_number, -not_a_number, -infinity}).to_string() == "f32[3] [ nan,  nan, -inf]");
  BOOST_TEST(Array::from(std::vector<int32_t>{1, -20, 3, 4}, {2, 2}).to_string() ==
             "i32[2, 2]\n"
             "[[  1, -20],\n"
             " [  3,   4]]");
  BOOST_TEST(counting({2, 1, 2}).to_string() ==
             "f32[2, 1, 2]\n"
             "[[[0, 1]],\n"
             " [[2, 3]]]");
}

BOOST_AUTO_TEST_CASE(text_leaves_out_the_middle_of_long_axes_and_wraps_lines) {
  BOOST_TEST(counting({1001}).to_string() == "f32[1001] [   0,    1,    2, ...,  998,  999, 1000]");
  BOOST_TEST(counting({200, 8}).to_string() ==
             "f32[200, 8]\n"
             "[[   0,    1,    2, ...,    5,    6,    7],\n"
             " [   8,    9,   10, ...,   13,   14,   15],\n"
             " [  16,   17,   18, ...,   21,   22,   23],\n"
             " ...,\n"
             " [1576, 1577, 1578, ..., 1581, 1582, 1583],\n"
             " [1584, 1585, 1586, ..., 1589, 1590, 1591],\n"
             " [1592, 1593, 1594, ..., 1597, 1598, 1599]]");
  const std::string wrapped = Array({60}, DType::i64).to_string();
  BOOST_TEST(std::count(wrapped.begin(), wrapped.end(), '\n') == 2);
  BOOST_TEST(wrapped.find(",\n 0") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  const Array array({2, 3});
  BOOST_TEST(message_of([] { Array({2, -1}); }) == "f32[2, -1] has a negative size");
  BOOST_TEST(message_of([] {
               Array({int64_t{1} << 40, int64_t{1} << 40}, DType::i64);
             }) == "i64[1099511627776, 1099511627776] does not fit in memory");
  BOOST_TEST(message_of([] {
               Array({INT64_MAX, 0, INT64_MAX});
             }) == "f32[9223372036854775807, 0, 9223372036854775807] does not fit in memory");
  BOOST_TEST(message_of([] { (void)Array::from(std::vector<float>{1, 2}, {3}); }) == "f32[3] needs 3 values, not 2");
  BOOST_TEST(message_of([&] { (void)array.data<double>(); }) == "f32[2, 3] is accessed as f64");
  BOOST_TEST(message_of([&] { (void)array.at<float>({2, 0}); }) == "f32[2, 3] has no element [2, 0]");
  BOOST_TEST(message_of([&] { (void)array.at<float>({0, -1}); }) == "f32[2, 3] has no element [0, -1]");
  BOOST_TEST(message_of([&] { (void)array.at<float>({0}); }) == "f32[2, 3] has no element [0]");
  BOOST_TEST(message_of([&] { (void)array.item<float>(); }) ==
             "f32[2, 3] has 6 elements\n"
             "  item() is for an array of exactly one");
  BOOST_TEST(message_of([&] { (void)array.reshaped({4}); }) ==
             "f32[2, 3] cannot be reshaped to f32[4]: the numbers of elements differ");
  BOOST_TEST(message_of([&] { (void)array.rows(1, 3); }) == "f32[2, 3] has no rows 1 to 3");
  Array emptied({2});
  const Array kept = std::move(emptied);
  BOOST_TEST(message_of([&] { (void)emptied.item<float>(); }) == "an Array that was moved from has no elements");
  BOOST_TEST(message_of([&] { array.assign(Array({3, 2})); }) == "f32[3, 2] cannot be assigned to f32[2, 3]");
  float* const nowhere = nullptr;
  float value = 0;
  const std::vector<int64_t> sizes = {2, 2}, one = {1}, swapped = {1, 2};
  BOOST_TEST(message_of([&] { (void)Array::view(nowhere, {2}); }) == "a view as f32[2] of a null pointer");
  BOOST_TEST(message_of([&] { (void)Array::view(&value, sizes, one); }) ==
             "a view as f32[2, 2] needs 2 strides, not 1");
  auto* const odd = reinterpret_cast<float*>(reinterpret_cast<char*>(&value) + 1);
  BOOST_TEST(message_of([&] { (void)Array::view(odd, {0}); }) == "a view as f32[0] needs memory aligned to 4 bytes");
  float four[4] = {};
  const Array transposed = Array::view(four, std::span<const int64_t>(sizes), swapped);
  BOOST_TEST(message_of([&] { (void)transposed.data<float>(); }) ==
             "f32[2, 2] with strides [1, 2] is not contiguous\n"
             "  clone() makes a contiguous copy");
  BOOST_TEST(message_of([&] { (void)transposed.reshaped({4}); }) ==
             "f32[2, 2] cannot be reshaped: it is not contiguous\n"
             "  clone() makes a contiguous copy");
}

#ifndef GRADLOOM_SANITIZED  // the address sanitizer ends the program instead
BOOST_AUTO_TEST_CASE(no_memory_is_an_error) {
  BOOST_TEST(message_of([] { Array({int64_t{1} << 58}, DType::u8); }) ==
             "there is no memory for u8[288230376151711744], 288230376151711744 bytes");
}
#endif

BOOST_AUTO_TEST_SUITE_END()
