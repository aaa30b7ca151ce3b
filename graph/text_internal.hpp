// Single elements of literals, which printer and parser must agree on; and the text form for people only.
#pragma once

#include <gradloom/graph/graph.hpp>

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace gradloom::inline v0 {

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

/// to_text(), but of a literal only the first elements: weights that are baked in would be most of the text.
[[nodiscard]] std::string to_short_text(const Graph& graph, std::span<const Tensor> outputs);

}  // namespace gradloom::inline v0
