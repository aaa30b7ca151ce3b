// The second-level cache of the processor that runs this.
#pragma once

#include <cstdint>

namespace gradloom::inline v0 {

inline constexpr int64_t cache_line = 64;  ///< bytes

struct SecondCache {
  int64_t sets, ways;
};

/// As the system tells, or, where it does not, the smallest of today: 512 KiB of 8 ways. It decides what is packed,
/// never what is computed.
[[nodiscard]] const SecondCache& second_cache() noexcept;

/// Do `rows` runs of `lines` cache lines stay in the cache while they are read again and again, if they begin
/// `row_bytes` apart? Addresses that differ by a large power of two share a set. Runs that are whole pages apart count
/// as driven out, by what else lies so.
[[nodiscard]] bool stays_in_second_cache(int64_t rows, int64_t lines, int64_t row_bytes) noexcept;

}  // namespace gradloom::inline v0
