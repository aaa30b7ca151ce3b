// Single elements of literals, which printer and parser must agree on.
#pragma once

#include <gradloom/graph/dtype.hpp>

#include <fmt/format.h>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace gradloom::inline v0 {

/// Calls f with a zero of the C++ type of the elements. Booleans are stored, and printed, as bytes 0 and 1.
template <class F>
auto with_stored_type(DType dtype, F f) {
  switch (dtype) {
    case DType::boolean:
    case DType::u8:
      return f(uint8_t{});
    case DType::i32:
      return f(int32_t{});
    case DType::i64:
      return f(int64_t{});
    case DType::f32:
      return f(float{});
    case DType::f64:
      break;
  }
  return f(double{});
}

/// The whole of `text` as a T: decimal, or bits:HEX for floats.
template <class T>
std::optional<T> parse_element(std::string_view text) {
  T value{};
  std::from_chars_result result{};
  if (std::is_floating_point_v<T> && text.starts_with("bits:")) {
    std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t> bits{};
    result = std::from_chars(text.data() + 5, text.data() + text.size(), bits, 16);
    if constexpr (sizeof(T) == sizeof(bits)) std::memcpy(&value, &bits, sizeof(T));
  } else {
    result = std::from_chars(text.data(), text.data() + text.size(), value);
  }
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The shortest text that parse_element takes back to the same bits.
template <class T>
std::string print_element(T value) {
  std::string text = fmt::format("{}", value);
  if constexpr (std::is_floating_point_v<T>) {
    const std::optional<T> back = parse_element<T>(text);
    if (!back || std::memcmp(&*back, &value, sizeof(T)) != 0) {
      std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t> bits;
      std::memcpy(&bits, &value, sizeof(T));
      text = fmt::format("bits:{:x}", bits);
    }
  }
  return text;
}

}  // namespace gradloom::inline v0
