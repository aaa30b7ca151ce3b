// From a DType, known when the program runs, to the C++ type of its elements.
#pragma once

#include <gradloom/graph/dtype.hpp>

#include <cstdint>
#include <type_traits>

namespace gradloom::inline v0 {

/// What an element is computed with, and printed as: itself, or the float that a BFloat16 is.
template <class T>
using NumberOf = std::conditional_t<std::is_same_v<T, BFloat16>, float, T>;

/// Calls f with a zero of the C++ type that stores `dtype`. A boolean is its byte: reading one that is neither 0 nor 1
/// as `bool` would be undefined.
template <class F>
auto with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::boolean:
    case DType::u8:
      return f(uint8_t{});
    case DType::i32:
      return f(int32_t{});
    case DType::i64:
      return f(int64_t{});
    case DType::bf16:
      return f(BFloat16{});
    case DType::f32:
      return f(float{});
    case DType::f64:
      break;
  }
  return f(double{});
}

}  // namespace gradloom::inline v0
