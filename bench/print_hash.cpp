#include "case.hpp"

#include <cinttypes>
#include <cstdio>

namespace bench {

void print_hash(std::span<const gl::Array> arrays, const gl::State& state) {
  uint64_t hash = 14695981039346656037ULL;
  const auto add = [&](const gl::Array& array) {
    const auto* const bytes = static_cast<const unsigned char*>(array.raw());
    for (size_t i = 0; i < array.byte_size(); ++i) hash = (hash ^ bytes[i]) * 1099511628211ULL;
  };
  for (const gl::Array& array : arrays) add(array);
  for (const std::string& name : state.names()) add(state.get(name));
  std::printf("%016" PRIx64 "\n", hash);
}

}  // namespace bench
