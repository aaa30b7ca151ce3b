#include <gradloom/graph/dtype.hpp>
#include <gradloom/graph/error.hpp>

namespace gradloom::inline v0 {

namespace {
constexpr std::string_view names[dtype_count] = {"boolean", "u8", "i32", "i64", "bf16", "f32", "f64"};
}

std::string_view to_string(DType dtype) { return names[static_cast<size_t>(dtype)]; }

DType parse_dtype(std::string_view name) {
  for (int i = 0; i < dtype_count; ++i) {
    if (names[i] == name) return static_cast<DType>(i);
  }
  throw Error({.problem = "unknown dtype \"" + std::string(name) + "\"",
               .rule = "the dtypes are boolean, u8, i32, i64, bf16, f32, f64"});
}

}  // namespace gradloom::inline v0
