#pragma once

#include <oneapi/tbb/parallel_for.h>

#include <atomic>

namespace gradloom::test {

/// tbb::parallel_for hands its body to other threads, and what they did back, where the thread sanitizer cannot see it.
/// This one does both through an atomic too.
template <class Body>
void parallel_for(int begin, int end, const Body& body) {
  static std::atomic<int> hand_overs{0};  // not captured: reading the capture would come before receiving it
  const auto received = [&body](int i) {
    (void)hand_overs.load(std::memory_order_acquire);
    body(i);
    hand_overs.fetch_add(1, std::memory_order_release);
  };
  hand_overs.fetch_add(1, std::memory_order_release);  // once `received` is made
  tbb::parallel_for(begin, end, received);
  (void)hand_overs.load(std::memory_order_acquire);
}

}  // namespace gradloom::test
