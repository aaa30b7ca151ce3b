// How many random cases a test tries.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace gradloom::test {

/// `fast`, or `full` where GRADLOOM_TEST_FULL is set (./dev test --full). Under a sanitizer a tenth, as a case takes
/// ten times as long.
inline uint64_t random_cases(uint64_t fast, uint64_t full) {
  const uint64_t cases = std::getenv("GRADLOOM_TEST_FULL") != nullptr ? full : fast;
#ifdef GRADLOOM_SANITIZED
  return std::max<uint64_t>(cases / 10, 1);
#else
  return cases;
#endif
}

}  // namespace gradloom::test
