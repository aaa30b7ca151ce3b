// Counts what this process takes from the heap, by standing in for malloc and its kin.
#pragma once

#include <cstdint>

namespace gradloom::test {

/// How often memory was asked for so far, by all threads. Always 0 under a sanitizer, which stands there itself.
int64_t allocations();
/// False under a sanitizer: then there is nothing to test.
bool counts_allocations();

}  // namespace gradloom::test
