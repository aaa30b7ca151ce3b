#include <gradloom/ops/second_cache_internal.hpp>

#include <unistd.h>

#include <algorithm>
#include <numeric>

namespace gradloom::inline v0 {

namespace {

SecondCache asked_of_the_system() noexcept {
  int64_t bytes = 0, ways = 0;
#if defined(_SC_LEVEL2_CACHE_SIZE) && defined(_SC_LEVEL2_CACHE_ASSOC)
  bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  ways = sysconf(_SC_LEVEL2_CACHE_ASSOC);
#endif
  if (ways <= 0 || bytes < ways * cache_line) return {1024, 8};
  return {bytes / (ways * cache_line), ways};
}

}  // namespace

const SecondCache& second_cache() noexcept {
  static const SecondCache cache = asked_of_the_system();
  return cache;
}

bool stays_in_second_cache(int64_t rows, int64_t lines, int64_t row_bytes) noexcept {
  // The rows of what is read or written beside such a matrix are usually whole pages apart, too, in the same sets.
  constexpr int64_t page = 4096;
  if (row_bytes % page == 0) return false;
  const SecondCache cache = second_cache();
  const int64_t around = cache.sets * cache_line;  // addresses that far apart share a set
  const int64_t places = around / std::max(cache_line, std::gcd(row_bytes, around));
  return rows * lines <= std::min(cache.sets, places * lines) * cache.ways;
}

}  // namespace gradloom::inline v0
