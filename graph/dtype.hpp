#pragma once

#include <gradloom/graph/bfloat16.hpp>
#include <gradloom/graph/export.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gradloom::inline v0 {

/// The element types. `boolean` is stored as one byte, 0 or 1; `bf16` is for storage, see computed_as(). The order is
/// the order of promotion.
enum class DType : uint8_t { boolean, u8, i32, i64, bf16, f32, f64 };

inline constexpr int dtype_count = 7;

[[nodiscard]] constexpr size_t size_of(DType dtype) {
  constexpr size_t sizes[dtype_count] = {1, 1, 4, 8, 2, 4, 8};
  return sizes[static_cast<size_t>(dtype)];
}

/// The floats that are computed with: f32 and f64.
[[nodiscard]] constexpr bool is_float(DType dtype) { return dtype >= DType::f32; }
[[nodiscard]] constexpr bool is_integer(DType dtype) { return dtype > DType::boolean && dtype < DType::bf16; }

/// The dtype that an op takes elements of `dtype` as, and that their gradients have: bf16 is stored, and moved, but
/// whatever computes with it does so in f32. All others stay what they are.
[[nodiscard]] constexpr DType computed_as(DType dtype) { return dtype == DType::bf16 ? DType::f32 : dtype; }

/// "f32", "boolean", ...
[[nodiscard]] GRADLOOM_API std::string_view to_string(DType dtype);

/// The inverse of to_string. Throws Error with the choices for an unknown name.
[[nodiscard]] GRADLOOM_API DType parse_dtype(std::string_view name);

/// The dtype of `a op b`: the later of the two in boolean < u8 < i32 < i64 < bf16 < f32 < f64. (i64 with f32 gives f32,
/// as in PyTorch: an index must not turn a network into f64.) Ops that compute take it as computed_as() says.
[[nodiscard]] constexpr DType promote(DType a, DType b) { return a < b ? b : a; }

/// The DType of a C++ type; not defined for types that are not elements.
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::boolean;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

}  // namespace gradloom::inline v0
