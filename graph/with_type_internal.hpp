// From a DType, known when the program runs, to the C++ type of its elements.
#pragma once

#include <gradloom/graph/dtype.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

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
    case DType::f32:
      return f(float{});
    case DType::f64:
      break;
  }
  return f(double{});
}

}  // namespace gradloom::inline v0
